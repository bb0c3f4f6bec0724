package driver_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
	"hearth/internal/testenv"
)

// stopShim stops a shim, and waits until none of its threads runs: those that
// have not seen the signal yet would still answer.
func stopShim(b *bench, id string) {
	b.t.Helper()
	pid := b.identity(id).PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the shim is stopped", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		return err == nil && len(threads) > 0 && !slices.ContainsFunc(threads, func(thread string) bool {
			stat, err := os.ReadFile(thread)
			return err == nil && !strings.Contains(string(stat), ") T ")
		})
	})
}

func contShim(b *bench, id string) {
	b.t.Helper()
	if err := syscall.Kill(b.identity(id).PID, syscall.SIGCONT); err != nil {
		b.t.Fatal(err)
	}
}

func impatient(unresponsive, lost time.Duration) func(*driver.Config) {
	return func(c *driver.Config) {
		c.Heartbeat, c.UnresponsiveAfter, c.LostAfter = 100*time.Millisecond, unresponsive, lost
	}
}

func TestDriver_Silence(t *testing.T) {
	t.Run("is told, and its end", func(t *testing.T) {
		b := newBench(t, impatient(300*time.Millisecond, time.Hour))
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id := b.execute(d, "import os, time\nwhile not os.path.exists('go'): time.sleep(.01)\nprint('done')")
		story.await(hearth.CalculationStarted)
		stopShim(b, "one")
		if e := story.await(hearth.DriverUnresponsive); !strings.Contains(e.Reason, "supervises the driver has not answered for") {
			t.Errorf("it says %q", e.Reason)
		}
		contShim(b, "one")
		story.await(hearth.DriverResponsive)
		if err := os.WriteFile(b.path("one", shim.WorkDir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.CalculationEnded)
		if got := b.output(d, id, hearth.Stdout); got != "done\n" {
			t.Errorf("its output is %q", got)
		}
	})
	t.Run("of the kernel does not end with the shim's", func(t *testing.T) {
		b := newBench(t, impatient(300*time.Millisecond, time.Hour))
		_, story := b.launch(hearth.Launch{SessionID: "one"})
		if err := syscall.Kill(b.identity("one").KernelPID, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		before := story.await(hearth.DriverUnresponsive)
		found, _, err := b.Recover(t.Context(), "one")
		if err != nil {
			t.Fatal(err)
		}
		again := b.follow(found, before.Offset)
		stopShim(b, "one")
		again.await(hearth.DriverUnresponsive)
		if len(again.all) > 1 {
			t.Errorf("before that it told %v", again.all[:1])
		}
		contShim(b, "one")
		if err := syscall.Kill(b.identity("one").KernelPID, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if e := again.await(hearth.DriverResponsive); e.Offset == before.Offset {
			t.Errorf("it told %+v, which is not the kernel's answer", e)
		}
	})
	t.Run("for too long ends the driver", func(t *testing.T) {
		b := newBench(t, impatient(200*time.Millisecond, 500*time.Millisecond))
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id := b.execute(d, "import subprocess\nsubprocess.run(['sleep', '1000'])")
		story.await(hearth.CalculationStarted)
		stopShim(b, "one")
		e := story.await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.CalculationID != id || !strings.Contains(e.Reason, "supervises it has not answered for") {
			t.Errorf("its exit is %+v", e)
		}
		if left := inSession(t, b.identity("one").PID); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
		for _, name := range []string{shim.SocketName, shim.TemporaryDir, "ballast"} {
			if _, err := os.Lstat(b.path("one", name)); err == nil {
				t.Errorf("%s is left", name)
			}
		}
	})
	t.Run("is not for one who is to end", func(t *testing.T) {
		b := newBench(t, impatient(200*time.Millisecond, time.Hour))
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		stopShim(b, "one")
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverExited)
		b.shimEnds("one")
	})
	t.Run("before anything was started", func(t *testing.T) {
		// It has the lock and gets no further, like a shim that is stopped there.
		const hangs = `import fcntl, json, os, sys, time
lock = os.open(sys.argv[1] + "/lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
start = int(open("/proc/self/stat").read().rsplit(")")[1].split()[19])
boot = open("/proc/sys/kernel/random/boot_id").read().strip()
os.write(lock, json.dumps({"pid": os.getpid(), "start_time": start, "boot_id": boot}).encode())
time.sleep(1000)`
		python := testenv.Python(t)
		b := newBench(t, func(c *driver.Config) {
			c.Shim = []string{python, "-c", hangs}
			c.LostAfter = time.Second
		})
		// The server that launches it leaves.
		ctx, leave := context.WithCancel(t.Context())
		launched := make(chan error)
		go func() { _, err := b.Launch(ctx, hearth.Launch{SessionID: "one"}); launched <- err }()
		eventually(t, "the lock is taken", func() bool {
			content, _ := os.ReadFile(b.path("one", shim.LockFile))
			return len(content) > 0
		})
		leave()
		if err := <-launched; err != context.Canceled {
			t.Fatal(err)
		}
		d, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
		if err != nil {
			t.Fatal(err)
		}
		if e := b.exit(d); e.Exit != hearth.ExitFault || !strings.Contains(e.Reason, "has not answered for") {
			t.Errorf("its exit is %+v", e)
		}
		// Its own server does not wait for ever either.
		if _, err := b.Launch(t.Context(), hearth.Launch{SessionID: "two"}); hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "has not answered for 1s") {
			t.Errorf("it says %v", err)
		}
	})
}
