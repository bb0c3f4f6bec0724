package driver_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
)

func TestDriver_Runs(t *testing.T) {
	t.Setenv("HEARTH_SECRET_OF_THE_SERVER", "hunter2")
	b := newBench(t, nil)
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	d, story := b.launch(hearth.Launch{
		SessionID: "one", WorkGroup: "primary", Engine: hearth.EngineSpark35, StartedAt: noon, NotebookID: "notebook",
		Earlier: []hearth.Session{{ID: "zero", State: hearth.SessionTerminated, StartedAt: noon.Add(-time.Hour), EndedAt: noon.Add(-30 * time.Minute)}},
	})

	t.Run("variables stay", func(t *testing.T) {
		b.run(d, story, "x = 20")
		id, end := b.run(d, story, "print('x is', x)\nx + 1")
		if end.Outcome != hearth.OutcomeOK || end.CalculationID != id || end.Reason != "" {
			t.Errorf("it ended with %+v", end)
		}
		if got := b.output(d, id, hearth.Stdout); got != "x is 20\n" {
			t.Errorf("stdout is %q", got)
		}
		r, err := d.Result(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var result shim.Result
		if err := json.NewDecoder(r).Decode(&result); err != nil {
			t.Fatal(err)
		}
		want := []json.RawMessage{json.RawMessage(`{"output_type":"execute_result","data":{"text/plain":"21"},"metadata":{},"execution_count":null}`)}
		if diff := cmp.Diff(want, result.Outputs); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an error is the code's", func(t *testing.T) {
		id, end := b.run(d, story, "1\nfoobar")
		if end.Outcome != hearth.OutcomeError || end.ExitStatus != 1 || end.Reason != "NameError: name 'foobar' is not defined" {
			t.Errorf("it ended with %+v", end)
		}
		want := "File \"<stdin>\", line 2, in <module>\nNameError: name 'foobar' is not defined"
		if got := strings.TrimSpace(b.output(d, id, hearth.Stderr)); got != want {
			t.Errorf("stderr is %q", got)
		}
	})
	t.Run("handed over twice it runs once", func(t *testing.T) {
		b.run(d, story, "count = 0")
		id := b.execute(d, "count += 1\nprint(count)")
		if err := d.Execute(t.Context(), id, "count += 1"); err != nil {
			t.Error(err)
		}
		story.await(hearth.CalculationEnded)
		if err := d.Execute(t.Context(), id, "count += 1"); err != nil {
			t.Error(err)
		}
		after, _ := b.run(d, story, "print(count)")
		if got := b.output(d, after, hearth.Stdout); got != "1\n" {
			t.Errorf("it ran %s times", got)
		}
	})
	t.Run("a second one is refused while one runs", func(t *testing.T) {
		id := b.execute(d, "import time\nwhile True: time.sleep(.01)")
		if err := d.Execute(t.Context(), "second", "1"); hearth.KindOf(err) != hearth.KindConflict || !strings.Contains(err.Error(), id) {
			t.Errorf("it was answered %v", err)
		}
		if err := d.Cancel(t.Context(), "second"); err != nil {
			t.Errorf("cancelling what does not run: %v", err)
		}
		if err := d.Cancel(t.Context(), id); err != nil {
			t.Error(err)
		}
		if end := story.await(hearth.CalculationEnded); end.Outcome != hearth.OutcomeCanceled || end.CalculationID != id {
			t.Errorf("it ended with %+v", end)
		}
	})
	t.Run("its environment is what was given", func(t *testing.T) {
		id, _ := b.run(d, story, "import os\nprint('\\n'.join(os.environ))")
		if got := b.output(d, id, hearth.Stdout); strings.Contains(got, "SECRET") || !strings.Contains(got, "HOME") {
			t.Errorf("it has %s", got)
		}
	})
	t.Run("it knows its session", func(t *testing.T) {
		id, _ := b.run(d, story, "%status\n%list_sessions")
		want := `Session ID: one
State: BUSY
WorkGroup: primary
Engine version: Apache Spark version 3.5
Start time: 2026-03-14 12:00:00 UTC
Session ID                            State       Start time               End time
one                                   BUSY        2026-03-14 12:00:00 UTC  -
zero                                  TERMINATED  2026-03-14 11:00:00 UTC  2026-03-14 11:30:00 UTC
`
		if diff := cmp.Diff(want, b.output(d, id, hearth.Stdout)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what it logs is in its log, and nowhere else", func(t *testing.T) {
		id, _ := b.run(d, story, "athena_user_logger.info('Hello world.')")
		log, err := os.ReadFile(b.path("one", shim.LogFile))
		if err != nil || !strings.HasSuffix(string(log), " INFO builtins: Hello world.\n") {
			t.Errorf("%s, %v", log, err)
		}
		if got := b.output(d, id, hearth.Stdout) + b.output(d, id, hearth.Stderr); got != "" {
			t.Errorf("it wrote %q", got)
		}
	})
	t.Run("its directory is its own", func(t *testing.T) {
		id, _ := b.run(d, story, "print(os.getcwd())")
		if got := b.output(d, id, hearth.Stdout); got != b.path("one", "work")+"\n" {
			t.Errorf("it works in %s", got)
		}
	})
	t.Run("what is not there is not found", func(t *testing.T) {
		for _, id := range []string{"never", "..", "../one"} {
			if _, err := d.Output(t.Context(), id, hearth.Stdout, 0); hearth.KindOf(err) != hearth.KindNotFound {
				t.Errorf("output of %q: %v", id, err)
			}
			if _, err := d.Written(t.Context(), id, hearth.Stdout); hearth.KindOf(err) != hearth.KindNotFound {
				t.Errorf("output of %q until now: %v", id, err)
			}
			if _, err := d.Result(t.Context(), id); hearth.KindOf(err) != hearth.KindNotFound {
				t.Errorf("result of %q: %v", id, err)
			}
		}
	})
	t.Run("an id that is no name is refused", func(t *testing.T) {
		if err := d.Execute(t.Context(), "../../escaped", "1"); err == nil {
			t.Error("it was taken")
		}
	})
}

func TestDriver_RefusesBadNames(t *testing.T) {
	b := newBench(t, nil)
	for _, id := range []string{"", "..", ".hidden", "a/b"} {
		if _, err := b.Launch(t.Context(), hearth.Launch{SessionID: id}); hearth.KindOf(err) != hearth.KindInvalid {
			t.Errorf("launching %q: %v", id, err)
		}
	}
}

// deaf is code that neither Python nor a signal can stop. It says "here" from
// within the one call that never returns: before that, it would listen.
const deaf = `
import collections, itertools, os
collections.deque(itertools.chain(map(os.write, [1], [b"here\n"]), itertools.repeat(0)), maxlen=0)`

func TestDriver_End(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitRequested || e.CalculationID != "" {
			t.Errorf("it exited with %+v", e)
		}
		b.shimEnds("one")
		if err := d.End(t.Context()); err != nil {
			t.Errorf("ending again: %v", err)
		}
		if err := d.Cancel(t.Context(), "any"); err != nil {
			t.Errorf("cancelling: %v", err)
		}
		if err := d.Execute(t.Context(), "late", "1"); hearth.KindOf(err) != hearth.KindUnavailable {
			t.Errorf("executing: %v", err)
		}
	})
	t.Run("in the middle of code that does not listen", func(t *testing.T) {
		b := newBench(t, func(c *driver.Config) { c.EndGrace = 200 * time.Millisecond })
		d, story := b.launch(hearth.Launch{})
		id := b.execute(d, deaf)
		b.says(d, id, "here\n")
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		e := story.await(hearth.DriverExited)
		if e.Exit != hearth.ExitRequested || e.CalculationID != id || e.Ran < 100*time.Millisecond {
			t.Errorf("it exited with %+v", e)
		}
		if got := b.output(d, id, hearth.Stdout); got != "here\n" {
			t.Errorf("what it wrote is %q", got)
		}
	})
	t.Run("with what the code left behind", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{})
		id, _ := b.run(d, story, `import subprocess
p = subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM HUP; sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
print(p.pid, p.stdout.readline())`)
		var leader, sleeper int
		if _, err := fmt.Sscan(b.output(d, id, hearth.Stdout), &leader, &sleeper); err != nil {
			t.Fatal(err)
		}
		if !alive(leader) || !alive(sleeper) {
			t.Fatal("they do not run")
		}
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverExited)
		if alive(leader) || alive(sleeper) {
			t.Error("they outlived the driver")
		}
	})
	t.Run("by SIGTERM to the shim, and by no other signal", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		pid := b.identity("one").PID
		for _, sent := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
			if err := syscall.Kill(pid, sent); err != nil {
				t.Fatal(err)
			}
		}
		if _, end := b.run(d, story, "1"); end.Outcome != hearth.OutcomeOK {
			t.Errorf("after them, code ends with %+v", end)
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitRequested {
			t.Errorf("it exited with %+v", e)
		}
	})
	t.Run("when idle, though nobody is there", func(t *testing.T) {
		b := newBench(t, nil)
		if _, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one", IdleTimeout: 300 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		b.shimEnds("one")
		d, adoption, err := b.Recover(t.Context(), "one")
		if err != nil || adoption != hearth.ExitedAway {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		if e := b.exit(d); e.Type != hearth.DriverExited || e.Exit != hearth.ExitIdle || !strings.Contains(e.Reason, "300ms") {
			t.Errorf("it exited with %+v", e)
		}
	})
}

func TestDriver_Faults(t *testing.T) {
	t.Run("the kernel is killed", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id := b.execute(d, "import time\nwhile True: time.sleep(.01)")
		story.await(hearth.CalculationStarted)
		if err := syscall.Kill(b.identity("one").KernelPID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e := story.await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.CalculationID != id || e.Reason != "The driver's Python process was killed by signal 9 (SIGKILL)" {
			t.Errorf("it exited with %+v", e)
		}
	})
	t.Run("the code ends the kernel", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{})
		b.execute(d, "import os; os._exit(7)")
		if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitFault || !strings.Contains(e.Reason, "Python process ended by itself with status 7") {
			t.Errorf("it exited with %+v", e)
		}
	})
	for name, start := range map[string][]string{
		"the kernel cannot start": nil,
		"the kernel cannot start, which the shim of a server that was killed has found out before": {"sh", "-c", `"$@" >/dev/null; exec "$@"`, "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *driver.Config) {
				prepare := c.Prepare
				c.Prepare = func(ctx context.Context, l hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
					k, jvm, err := prepare(ctx, l, bundle)
					return k, jvm, errors.Join(err, os.WriteFile(filepath.Join(bundle, shim.KernelFile), []byte("import nonsuch"), 0o600))
				}
				c.Shim = append(start, c.Shim...)
			})
			d, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
			if err != nil {
				t.Fatal(err)
			}
			want := "The driver's Python process ended by itself with status 1 before Spark was ready: ModuleNotFoundError: No module named 'nonsuch'"
			if e := b.exit(d); e.Exit != hearth.ExitFault || e.Reason != want {
				t.Errorf("it exited with %+v", e)
			}
		})
	}
	t.Run("the kernel is stopped", func(t *testing.T) {
		b := newBench(t, func(c *driver.Config) { c.Heartbeat, c.UnresponsiveAfter = 20*time.Millisecond, 500*time.Millisecond })
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		pid := b.identity("one").KernelPID
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if e := story.await(hearth.DriverUnresponsive); !strings.Contains(e.Reason, "not answered") {
			t.Errorf("the reason is %q", e.Reason)
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverResponsive)
		if _, end := b.run(d, story, "1"); end.Outcome != hearth.OutcomeOK {
			t.Errorf("after it, code ends with %+v", end)
		}
	})
	t.Run("the kernel is stopped for too long", func(t *testing.T) {
		b := newBench(t, func(c *driver.Config) {
			c.Heartbeat, c.UnresponsiveAfter, c.LostAfter = 20*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond
		})
		_, story := b.launch(hearth.Launch{SessionID: "one"})
		if err := syscall.Kill(b.identity("one").KernelPID, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverUnresponsive)
		if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitFault || !strings.Contains(e.Reason, "has not answered for 600ms") {
			t.Errorf("it exited with %+v", e)
		}
	})
	t.Run("code does not stop when cancelled", func(t *testing.T) {
		b := newBench(t, func(c *driver.Config) { c.CancelDeadline = 300 * time.Millisecond })
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id := b.execute(d, deaf)
		b.says(d, id, "here\n")
		if err := d.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		e := story.await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.CalculationID != id || !strings.Contains(e.Reason, "did not stop within 300ms") {
			t.Errorf("it exited with %+v", e)
		}
		var steps []string
		for _, e := range journalOf(b, "one") {
			if e.Type == shim.EventCanceling {
				steps = append(steps, e.Step)
			}
		}
		if diff := cmp.Diff([]string{shim.StepInterrupt, shim.StepKill}, steps); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the disk is full", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		dir := b.path("one", "calculations", "full")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/dev/full", filepath.Join(dir, shim.StdoutFile)); err != nil {
			t.Fatal(err)
		}
		if err := d.Execute(t.Context(), "full", "print('too much')\nimport time\nwhile True: time.sleep(.01)"); err != nil {
			t.Fatal(err)
		}
		e := story.await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.CalculationID != "full" || !strings.Contains(e.Reason, "no space left on device") {
			t.Errorf("it exited with %+v", e)
		}
	})
	t.Run("the shim is killed", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		before := b.identity("one")
		id := b.execute(d, `import subprocess, time
p = subprocess.Popen(["sleep", "1000"])
print(p.pid, flush=True)
while True: time.sleep(.01)`)
		story.await(hearth.CalculationStarted)
		live, err := d.Output(t.Context(), id, hearth.Stdout, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer live.Close()
		var sleeper int
		if _, err := fmt.Fscanln(live, &sleeper); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e := story.await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.CalculationID != id || !strings.Contains(e.Reason, fmt.Sprintf("supervises it, %d, was killed", before.PID)) {
			t.Errorf("it exited with %+v", e)
		}
		if alive(before.KernelPID) || alive(sleeper) {
			t.Error("its processes are there yet")
		}
		if rest, err := io.ReadAll(live); err != nil || len(rest) > 0 {
			t.Errorf("the output goes on with %q, %v", rest, err)
		}
		if _, adoption, err := b.Recover(t.Context(), "one"); err != nil || adoption != hearth.Gone {
			t.Errorf("it is found %q, %v", adoption, err)
		}
	})
}

func TestDriver_Output(t *testing.T) {
	b := newBench(t, nil)
	d, story := b.launch(hearth.Launch{SessionID: "one"})

	t.Run("is followed while it grows", func(t *testing.T) {
		id := b.execute(d, "import os, time\nprint('one', flush=True)\nwhile not os.path.exists('go'): time.sleep(.01)\nprint('two')")
		story.await(hearth.CalculationStarted)
		r, err := d.Output(t.Context(), id, hearth.Stdout, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		first := make([]byte, 3)
		if _, err := io.ReadFull(r, first); err != nil || string(first) != "ne\n" {
			t.Fatalf("it begins with %q, %v", first, err)
		}
		written, err := d.Written(t.Context(), id, hearth.Stdout)
		if err != nil {
			t.Fatal(err)
		}
		defer written.Close()
		if soFar, err := io.ReadAll(written); err != nil || string(soFar) != "one\n" {
			t.Errorf("so far it has %q, %v", soFar, err)
		}
		if err := os.WriteFile(b.path("one", "work", "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(r); err != nil || string(rest) != "two\n" {
			t.Errorf("it goes on with %q, %v", rest, err)
		}
		if rest, err := io.ReadAll(written); err != nil || len(rest) > 0 {
			t.Errorf("what was written by then goes on with %q, %v", rest, err)
		}
		story.await(hearth.CalculationEnded)
	})
	t.Run("need not be waited for", func(t *testing.T) {
		id := b.execute(d, "while True: time.sleep(.01)")
		ctx, cancel := context.WithCancel(t.Context())
		byContext, err := d.Output(ctx, id, hearth.Stdout, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer byContext.Close()
		byClose, err := d.Output(t.Context(), id, hearth.Stderr, 0)
		if err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		reading.Go(func() {
			if _, err := io.ReadAll(byContext); !errors.Is(err, context.Canceled) {
				t.Errorf("the context's end gives %v", err)
			}
		})
		reading.Go(func() {
			if _, err := io.ReadAll(byClose); !errors.Is(err, os.ErrClosed) {
				t.Errorf("closing gives %v", err)
			}
		})
		cancel()
		if err := byClose.Close(); err != nil {
			t.Error(err)
		}
		reading.Wait()
		if err := d.Cancel(t.Context(), id); err != nil {
			t.Error(err)
		}
		story.await(hearth.CalculationEnded)
	})
	t.Run("of 50 MB is there to the byte, though a client does not read", func(t *testing.T) {
		id := hearth.NewID(time.Now())
		lazy := dial(t, b, "one", func(hello *shim.Message) { hello.Calculation = id; hello.From = new(int64) })
		defer lazy.Close()
		if err := d.Execute(t.Context(), id, `import sys, subprocess
line = bytes(range(256)) * 4096
for i in range(25):
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096)"])`); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.CalculationEnded)
		line := bytes.Repeat(sequence(256), 4096)
		want := sha256.New()
		for range 50 {
			want.Write(line)
		}
		got := sha256.New()
		r, err := d.Output(t.Context(), id, hearth.Stdout, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if n, err := io.Copy(got, r); err != nil || n != 50<<20 {
			t.Errorf("it has %d bytes, %v", n, err)
		}
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Error("they are others")
		}
	})
	t.Run("ends with the calculation, though a child holds it open", func(t *testing.T) {
		id, end := b.run(d, story, `import subprocess
p = subprocess.Popen(["sh", "-c", "while :; do echo child; done"])
print("parent", flush=True)`)
		if end.Outcome != hearth.OutcomeOK || !strings.Contains(b.output(d, id, hearth.Stdout), "parent") {
			t.Errorf("it ended with %+v", end)
		}
		b.run(d, story, "p.kill(); p.wait()")
		size := len(b.output(d, id, hearth.Stdout))
		next, _ := b.run(d, story, "print('clean')")
		if got := b.output(d, next, hearth.Stdout); got != "clean\n" {
			t.Errorf("the next one has %q", got)
		}
		if now := len(b.output(d, id, hearth.Stdout)); now != size {
			t.Errorf("it grew from %d to %d bytes after its end", size, now)
		}
	})
}

func TestDriver_LeaksNothing(t *testing.T) {
	b := newBench(t, nil)
	d, story := b.launch(hearth.Launch{SessionID: "one"})
	pid := b.identity("one").PID
	open := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	children := func() int {
		out, _ := exec.Command("pgrep", "--parent", fmt.Sprint(pid)).Output()
		return len(strings.Fields(string(out)))
	}
	b.run(d, story, "import subprocess")
	before := open()
	for range 20 {
		id, _ := b.run(d, story, "subprocess.run(['sh', '-c', 'sleep 0 & setsid sleep 0 &'])")
		b.output(d, id, hearth.Stdout)
	}
	eventually(t, "the shim's descriptors are as many as before", func() bool { return open() <= before })
	eventually(t, "the shim has one child", func() bool { return children() == 1 })
}

func sequence(n int) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = byte(i)
	}
	return s
}
