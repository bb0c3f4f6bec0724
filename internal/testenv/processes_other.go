//go:build !linux

package testenv

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// processesIn asks ps, which does not know where processes work.
func processesIn(t testing.TB, folder string) []process {
	t.Helper()
	out, err := exec.Command("ps", "-axo", "pid=,command=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []process
	for line := range strings.Lines(string(out)) {
		pid, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(pid); err == nil && strings.Contains(command, folder) {
			found = append(found, process{n, command, strings.Contains(command, " shim ")})
		}
	}
	return found
}

func endWithParent(*exec.Cmd) {}
