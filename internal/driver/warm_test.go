package driver_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
)

// warm launches a driver ahead, and waits until it is warm.
func (b *bench) warm(id string) (hearth.Driver, *story) {
	b.t.Helper()
	d, err := b.Launch(b.t.Context(), ahead(id))
	if err != nil {
		b.t.Fatal(err)
	}
	s := b.follow(d, 0)
	s.await(hearth.DriverWarm)
	return d, s
}

func ahead(id string) hearth.Launch {
	return hearth.Launch{SessionID: id, Warm: &hearth.Warm{Key: "key", Age: time.Hour}}
}

// claim is the launch of the session.
func claim(id string) hearth.Launch {
	return hearth.Launch{SessionID: id, WorkGroup: "primary", Engine: hearth.EnginePySpark3, StartedAt: time.Now(), IdleTimeout: time.Hour}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestWarm(t *testing.T) {
	t.Run("a driver that was launched ahead is its session's when that is launched", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.warm("one")
		before := b.identity("one")
		if err := d.Execute(t.Context(), "early", "1"); hearth.KindOf(err) != hearth.KindConflict {
			t.Errorf("code before the claim is answered with %v", err)
		}
		for range 2 { // a server that was restarted does not know whether it told
			if _, err := b.Launch(t.Context(), claim("one")); err != nil {
				t.Fatal(err)
			}
		}
		ready := story.await(hearth.DriverReady)
		var names []string
		for _, p := range ready.Phases {
			if p.Ahead != (p.Name != "claim") {
				t.Errorf("phase %+v", p)
			}
			names = append(names, p.Name)
		}
		if diff := cmp.Diff([]string{"spawn", "python", "claim"}, names); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(before, b.identity("one")); diff != "" {
			t.Error("it is another one", diff)
		}
		id, _ := b.run(d, story, "%status\nimport os\nprint([name for name in os.environ if name.startswith('HEARTH')])")
		if got := b.output(d, id, hearth.Stdout); !strings.Contains(got, "Session ID: one\n") || !strings.Contains(got, "WorkGroup: primary\n") || !strings.HasSuffix(got, "[]\n") {
			t.Errorf("it says %q", got)
		}
		want := []string{"spawned", "phase", "warm", "claimed", "ready", "accepted", "started", "finished"}
		if diff := cmp.Diff(want, typesOf(journalOf(b, "one"))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("one that is claimed while it starts gets ready", func(t *testing.T) {
		b := newBench(t, nil)
		d, err := b.Launch(t.Context(), ahead("one"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Launch(t.Context(), claim("one")); err != nil {
			t.Fatal(err)
		}
		story := b.follow(d, 0)
		story.await(hearth.DriverReady)
		if id, _ := b.run(d, story, "print(1)"); b.output(d, id, hearth.Stdout) != "1\n" {
			t.Error("it does not run code")
		}
	})
	t.Run("what waits for its session is known", func(t *testing.T) {
		b := newBench(t, nil)
		b.warm("one")
		b.launch(hearth.Launch{SessionID: "two"})
		_, story := b.warm("had")
		if _, err := b.Launch(t.Context(), claim("had")); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverReady)
		if warm, err := b.Warm(t.Context(), "one"); err != nil || warm != *ahead("").Warm {
			t.Errorf("it is %+v (%v)", warm, err)
		}
		for _, id := range []string{"two", "three", "had"} {
			if _, err := b.Warm(t.Context(), id); hearth.KindOf(err) != hearth.KindNotFound {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
	t.Run("it ends when it is told to, and by itself when nobody claims it", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.warm("one")
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		if exit := story.await(hearth.DriverExited); exit.Exit != hearth.ExitRequested {
			t.Errorf("it exited with %+v", exit)
		}
		launch := ahead("two")
		launch.Warm.Age = time.Second
		d, err := b.Launch(t.Context(), launch)
		if err != nil {
			t.Fatal(err)
		}
		if exit := b.exit(d); exit.Exit != hearth.ExitAge {
			t.Errorf("it exited with %+v", exit)
		}
	})
	for name, lose := range map[string]func(*testing.T, *bench, hearth.Driver, *story){
		"has ended": func(t *testing.T, b *bench, d hearth.Driver, story *story) {
			if err := d.End(t.Context()); err != nil {
				t.Fatal(err)
			}
			story.await(hearth.DriverExited)
			b.shimEnds("one")
		},
		"is about to end": func(t *testing.T, _ *bench, d hearth.Driver, _ *story) {
			if err := d.End(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"was killed": func(t *testing.T, b *bench, _ hearth.Driver, _ *story) {
			kill(t, b.identity("one").PID)
			b.shimEnds("one")
		},
		"does not answer": func(_ *testing.T, b *bench, _ hearth.Driver, _ *story) { stopShim(b, "one") },
		"has only been intended": func(t *testing.T, b *bench, _ hearth.Driver, _ *story) {
			kill(t, b.identity("one").PID)
			b.shimEnds("one")
			for _, name := range []string{shim.IdentityFile, shim.JournalFile} {
				if err := os.Remove(b.path("one", name)); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run("when one "+name+", its session gets another", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *driver.Config) { c.EndGrace = time.Second })
			d, story := b.warm("one")
			before := b.identity("one")
			lose(t, b, d, story)
			d, again := b.launch(claim("one"))
			if after := b.identity("one"); after.PID == before.PID {
				t.Error("it is the same")
			}
			if id, _ := b.run(d, again, "print(1)"); b.output(d, id, hearth.Stdout) != "1\n" {
				t.Error("it does not run code")
			}
			if alive(before.PID) || alive(before.KernelPID) {
				t.Error("the first is still there")
			}
		})
	}
	for name, lose := range map[string]func(*testing.T, *bench, context.CancelFunc){
		"whose Python dies of its claim": func(t *testing.T, b *bench, _ context.CancelFunc) { kill(t, b.identity("one").KernelPID) },
		"whose Python does not answer":   func(*testing.T, *bench, context.CancelFunc) {},
		"that is lost while the server is restarted": func(t *testing.T, b *bench, restart context.CancelFunc) {
			restart()
			kill(t, b.identity("one").KernelPID)
			b.shimEnds("one")
		},
	} {
		t.Run("one "+name+" is not the session's yet, which gets another", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.warm("one")
			before := b.identity("one")
			if err := syscall.Kill(before.KernelPID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			serving, restart := context.WithCancel(t.Context())
			defer restart()
			launched := make(chan error, 1)
			go func() {
				_, err := b.Launch(serving, claim("one"))
				launched <- err
			}()
			eventually(t, "it is claimed", func() bool { return slices.Contains(typesOf(journalOf(b, "one")), shim.EventClaimed) })
			lose(t, b, restart)
			if err := <-launched; err != nil && serving.Err() == nil {
				t.Fatal(err)
			}
			d, again := b.launch(claim("one"))
			if id, _ := b.run(d, again, "print(1)"); b.output(d, id, hearth.Stdout) != "1\n" {
				t.Error("it does not run code")
			}
			if alive(before.PID) || alive(before.KernelPID) || b.identity("one").PID == before.PID {
				t.Error("it is the same")
			}
		})
	}
	t.Run("whoever follows one that was lost leaves the session's other one alone", func(t *testing.T) {
		b := newBench(t, nil)
		d, _ := b.warm("one")
		told, resume, followed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			followed <- d.Follow(t.Context(), 0, func(e hearth.DriverEvent) error {
				switch e.Type {
				case hearth.DriverWarm:
					close(told)
					<-resume
				case hearth.DriverExited:
					t.Errorf("it is told an exit: %s", e.Reason)
				}
				return nil
			})
		}()
		<-told
		lose := func() {
			kill(t, b.identity("one").PID)
			b.shimEnds("one")
		}
		lose()
		b.launch(claim("one"))
		lose()
		close(resume)
		if err := <-followed; hearth.KindOf(err) != hearth.KindUnavailable {
			t.Error(err)
		}
	})
	t.Run("one that is lost after its claim is its session's loss", func(t *testing.T) {
		b := newBench(t, nil)
		_, story := b.warm("one")
		if _, err := b.Launch(t.Context(), claim("one")); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverReady)
		kill(t, b.identity("one").PID)
		b.shimEnds("one")
		d, err := b.Launch(t.Context(), claim("one"))
		if err != nil {
			t.Fatal(err)
		}
		if exit := b.exit(d); exit.Exit != hearth.ExitFault {
			t.Errorf("it exited with %+v", exit)
		}
	})
}
