package driver_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/driver"
)

// No test has a control group to make others beside: each process is held to the
// limit by itself.
func TestDriver_Memory(t *testing.T) {
	const limit = 512 << 20
	limited := func(c *driver.Config) { c.LimitMemory = true }

	t.Run("that is asked for beyond the limit fails the calculation, and the session goes on", func(t *testing.T) {
		b := newBench(t, limited)
		d, story := b.launch(hearth.Launch{Memory: limit})
		_, end := b.run(d, story, "kept = bytearray(1 << 30)")
		if end.Outcome != hearth.OutcomeError || !strings.Contains(end.Reason, "MemoryError") {
			t.Errorf("it ended with %+v", end)
		}
		_, end = b.run(d, story, "kept = []\nwhile True: kept.append(bytearray(1 << 20))")
		if end.Outcome != hearth.OutcomeError || !strings.Contains(end.Reason, "MemoryError") {
			t.Errorf("bit by bit, it ended with %+v", end)
		}
		_, end = b.run(d, story, "del kept\nkept = bytearray(200 << 20)")
		if end.Outcome != hearth.OutcomeOK {
			t.Errorf("within the limit, it ended with %+v", end)
		}
	})
	t.Run("that a program of the code asks for counts too", func(t *testing.T) {
		b := newBench(t, limited)
		d, story := b.launch(hearth.Launch{Memory: limit})
		id, _ := b.run(d, story, "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'bytearray(1 << 30)'], stderr=subprocess.PIPE).stderr.split()[-1])")
		if got := b.output(d, id, hearth.Stdout); got != "b'MemoryError'\n" {
			t.Errorf("it says %q", got)
		}
	})
	t.Run("is not limited unless that is wanted", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{Memory: limit})
		if _, end := b.run(d, story, "kept = bytearray(1 << 30)"); end.Outcome != hearth.OutcomeOK {
			t.Errorf("it ended with %+v", end)
		}
	})
	t.Run("that runs out everywhere costs a driver before its server", func(t *testing.T) {
		b := newBench(t, nil)
		b.launch(hearth.Launch{SessionID: "one"})
		id := b.identity("one")
		shim, kernel := preference(t, id.PID), preference(t, id.KernelPID)
		if server := preference(t, os.Getpid()); shim != server || kernel <= server {
			t.Errorf("the server has %d, the shim %d, and Python %d", server, shim, kernel)
		}
	})
}

// preference is what the system adds to how readily it kills a process.
func preference(t *testing.T, pid int) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err == nil {
		_, err = fmt.Sscan(string(text), &n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
