package driver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/kernel"
	"hearth/internal/shim"
	"hearth/internal/testenv"
)

func TestDrivers_Recover(t *testing.T) {
	t.Run("alive", func(t *testing.T) {
		b := newBench(t, nil)
		launcher := startLauncher(b, "one")
		before := b.identity("one")
		if err := launcher.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = launcher.Wait() // killed

		d, adoption, err := b.Recover(t.Context(), "one")
		if err != nil || adoption != hearth.Alive {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		story := b.follow(d, 0)
		ready := story.await(hearth.DriverReady)
		started := story.await(hearth.CalculationStarted)
		if err := os.WriteFile(b.path("one", "work", "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		end := story.await(hearth.CalculationEnded)
		if end.Outcome != hearth.OutcomeOK || end.CalculationID != "first" {
			t.Errorf("what ran ended with %+v", end)
		}
		if got := b.output(d, "first", hearth.Stdout); got != "from before\nand after\n" {
			t.Errorf("its output is %q", got)
		}
		id, _ := b.run(d, story, "print(before + 1)")
		if got := b.output(d, id, hearth.Stdout); got != "42\n" {
			t.Errorf("its variables are not there: %q", got)
		}
		if diff := cmp.Diff(before, b.identity("one")); diff != "" {
			t.Error("it is another one", diff)
		}

		again := b.follow(d, ready.Offset)
		if diff := cmp.Diff(started, again.await(hearth.CalculationStarted)); diff != "" {
			t.Error("from an offset on, the journal is another", diff)
		}
		if e := b.follow(d, end.Offset).await(hearth.CalculationStarted); e.CalculationID != id {
			t.Errorf("after the first calculation comes %+v", e)
		}
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverExited)
		want := []string{"spawned", "phase", "ready", "accepted", "started", "finished", "accepted", "started", "finished", "ending", "exited"}
		if diff := cmp.Diff(want, typesOf(journalOf(b, "one"))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("exited while we were away", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id, end := b.run(d, story, "print('kept')")
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.shimEnds("one")
		// As if the shim had been killed just before it was gone.
		for _, left := range []string{shim.SocketName, shim.ExitFile + ".new"} {
			if err := os.WriteFile(b.path("one", left), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := b.Recover(t.Context(), "one"); err != nil {
			t.Error(err)
		}
		for _, left := range []string{shim.SocketName, shim.ExitFile + ".new"} {
			if _, err := os.Lstat(b.path("one", left)); err == nil {
				t.Errorf("%s is left", left)
			}
		}
		for _, missing := range []string{"", shim.ExitFile, shim.JournalFile} {
			if missing == shim.ExitFile { // the journal has it
				if err := os.Rename(b.path("one", missing), b.path("one", "kept.json")); err != nil {
					t.Fatal(err)
				}
			}
			if missing == shim.JournalFile { // exit.json has it, the journal's end is torn
				if err := os.Rename(b.path("one", "kept.json"), b.path("one", shim.ExitFile)); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(b.path("one", missing), end.Offset+10); err != nil {
					t.Fatal(err)
				}
			}
			found, adoption, err := b.Recover(t.Context(), "one")
			if err != nil || adoption != hearth.ExitedAway {
				t.Fatalf("without %q it is found %q, %v", missing, adoption, err)
			}
			rest := b.follow(found, end.Offset)
			if e := rest.await(hearth.DriverExited); e.Exit != hearth.ExitRequested {
				t.Errorf("without %q its exit is %+v", missing, e)
			}
			if got := b.output(found, id, hearth.Stdout); got != "kept\n" {
				t.Errorf("without %q the output is %q", missing, got)
			}
		}
	})
	t.Run("launch never finished", func(t *testing.T) {
		b := newBench(t, nil)
		if d, adoption, err := b.Recover(t.Context(), "one"); d != nil || adoption != hearth.NeverLaunched || err != nil {
			t.Errorf("without a bundle it is found %v %q, %v", d, adoption, err)
		}
		if err := os.MkdirAll(b.path("one"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := shim.Save(b.path("one"), shim.LaunchFile, shim.Launch{Protocol: shim.Protocol, Token: "earlier"}); err != nil {
			t.Fatal(err)
		}
		if d, adoption, err := b.Recover(t.Context(), "one"); d != nil || adoption != hearth.NeverLaunched || err != nil {
			t.Errorf("with the intent it is found %v %q, %v", d, adoption, err)
		}
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		if _, end := b.run(d, story, "1"); end.Outcome != hearth.OutcomeOK {
			t.Errorf("launched now, its code ends with %+v", end)
		}
	})
	t.Run("gone without a trace", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		b.run(d, story, `import os, subprocess
subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: os.setpgid(0, 0))`)
		id := b.execute(d, "import time\nwhile True: time.sleep(.01)")
		started := story.await(hearth.CalculationStarted)
		identity := b.identity("one")
		if err := syscall.Kill(identity.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		b.shimEnds("one")
		found, adoption, err := b.Recover(t.Context(), "one")
		if err != nil || adoption != hearth.Gone {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		if left := inSession(t, identity.PID); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
		e := b.follow(found, started.Offset).await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.CalculationID != id || !strings.Contains(e.Reason, "was killed") {
			t.Errorf("its exit is %+v", e)
		}

		identity.BootID = "another"
		if err := shim.Save(b.path("one"), shim.IdentityFile, identity); err != nil {
			t.Fatal(err)
		}
		e = b.follow(found, started.Offset).await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.CalculationID != id || !strings.Contains(e.Reason, "machine was restarted") {
			t.Errorf("after a restart its exit is %+v", e)
		}
	})
	t.Run("gone with the machine", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id := b.execute(d, "print('text')")
		started := story.await(hearth.CalculationStarted)
		story.await(hearth.CalculationEnded)
		identity := b.identity("one")
		if err := syscall.Kill(identity.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverExited) // and what it left half-written has been removed
		for boot, believed := range map[string]bool{identity.BootID: true, "another": false} {
			identity.BootID = boot
			if err := shim.Save(b.path("one"), shim.IdentityFile, identity); err != nil {
				t.Fatal(err)
			}
			found, _, err := b.Recover(t.Context(), "one")
			if err != nil {
				t.Fatal(err)
			}
			again := b.follow(found, started.Offset)
			again.await(hearth.DriverExited)
			ended := slices.ContainsFunc(again.all, func(e hearth.DriverEvent) bool { return e.Type == hearth.CalculationEnded && e.CalculationID == id })
			if ended != believed {
				t.Errorf("in the boot %q the calculation has ended: %t", boot, ended)
			}
		}
	})
	t.Run("silent", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		_, end := b.run(d, story, "kept = 41")
		stopShim(b, "one")
		found, adoption, err := b.Recover(t.Context(), "one")
		if err != nil || adoption != hearth.Silent {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		again := b.follow(found, end.Offset)
		contShim(b, "one")
		again.await(hearth.DriverResponsive) // an earlier server may have told that it does not
		if _, adoption, err := b.Recover(t.Context(), "one"); err != nil || adoption != hearth.Alive {
			t.Errorf("after that it is found %q, %v", adoption, err)
		}
		if id, _ := b.run(found, again, "print(kept + 1)"); b.output(found, id, hearth.Stdout) != "42\n" {
			t.Error("its variables are not there")
		}
	})
}

// A bundle that every release since the first protocol has to understand.
func TestDrivers_Recover_OldBundle(t *testing.T) {
	const id, calculation = "2bd101bc-1489-47e7-8117-fe1ddb7bc6d3", "4ad101bc-12b8-4a3b-a1d8-1d4b2b61a0f1"
	newBundle := func(t *testing.T) *bench {
		b := &bench{t: t, dir: t.TempDir()}
		b.Drivers = driver.New(driver.Config{Dir: b.dir})
		if err := os.CopyFS(b.path(id), os.DirFS(filepath.Join("testdata", "bundle-1"))); err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Run("that ended", func(t *testing.T) {
		b := newBundle(t)
		d, adoption, err := b.Recover(t.Context(), id)
		if err != nil || adoption != hearth.ExitedAway {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		var got []string
		if err := d.Follow(t.Context(), 0, func(e hearth.DriverEvent) error {
			got = append(got, fmt.Sprint(e.Type, " ", e.CalculationID, " ", e.Outcome, e.Exit, e.Phases, " ", e.Offset))
			return nil
		}); err != nil {
			t.Error(err)
		}
		want := []string{
			"ready  [{spawn 25ms false} {python 383ms false}] 242",
			"started 4ad101bc-12b8-4a3b-a1d8-1d4b2b61a0f1 [] 434",
			"finished 4ad101bc-12b8-4a3b-a1d8-1d4b2b61a0f1 ok[] 591",
			"started c1d101bc-1301-46f1-9c4b-6d2f6f0a7a55 [] 783",
			"finished c1d101bc-1301-46f1-9c4b-6d2f6f0a7a55 error[] 993",
			"exited  requested[] 1156",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got := b.output(d, calculation, hearth.Stdout); got != "kept\n" {
			t.Errorf("stdout is %q", got)
		}
	})
	t.Run("that the power left torn", func(t *testing.T) {
		b := newBundle(t)
		if err := os.Truncate(b.path(id, shim.ExitFile), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(b.path(id, shim.JournalFile), 500); err != nil {
			t.Fatal(err)
		}
		d, adoption, err := b.Recover(t.Context(), id)
		if err != nil || adoption != hearth.Gone {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		if e := b.exit(d); e.Type != hearth.DriverExited || e.CalculationID != calculation || !strings.Contains(e.Reason, "machine was restarted") {
			t.Errorf("it exited with %+v", e)
		}
	})
	t.Run("that the power left with nothing", func(t *testing.T) {
		b := newBundle(t)
		for _, name := range []string{shim.ExitFile, shim.IdentityFile, shim.LaunchFile, shim.JournalFile} {
			if err := os.Truncate(b.path(id, name), 0); err != nil {
				t.Fatal(err)
			}
		}
		if d, adoption, err := b.Recover(t.Context(), id); d != nil || adoption != hearth.NeverLaunched || err != nil {
			t.Errorf("it is found %v %q, %v", d, adoption, err)
		}
	})
}

// A bundle of a driver with Spark, in which a calculation failed and one was
// cancelled.
func TestDrivers_Recover_OldSparkBundle(t *testing.T) {
	const (
		id                  = "47d1020c-1f69-ba17-335a-dc48e0affb89"
		ok, wrong, canceled = "49d1020c-4878-29b7-dd2e-51b58813cd48", "8dd1020c-4c48-3594-66ad-11f2c393e203", "93d1020c-4d59-5560-d5db-fdbda5fda302"
	)
	b := &bench{t: t, dir: t.TempDir()}
	b.Drivers = driver.New(driver.Config{Dir: b.dir})
	if err := os.CopyFS(b.path(id), os.DirFS(filepath.Join("testdata", "bundle-1-spark"))); err != nil {
		t.Fatal(err)
	}
	d, adoption, err := b.Recover(t.Context(), id)
	if err != nil || adoption != hearth.ExitedAway {
		t.Fatalf("it is found %q, %v", adoption, err)
	}
	var got []hearth.DriverEvent
	if err := d.Follow(t.Context(), 0, func(e hearth.DriverEvent) error {
		e.At, e.Offset = time.Time{}, 0
		got = append(got, e)
		return nil
	}); err != nil {
		t.Error(err)
	}
	want := []hearth.DriverEvent{
		{Type: hearth.DriverReady, Phases: []hearth.StartPhase{
			{Name: "spawn", Took: 76 * time.Millisecond},
			{Name: "python", Took: 2303 * time.Millisecond},
			{Name: "jvm", Took: 791 * time.Millisecond},
			{Name: "spark_context", Took: 5049 * time.Millisecond},
			{Name: "first_job", Took: 12747 * time.Millisecond},
		}},
		{Type: hearth.CalculationStarted, CalculationID: ok},
		{Type: hearth.CalculationEnded, CalculationID: ok, Outcome: hearth.OutcomeOK, Ran: 1860 * time.Millisecond, Progress: "100% (3/3 tasks)"},
		{Type: hearth.CalculationStarted, CalculationID: wrong},
		{Type: hearth.CalculationEnded, CalculationID: wrong, Outcome: hearth.OutcomeError, Reason: "ValueError: wrong", ExitStatus: 1, Ran: 11 * time.Millisecond, Progress: "0% (no Spark tasks)"},
		{Type: hearth.CalculationStarted, CalculationID: canceled},
		{Type: hearth.CalculationEnded, CalculationID: canceled, Outcome: hearth.OutcomeCanceled, Reason: "The calculation was canceled.", ExitStatus: 130, Ran: 2897 * time.Millisecond, Progress: "0% (no Spark tasks)"},
		{Type: hearth.DriverExited, Reason: "The driver ended as requested", Exit: hearth.ExitRequested},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := b.output(d, ok, hearth.Stdout); !strings.Contains(got, "|499500|") {
		t.Errorf("stdout is %q", got)
	}
	if got := b.output(d, wrong, hearth.Stderr); !strings.Contains(got, "ValueError: wrong") {
		t.Errorf("stderr is %q", got)
	}
	result, err := d.Result(t.Context(), ok)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	var document shim.Result
	if err := json.NewDecoder(result).Decode(&document); err != nil || document.Status != "ok" || len(document.Outputs) != 1 {
		t.Errorf("the result is %+v, %v", document, err)
	}
}

// A bundle of a driver that was held to a limit of memory, stopped for a while,
// and lost its Python in the middle of a calculation.
func TestDrivers_Recover_OldLimitedBundle(t *testing.T) {
	const (
		id              = "9ed1025c-92dc-4a11-5495-ae4a6ebca95f"
		hungry, ok, cut = "d9d1025c-9345-7f02-d3ce-65088ab66f97", "84d1025c-9348-72bf-8703-6d7790c96189", "c8d1025c-9410-d924-53db-d58285616151"
	)
	newBundle := func(t *testing.T) *bench {
		b := &bench{t: t, dir: t.TempDir()}
		b.Drivers = driver.New(driver.Config{Dir: b.dir})
		if err := os.CopyFS(b.path(id), os.DirFS(filepath.Join("testdata", "bundle-1-limited"))); err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Run("that ended", func(t *testing.T) {
		b := newBundle(t)
		d, adoption, err := b.Recover(t.Context(), id)
		if err != nil || adoption != hearth.ExitedAway {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		var got []hearth.DriverEvent
		if err := d.Follow(t.Context(), 0, func(e hearth.DriverEvent) error {
			e.At, e.Offset = time.Time{}, 0
			got = append(got, e)
			return nil
		}); err != nil {
			t.Error(err)
		}
		want := []hearth.DriverEvent{
			{Type: hearth.DriverReady, Phases: []hearth.StartPhase{{Name: "spawn", Took: 12 * time.Millisecond}, {Name: "python", Took: 195 * time.Millisecond}}},
			{Type: hearth.CalculationStarted, CalculationID: hungry},
			{Type: hearth.CalculationEnded, CalculationID: hungry, Outcome: hearth.OutcomeError, Reason: "MemoryError", ExitStatus: 1, Ran: 3 * time.Millisecond, Progress: "0% (no Spark tasks)"},
			{Type: hearth.CalculationStarted, CalculationID: ok},
			{Type: hearth.CalculationEnded, CalculationID: ok, Outcome: hearth.OutcomeOK, Ran: time.Millisecond, Progress: "100% (no Spark tasks)"},
			{Type: hearth.DriverUnresponsive, Reason: "The driver's Python process has not answered for 300ms"},
			{Type: hearth.DriverResponsive},
			{Type: hearth.CalculationStarted, CalculationID: cut},
			{Type: hearth.DriverExited, CalculationID: cut, Reason: "The driver's Python process was killed by signal 9 (SIGKILL)", Ran: 4 * time.Millisecond, Exit: hearth.ExitFault},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got := b.output(d, ok, hearth.Stdout); got != "from a shell\n" {
			t.Errorf("stdout is %q", got)
		}
		if got := b.output(d, cut, hearth.Stdout); got != "begun\n" {
			t.Errorf("until it was cut off, stdout is %q", got)
		}
		if _, err := d.Result(t.Context(), cut); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("its result: %v", err)
		}
	})
	t.Run("that was launched and never served", func(t *testing.T) {
		b := newBundle(t)
		for _, name := range []string{shim.ExitFile, shim.IdentityFile, shim.JournalFile} {
			if err := os.Remove(b.path(id, name)); err != nil {
				t.Fatal(err)
			}
		}
		if d, adoption, err := b.Recover(t.Context(), id); d != nil || adoption != hearth.NeverLaunched || err != nil {
			t.Errorf("it is found %v %q, %v", d, adoption, err)
		}
	})
	t.Run("that is gone, and its control group with it", func(t *testing.T) {
		b := newBundle(t)
		if err := errors.Join(os.Remove(b.path(id, shim.ExitFile)), os.Truncate(b.path(id, shim.JournalFile), 500)); err != nil {
			t.Fatal(err)
		}
		d, adoption, err := b.Recover(t.Context(), id)
		if err != nil || adoption != hearth.Gone {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		if e := b.exit(d); e.CalculationID != hungry || !strings.Contains(e.Reason, "machine was restarted") {
			t.Errorf("it exited with %+v", e)
		}
	})
}

func TestDrivers_Launch(t *testing.T) {
	t.Run("twice gives one driver", func(t *testing.T) {
		b := newBench(t, nil)
		var launching sync.WaitGroup
		for range 4 {
			launching.Go(func() {
				if _, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"}); err != nil {
					t.Error(err)
				}
			})
		}
		launching.Wait()
		before := b.identity("one")
		other := driver.New(config(b.dir, testenv.Python(t))) // as after a restart
		d, err := other.Launch(t.Context(), hearth.Launch{SessionID: "one"})
		if err != nil {
			t.Fatal(err)
		}
		story := b.follow(d, 0)
		story.await(hearth.DriverReady)
		b.run(d, story, "1")
		if diff := cmp.Diff(before, b.identity("one")); diff != "" {
			t.Error(diff)
		}
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.exit(d)
		b.shimEnds("one")
		d, err = b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
		if err != nil {
			t.Fatal(err)
		}
		if e := b.exit(d); e.Exit != hearth.ExitRequested {
			t.Errorf("launched again after its end, it is not what it was: %+v", e)
		}
	})
	t.Run("gives the driver of a server that was killed, though its shim is late", func(t *testing.T) {
		var b *bench
		b = newBench(t, func(c *driver.Config) {
			c.Prepare = func(ctx context.Context, launch hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
				// Nothing of the other was there when this launch looked for it.
				other := driver.New(config(b.dir, testenv.Python(t)))
				if _, err := other.Launch(ctx, launch); err != nil {
					t.Error(err)
				}
				return light(testenv.Python(t))(ctx, launch, bundle)
			}
		})
		d, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
		if err != nil {
			t.Fatal(err)
		}
		story := b.follow(d, 0)
		story.await(hearth.DriverReady)
		b.run(d, story, "1")
	})
	t.Run("says what the machine lacks", func(t *testing.T) {
		python := testenv.Python(t)
		for name, c := range map[string]struct {
			change func(*driver.Config)
			want   string
		}{
			"the kernel's program": {func(c *driver.Config) { c.Prepare = light("/nonsuch/python") }, "could not be started: /nonsuch/python could not be started: "},
			"the shim's program":   {func(c *driver.Config) { c.Shim = []string{"/nonsuch/hearth", "shim"} }, "/nonsuch/hearth: no such file"},
			"a shim that stays":    {func(c *driver.Config) { c.Shim = []string{python, "-c", "raise SystemExit('no stomach')"} }, "(exit status 1): no stomach"},
			"the directory": {func(c *driver.Config) {
				c.Prepare = func(context.Context, hearth.Launch, string) (shim.Process, *shim.Process, error) {
					return shim.Process{Argv: []string{python}, Dir: "/nonsuch"}, nil, nil
				}
			}, "no such file or directory"},
		} {
			t.Run(name, func(t *testing.T) {
				b := newBench(t, c.change)
				_, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
				if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), c.want) {
					t.Errorf("it says %v", err)
				}
				if _, adoption, err := b.Recover(t.Context(), "one"); err != nil || adoption != hearth.NeverLaunched {
					t.Errorf("it is found %q, %v", adoption, err)
				}
			})
		}
	})
	t.Run("says which file cannot be written, and not where", func(t *testing.T) {
		for _, file := range []string{"ballast", shim.KernelFile} {
			b := newBench(t, nil)
			if err := os.MkdirAll(b.path("one", file, "in the way"), 0o700); err != nil {
				t.Fatal(err)
			}
			_, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
			if message := hearth.MessageOf(err); hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(message, " "+file+": is a directory") || strings.Contains(message, b.dir) {
				t.Errorf("it says %s", message)
			}
		}
	})
	t.Run("without Java when one of two cannot start", func(t *testing.T) {
		b := newBench(t, func(c *driver.Config) {
			c.Prepare = func(context.Context, hearth.Launch, string) (shim.Process, *shim.Process, error) {
				return shim.Process{Argv: []string{"/nonsuch/python"}}, &shim.Process{Argv: []string{"sh", "-c", "echo $$ > pid; sleep 1000"}}, nil
			}
		})
		_, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
		if hearth.KindOf(err) != hearth.KindUnavailable {
			t.Errorf("it says %v", err)
		}
		b.shimEnds("one")
	})
}

func TestDrivers_Remove(t *testing.T) {
	b := newBench(t, nil)
	d, story := b.launch(hearth.Launch{SessionID: "one"})
	if err := b.Remove(t.Context(), "one"); hearth.KindOf(err) != hearth.KindConflict {
		t.Errorf("while it runs: %v", err)
	}
	if err := d.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	story.await(hearth.DriverExited)
	b.shimEnds("one")
	halfRemoved := filepath.Join(b.dir, ".removed-other")
	if err := os.Mkdir(halfRemoved, 0o700); err != nil {
		t.Fatal(err)
	}
	if ids, err := b.Known(t.Context()); err != nil || !cmp.Equal(ids, []string{"one", "other"}) {
		t.Errorf("known are %v, %v", ids, err)
	}
	for range 2 { // the second time there is nothing to do
		if err := b.Remove(t.Context(), "one"); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestShim_RefusesStrangers(t *testing.T) {
	b := newBench(t, nil)
	b.launch(hearth.Launch{SessionID: "one"})
	for name, change := range map[string]func(*shim.Message){
		"another token":    func(m *shim.Message) { m.Token = "guessed" },
		"no token":         func(m *shim.Message) { m.Token = "" },
		"another protocol": func(m *shim.Message) { m.Protocol = shim.Protocol + 1 },
		"no hello":         func(m *shim.Message) { m.Type = shim.MessageRequest },
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, b, "one", change)
			defer conn.Close()
			var answer shim.Message
			frame, err := kernel.ReadFrame(bufio.NewReader(conn))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(frame, &answer); err != nil || answer.Type != shim.MessageRefused || answer.Error == "" {
				t.Errorf("the answer is %s, %v", frame, err)
			}
		})
	}
}

// dial says hello to a shim.
func dial(t *testing.T, b *bench, id string, change func(*shim.Message)) net.Conn {
	t.Helper()
	var launch shim.Launch
	if _, err := shim.Load(b.path(id), shim.LaunchFile, &launch); err != nil {
		t.Fatal(err)
	}
	conn, err := shim.Dial(b.path(id))
	if err != nil {
		t.Fatal(err)
	}
	hello := shim.Message{Type: shim.MessageHello, Protocol: shim.Protocol, Token: launch.Token}
	change(&hello)
	if err := kernel.WriteFrame(conn, hello); err != nil {
		t.Fatal(err)
	}
	return conn
}
