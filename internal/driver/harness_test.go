package driver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
	"hearth/internal/testenv"
)

// The test binary is also the shim, and a server that launches a driver and is
// then killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "shim":
			os.Exit(shim.Main(os.Args[2], nil))
		case "launcher":
			launcher(os.Args[2], os.Args[3], os.Args[4])
		}
	}
	goleak.VerifyTestMain(m)
}

// patience is for what never comes: a test that waits that long has failed.
const patience = 60 * time.Second

// light prepares a driver without Spark.
func light(python string) func(context.Context, hearth.Launch, string) (shim.Process, *shim.Process, error) {
	return func(_ context.Context, _ hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
		return shim.Process{
			Argv: []string{python, filepath.Join(bundle, shim.KernelFile)},
			Env:  []string{"HOME=" + bundle, "PATH=/usr/bin:/bin"},
		}, nil, nil
	}
}

// config is for drivers whose shim is the test binary. The race detector would
// have it end a second late.
func config(dir, python string) driver.Config {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return driver.Config{Dir: dir, Shim: []string{"env", "GORACE=atexit_sleep_ms=0", self, "shim"}, Prepare: light(python)}
}

// bench is a set of drivers for one test.
type bench struct {
	*driver.Drivers
	t   *testing.T
	dir string
}

// newBench makes drivers whose processes are gone when the test ends.
func newBench(t *testing.T, change func(*driver.Config)) *bench {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 20), "drivers") // longer than a socket's path may be
	c := config(dir, testenv.Python(t))
	if change != nil {
		change(&c)
	}
	b := &bench{Drivers: driver.New(c), t: t, dir: dir}
	t.Cleanup(b.endAll)
	return b
}

func (b *bench) endAll() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ids, err := b.Known(ctx)
	if err != nil {
		b.t.Error(err)
	}
	for _, id := range ids {
		if b.t.Failed() {
			log, _ := os.ReadFile(b.path(id, shim.LogFile))
			journal, _ := os.ReadFile(b.path(id, shim.JournalFile))
			b.t.Logf("driver.log:\n%s\njournal:\n%s", log, journal)
		}
		d, adoption, err := b.Recover(ctx, id)
		if err != nil {
			b.t.Error(err, errors.Unwrap(err))
			continue
		}
		if adoption == hearth.Alive {
			if err := d.End(ctx); err != nil {
				b.t.Error(err)
			}
			b.exit(d)
		}
		identity := b.identity(id)
		for _, pid := range []int{identity.KernelPID, identity.JVMPID} {
			if pid != 0 && alive(pid) {
				b.t.Errorf("process %d outlived its driver", pid)
			}
		}
		b.shimEnds(id)
		if _, err := os.Lstat(b.path(id, shim.SocketName)); err == nil && adoption != hearth.Gone {
			b.t.Error("the socket outlived its driver")
		}
	}
}

func (b *bench) path(id string, names ...string) string {
	return filepath.Join(append([]string{b.dir, id}, names...)...)
}

func (b *bench) identity(id string) shim.Identity {
	var identity shim.Identity
	if _, err := shim.Load(b.path(id), shim.IdentityFile, &identity); err != nil {
		b.t.Error(err)
	}
	return identity
}

// shimEnds waits until a shim has let go of its bundle.
func (b *bench) shimEnds(id string) {
	b.t.Helper()
	eventually(b.t, "the shim of "+id+" ends", func() bool {
		locked, err := shim.Locked(b.path(id))
		return err == nil && !locked
	})
}

// launch starts a driver and waits until it is ready.
func (b *bench) launch(l hearth.Launch) (hearth.Driver, *story) {
	b.t.Helper()
	if l.SessionID == "" {
		l.SessionID = hearth.NewID(time.Now())
	}
	d, err := b.Launch(b.t.Context(), l)
	if err != nil {
		b.t.Fatal(err)
	}
	s := b.follow(d, 0)
	s.await(hearth.DriverReady)
	return d, s
}

// run runs code to its end.
func (b *bench) run(d hearth.Driver, s *story, code string) (id string, end hearth.DriverEvent) {
	b.t.Helper()
	id = b.execute(d, code)
	return id, s.await(hearth.CalculationEnded)
}

func (b *bench) execute(d hearth.Driver, code string) (id string) {
	b.t.Helper()
	id = hearth.NewID(time.Now())
	if err := d.Execute(b.t.Context(), id, code); err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) output(d hearth.Driver, id string, stream hearth.Stream) string {
	b.t.Helper()
	r, err := d.Output(b.t.Context(), id, stream, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		b.t.Error(err)
	}
	if err := r.Close(); err != nil {
		b.t.Error(err)
	}
	return string(text)
}

// says waits until a calculation that runs has written text first.
func (b *bench) says(d hearth.Driver, id, text string) {
	b.t.Helper()
	r, err := d.Output(b.t.Context(), id, hearth.Stdout, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Close()
	first := make([]byte, len(text))
	if _, err := io.ReadFull(r, first); err != nil || string(first) != text {
		b.t.Fatalf("it says %q (%v), not %q", first, err, text)
	}
}

// exit waits for the driver's end.
func (b *bench) exit(d hearth.Driver) hearth.DriverEvent {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var last hearth.DriverEvent
	if err := d.Follow(ctx, 0, func(e hearth.DriverEvent) error { last = e; return nil }); err != nil {
		b.t.Error(err)
	}
	return last
}

// story is what a driver's journal tells, as it comes.
type story struct {
	t      *testing.T
	events chan hearth.DriverEvent
	err    error  // valid when events is closed
	leave  func() // as a server does that is killed

	all []hearth.DriverEvent
}

func (b *bench) follow(d hearth.Driver, offset int64) *story {
	s := &story{t: b.t, events: make(chan hearth.DriverEvent)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.events)
		s.err = d.Follow(ctx, offset, func(e hearth.DriverEvent) error {
			select {
			case s.events <- e:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	s.leave = func() { cancel(); <-done }
	b.t.Cleanup(s.leave)
	return s
}

// await gives the next event of a type; what comes before it is passed over.
func (s *story) await(want hearth.DriverEventType) hearth.DriverEvent {
	s.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, more := <-s.events:
			if !more {
				s.t.Fatalf("the journal ended without %q (%v) after %v", want, s.err, s.all)
			}
			s.all = append(s.all, e)
			if e.Type == want {
				return e
			}
			if e.Type == hearth.DriverExited {
				s.t.Fatalf("the driver exited without %q: %+v", want, e)
			}
		case <-timeout:
			s.t.Fatalf("%q never came after %v", want, s.all)
		}
	}
}

// eventually waits for what nothing tells of.
func eventually(t testing.TB, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !true(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// launcher is a server: it launches a driver, starts a calculation in it, says
// so, and waits to be killed.
func launcher(dir, python, id string) {
	ctx := context.Background()
	d, err := driver.New(config(dir, python)).Launch(ctx, hearth.Launch{SessionID: id})
	if err == nil {
		ready := fmt.Errorf("ready")
		if err = d.Follow(ctx, 0, func(e hearth.DriverEvent) error {
			if e.Type == hearth.DriverReady {
				return ready
			}
			return nil
		}); err == ready {
			err = d.Execute(ctx, "first", "import time\nbefore = 41\nprint('from before', flush=True)\nwhile not __import__('os').path.exists('go'): time.sleep(.01)\nprint('and after')")
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(fmt.Sprint(err))
	select {}
}

func startLauncher(b *bench, id string) *exec.Cmd {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(self, "launcher", b.dir, testenv.Python(b.t), id)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if said, _ := bufio.NewReader(out).ReadString('\n'); said != "\"\\u003cnil\\u003e\"\n" {
		b.t.Fatalf("the launcher said %s", said)
	}
	return cmd
}

func journalOf(b *bench, id string) []shim.Event {
	b.t.Helper()
	f, err := os.Open(b.path(id, shim.JournalFile))
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	var all []shim.Event
	if _, err := shim.ReadJournal(f, 0, func(e shim.Event, _ int64) error { all = append(all, e); return nil }); err != nil {
		b.t.Error(err)
	}
	return all
}

func typesOf(events []shim.Event) []string {
	var types []string
	for _, e := range events {
		types = append(types, e.Type)
	}
	return slices.Compact(types)
}

// inSession lists the processes of a session that run.
func inSession(t testing.TB, id int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has gone
		}
		var pid, parent, group, session int
		var state string
		_, rest, _ := strings.Cut(string(stat[strings.LastIndex(string(stat), ")"):]), " ")
		if _, err := fmt.Sscan(rest, &state, &parent, &group, &session); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscan(string(stat), &pid)
		if session == id && state != "Z" {
			found = append(found, pid)
		}
	}
	return found
}
