package hearth

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseMemory reads a size as Spark writes it for spark.driver.memory: a whole
// number and a unit, b, k, m, g, t or p in either case, with or without a b
// after it, each 1024 times the one before. Without a unit it is in m. It
// reports false for anything else.
func ParseMemory(text string) (bytes int64, ok bool) {
	return parseSize(text, "m")
}

// parseSize reads a size whose unit may be left out.
func parseSize(text, unit string) (bytes int64, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	number := strings.TrimRight(text, "bkmgtp")
	power, known := map[string]int{
		"b": 0, "k": 1, "kb": 1, "m": 2, "mb": 2, "g": 3, "gb": 3, "t": 4, "tb": 4, "p": 5, "pb": 5,
	}[cmp.Or(text[len(number):], unit)]
	n, err := strconv.ParseUint(number, 10, 63)
	if !known || err != nil || n > math.MaxInt64>>(10*power) {
		return 0, false
	}
	return int64(n) << (10 * power), true
}

// ShowMemory writes bytes for people, in the largest unit that leaves them
// whole.
func ShowMemory(bytes int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; i < len(units)-1 && bytes != 0 && bytes%1024 == 0; i++ {
		bytes /= 1024
	}
	return fmt.Sprintf("%d %s", bytes, units[i])
}

// DriverMemory is the rule of how much memory a session's driver may use. All
// are in bytes.
type DriverMemory struct {
	Heap     int64 // of Java, unless the session sets spark.driver.memory
	MaxHeap  int64 // what a session may ask for at most; 0 is no limit
	Overhead int64 // for all that is not asked for: Python, its workers, Java's own
}

// Of gives what the driver of a session with some Spark properties may use:
// what it asks for and the overhead. A property that is no size counts as if it
// were not set; Spark refuses it itself, when it starts. It returns KindInvalid
// for more than MaxHeap.
func (m DriverMemory) Of(properties map[string]string) (int64, error) {
	asked := m.Heap
	named := "spark.driver.memory"
	if heap, ok := ParseMemory(properties[named]); ok {
		asked = heap
	}
	if strings.EqualFold(properties["spark.memory.offHeap.enabled"], "true") {
		if beside, ok := parseSize(properties["spark.memory.offHeap.size"], "b"); ok {
			named += " and spark.memory.offHeap.size"
			asked = sum(asked, beside)
		}
	}
	if m.MaxHeap > 0 && asked > m.MaxHeap {
		return 0, Errorf(KindInvalid, "The session asks for %s of memory with %s, and %s is the most that it may have here. Ask for less.",
			ShowMemory(asked), named, ShowMemory(m.MaxHeap))
	}
	return sum(asked, m.Overhead), nil
}

// sum is the largest number rather than more than that.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
