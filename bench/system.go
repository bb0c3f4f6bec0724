package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// loadAverage is the system's of the last minute, 0 where it does not tell.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	var load float64
	if _, err := fmt.Sscan(string(text), &load); err != nil {
		return 0
	}
	return load
}

// statusMiB reads an amount of memory of a process, as Linux counts it.
func statusMiB(pid int, name string) (float64, error) {
	var kiB float64
	if _, err := fmt.Sscan(entry(fmt.Sprintf("/proc/%d/status", pid), name), &kiB); err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, errUntold)
	}
	return kiB / 1024, nil
}

// family gives processes and all that descend from them.
func family(roots ...int) ([]int, error) {
	children, err := processesBy(parentField)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(roots); i++ {
		roots = append(roots, children[roots[i]]...)
	}
	return roots, nil
}

// processesBy gives all processes by the process that is in a field of theirs.
func processesBy(field int) (map[int][]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, errUntold
	}
	by := make(map[int][]int)
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			if fields := statOf(pid); fields != nil {
				by[int(fields[field])] = append(by[int(fields[field])], pid)
			}
		}
	}
	return by, nil
}

var errUntold = errors.New("this system does not tell about processes as Linux does")

// Fields of /proc/PID/stat after the name, which may hold anything (proc(5)).
const (
	parentField = 1
	groupField  = 2
	userField   = 11 // processor time, in ticks
	systemField = 12
	startField  = 19 // in ticks since the machine's start

	ticksASecond = 100 // for programs, on every Linux
)

// statOf reads the numbers of a process; nil when it is gone.
func statOf(pid int) []float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	var numbers []float64
	for i, field := range bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) {
		number, err := strconv.ParseFloat(string(field), 64)
		if err != nil && i > 0 { // the first is a letter
			return nil
		}
		numbers = append(numbers, number)
	}
	if len(numbers) <= startField {
		return nil
	}
	return numbers
}

// processorTime is what processes have used of processors. One that is gone
// counts nothing.
func processorTime(pids []int) time.Duration {
	ticks := 0.0
	for _, pid := range pids {
		if fields := statOf(pid); fields != nil {
			ticks += fields[userField] + fields[systemField]
		}
	}
	return time.Duration(ticks / ticksASecond * float64(time.Second))
}

// used is what each of some processes had used of processors.
type used map[int]time.Duration

func usage(pids []int) used {
	u := make(used)
	for _, pid := range pids {
		u[pid] = processorTime([]int{pid})
	}
	return u
}

// since is what they have used from then on. One that has gone meanwhile took what
// it had used with it, and counts nothing.
func (u used) since() (total time.Duration) {
	for pid, then := range u {
		total += max(0, processorTime([]int{pid})-then)
	}
	return total
}

// proportionalMiB is the memory of processes where what several share counts for
// each of them in part (PSS).
func proportionalMiB(pids ...int) (float64, error) {
	total := 0.0
	for _, pid := range pids {
		var kiB float64
		if _, err := fmt.Sscan(entry(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss"), &kiB); err != nil {
			return 0, fmt.Errorf("memory of process %d: %w", pid, errUntold)
		}
		total += kiB / 1024
	}
	return total, nil
}

// descriptors counts the open files of a process.
func descriptors(pid int) (float64, error) { return count(pid, "fd") }

// threads counts those of a process.
func threads(pid int) (float64, error) { return count(pid, "task") }

// count counts what Linux lists of a process in a directory.
func count(pid int, name string) (float64, error) {
	listed, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		return 0, fmt.Errorf("what process %d holds: %w", pid, errUntold)
	}
	return float64(len(listed)), nil
}
