package testenv

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"hearth/internal/shim"
)

// Driver tells which processes the session's driver has.
func Driver(t testing.TB, home, sessionID string) shim.Identity {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(home, "drivers", sessionID, "shim.json"))
	if err != nil {
		t.Fatal(err)
	}
	var identity shim.Identity
	if err := json.Unmarshal(content, &identity); err != nil {
		t.Fatal(err)
	}
	return identity
}

// EndDrivers ends the drivers that a server in home left running. It is an
// error of the test when a driver that has exited left a process, or when a
// driver's process outlives its shim.
func EndDrivers(t testing.TB, home string) {
	t.Helper()
	bundles, err := filepath.Glob(filepath.Join(home, "drivers", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bundle := range bundles {
		_, err := os.Stat(filepath.Join(bundle, "exit.json"))
		switch {
		case err == nil:
			AwaitNoProcess(t, bundle)
		case errors.Is(err, fs.ErrNotExist):
			endShim(t, bundle)
			AwaitNoProcess(t, bundle)
		default:
			t.Error(err)
		}
	}
}

// endShim kills the shim alone: its children have to follow by themselves.
func endShim(t testing.TB, bundle string) {
	t.Helper()
	for _, p := range processesIn(t, bundle) {
		if p.shim {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// AwaitNoProcess waits until no process works in the folder or names it. Those
// that are still there in the end are killed, and an error.
func AwaitNoProcess(t testing.TB, folder string) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		left := processesIn(t, folder)
		if len(left) == 0 {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			for _, p := range left {
				t.Errorf("process %d was left running: %s", p.pid, p.command)
				syscall.Kill(p.pid, syscall.SIGKILL)
			}
			return
		}
	}
}

// process is one that works in a folder, or was given it as an argument.
type process struct {
	pid     int
	command string
	shim    bool
}
