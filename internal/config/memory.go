package config

import (
	"regexp"

	"hearth"
)

// Memory gives the settings of a driver's memory in the form of the rule.
func (c Config) Memory() hearth.DriverMemory {
	return hearth.DriverMemory{Heap: sizeOf(c.DriverMemory), MaxHeap: sizeOf(c.MaxDriverMemory), Overhead: sizeOf(c.DriverOverhead)}
}

// MaxResultsSize is MaxResults in bytes, 0 when there is no limit.
func (c Config) MaxResultsSize() int64 { return sizeOf(c.MaxResults) }

// sizeOf gives the bytes of a size that was checked; none of "".
func sizeOf(size string) int64 {
	n, _ := hearth.ParseMemory(size)
	return n
}

// checkMemory refuses sizes that there cannot be, and those that would let no
// session start.
func (c Config) checkMemory() error {
	switch {
	case !isMemory(c.DriverMemory):
		return refuse("driver_memory", c.DriverMemory, memoryRemedy)
	case !isMemory(c.DriverOverhead):
		return refuse("driver_overhead", c.DriverOverhead, memoryRemedy)
	case c.MaxResults != "" && !isMemory(c.MaxResults):
		return refuse("max_results", c.MaxResults, memoryRemedy)
	case c.MaxDriverMemory != "" && !isMemory(c.MaxDriverMemory):
		return refuse("max_driver_memory", c.MaxDriverMemory, memoryRemedy)
	case c.MaxDriverMemory != "" && sizeOf(c.MaxDriverMemory) < sizeOf(c.DriverMemory):
		return refuse("max_driver_memory", c.MaxDriverMemory, "it has to be at least driver_memory, which is "+c.DriverMemory)
	}
	return nil
}

const memoryRemedy = "write a number and k, m, g or t, like 2g"

var memoryPattern = regexp.MustCompile(`^[1-9][0-9]*[kmgt]b?$`)

func isMemory(size string) bool {
	return memoryPattern.MatchString(size) && sizeOf(size) > 0
}
