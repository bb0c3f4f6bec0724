package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A server that was killed while it started a driver kept the next one from
// starting: its child had the lock for a moment longer.
func TestLockData_OfTheKilled(t *testing.T) {
	held := func(t *testing.T, pid int) (home, *os.File) {
		t.Helper()
		at := home(t.TempDir())
		file, err := os.Create(at.lockFile())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(file, "hearth serve (process %d)\n", pid)
		return at, file
	}
	t.Run("waits for the lock of a server that is gone", func(t *testing.T) {
		gone := exec.Command("true")
		if err := gone.Run(); err != nil {
			t.Fatal(err)
		}
		at, file := held(t, gone.Process.Pid)
		time.AfterFunc(50*time.Millisecond, func() { file.Close() })
		lock, err := lockData(at, "hearth serve")
		if err != nil {
			t.Fatal(err)
		}
		lock.release()
	})
	t.Run("refuses that of a server that is there", func(t *testing.T) {
		at, _ := held(t, os.Getpid())
		_, err := lockData(at, "hearth serve")
		if holder, ok := errors.AsType[heldError](err); !ok || holder.holder != fmt.Sprintf("hearth serve (process %d)", os.Getpid()) {
			t.Errorf("it says %v", err)
		}
	})
}
