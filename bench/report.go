package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// Report is what a run has measured, and on what.
type Report struct {
	Began    time.Time         `json:"began"`
	Command  string            `json:"command"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Rows     []*Row            `json:"rows"`
	Notes    []string          `json:"notes,omitempty"` // what was not measured, and why; what a row cannot tell
}

// Machine is what figures belong to.
type Machine struct {
	System    string `json:"system"`
	Kernel    string `json:"kernel"`
	Processor string `json:"processor,omitempty"`
	Cores     int    `json:"cores"`
	MemoryMiB int    `json:"memory_mib,omitempty"`
}

func thisMachine() Machine {
	m := Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	m.Processor = entry("/proc/cpuinfo", "model name")
	var kiB int
	if _, err := fmt.Sscan(entry("/proc/meminfo", "MemTotal"), &kiB); err == nil {
		m.MemoryMiB = kiB >> 10
	}
	return m
}

// entry finds the first value of a name in one of the files in which Linux says
// something as "name: value"; "" where there is none.
func entry(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Print writes the rows as a table, ratios first.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WHAT\tRATIO\tMIN\tMEDIAN\tMAX\tUNIT\tGOAL")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s: %s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Who, row.What, row.ratios(), short(row.Min), short(row.Median), short(row.Max), row.Unit, row.Goal)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(t, note)
	}
	return t.Flush()
}

func (r *Row) ratios() string {
	var all []string
	for _, ratio := range r.Ratios {
		all = append(all, fmt.Sprintf("%s × %s", short(ratio.Value), ratio.Of))
	}
	return strings.Join(all, ", ")
}

// String is empty for no goal.
func (g *Goal) String() string {
	switch {
	case g == nil:
		return ""
	case g.Met:
		return g.Want
	}
	return "missed: " + g.Want
}

// short is a figure to three digits, and whole when it is longer.
func short(v float64) string {
	if v >= 1000 || v <= -1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
