package sessions_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"hearth"
)

// atATime has so many sessions start at once.
func atATime(n int) func(*world) {
	return func(w *world) { w.starts = n }
}

// also has another workgroup.
func (w *world) also(name string) {
	w.t.Helper()
	group := hearth.WorkGroup{Name: name, Enabled: true, Engine: version(hearth.EnginePySpark3), WorkGroupSettings: settings}
	if err := w.service.EnsureWorkGroup(w.t.Context(), group); err != nil {
		w.t.Fatal(err)
	}
}

// line starts a session that waits for the starts of others.
func (w *world) line(group string) hearth.Session {
	w.t.Helper()
	s, err := w.service.Start(w.t.Context(), "KEY", hearth.SessionRequest{WorkGroup: group})
	if err != nil || s.State != hearth.SessionCreating || !strings.HasPrefix(s.StateChangeReason, "Waiting: position ") || s.Waiting {
		w.t.Fatalf("session is %s (%s), %v", s.State, s.StateChangeReason, err)
	}
	return s
}

// next is the driver of the session that starts next, which it has to be.
func (w *world) next(id string) *driver {
	w.t.Helper()
	d := <-w.drivers.launched
	if d.launch.SessionID != id {
		w.t.Fatalf("launched %s, want %s", d.launch.SessionID, id)
	}
	w.awaitSession(id, hearth.SessionCreated)
	if n := len(w.drivers.launched); n > 0 {
		w.t.Fatalf("%d others were launched beside it", n)
	}
	return d
}

func (d *driver) ready() { d.happens(hearth.DriverEvent{Type: hearth.DriverReady}) }

func TestStarts(t *testing.T) {
	t.Run("so many start at once, and each that is ready lets another one start", func(t *testing.T) {
		w := newWorld(t, atATime(2))
		_, first := w.start(hearth.SessionRequest{})
		_, second := w.start(hearth.SessionRequest{})
		third, fourth := w.line("primary"), w.line("primary")
		w.waits(third.ID, "Waiting: position 1 of 2 for a start. Sessions start 2 at a time.")
		w.waits(fourth.ID, "position 2 of 2")
		if figures, err := w.service.Figures(t.Context()); err != nil || figures.Waiting != 2 || figures.Sessions[hearth.SessionCreating] != 2 {
			t.Errorf("figures %+v, %v", figures, err)
		}
		second.ready()
		w.next(third.ID)
		w.waits(fourth.ID, "position 1 of 1")
		first.ready()
		d := w.next(fourth.ID)
		if s := w.awaitSession(fourth.ID, hearth.SessionCreated); s.StateChangeReason != "" {
			t.Errorf("one that starts says %q", s.StateChangeReason)
		}
		d.ready()
		w.awaitSession(fourth.ID, hearth.SessionIdle)
	})
	t.Run("a workgroup with many does not hold up another's one", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		w.also("etl")
		_, d := w.start(hearth.SessionRequest{})
		second, third := w.line("primary"), w.line("primary")
		other := w.line("etl")
		for _, s := range []hearth.Session{second, other, third} {
			d.ready()
			d = w.next(s.ID)
		}
	})
	t.Run("one that fails lets another one start", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		first, d := w.start(hearth.SessionRequest{})
		second := w.line("primary")
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "killed"})
		w.next(second.ID)
		w.awaitSession(first.ID, hearth.SessionFailed)
	})
	t.Run("one that ends lets another one start, though its end cannot be recorded yet", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		first, d := w.start(hearth.SessionRequest{})
		second := w.line("primary")
		w.drivers.logged(first.ID, "its log")
		w.objects.setDown(true)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "killed"})
		<-w.objects.denied
		w.next(second.ID)
		if s, err := w.service.Session(t.Context(), first.ID); err != nil || s.State != hearth.SessionCreated {
			t.Errorf("the first is %s, %v", s.State, err)
		}
	})
	t.Run("those whose drivers cannot be launched hold up nobody", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		_, d := w.start(hearth.SessionRequest{})
		ids := []string{w.line("primary").ID, w.line("primary").ID}
		w.drivers.refuse(errors.New("no engine"))
		d.ready()
		for _, id := range ids {
			w.awaitEnd(id)
		}
	})
	t.Run("one that is asked to end while it waits has ended, without a driver", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		_, d := w.start(hearth.SessionRequest{})
		second, third := w.line("primary"), w.line("primary")
		if _, err := w.service.Terminate(t.Context(), second.ID); err != nil {
			t.Fatal(err)
		}
		if s := w.awaitSession(second.ID, hearth.SessionTerminated); s.StateChangeReason != hearth.ReasonTerminated || s.DPUMillis != 0 {
			t.Errorf("reason %q, %d DPU ms", s.StateChangeReason, s.DPUMillis)
		}
		w.waits(third.ID, "position 1 of 1")
		d.ready()
		w.next(third.ID)
	})
	t.Run("a session that has waited in the queue of its workgroup waits here after that", bubble(func(t *testing.T) {
		w := newWorld(t, atATime(1), under(oneAtATime))
		w.also("etl")
		first, d := w.idle()
		queued := w.join(hearth.SessionRequest{})
		other, otherDriver := w.start(hearth.SessionRequest{WorkGroup: "etl"})
		w.ends(first.ID, d)
		synctest.Wait()
		w.waits(queued.ID, "position 1 of 1 for a start")
		if n := len(w.drivers.launched); n != 0 {
			t.Errorf("%d were launched beside one that starts", n)
		}
		otherDriver.ready()
		w.awaitSession(other.ID, hearth.SessionIdle)
		w.next(queued.ID)
	}))
	t.Run("a driver that waits for sessions is had at once", bubble(func(t *testing.T) {
		w := pooled(t, 1, atATime(1))
		warm := w.waiting()
		w.start(properties(map[string]string{"spark.default.parallelism": "3"}))
		if s := w.begin(hearth.SessionRequest{}); s.ID != warm.launch.SessionID || s.State != hearth.SessionCreated {
			t.Errorf("session %+v", s)
		}
		w.told(warm, "claim primary")
	}))
	t.Run("none has its turn while all are being ended", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		_, d := w.start(hearth.SessionRequest{})
		second, third := w.line("primary"), w.line("primary")
		go func() {
			<-d.told
			d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		}()
		if err := w.service.EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{second.ID, third.ID} {
			w.awaitSession(id, hearth.SessionTerminated)
		}
		if n := len(w.drivers.launched); n != 0 {
			t.Errorf("%d were launched", n)
		}
	})
}

func TestStarts_Resume(t *testing.T) {
	t.Run("those that wait start in their order, after those that start already", func(t *testing.T) {
		w := newWorld(t, atATime(2))
		first, d := w.start(hearth.SessionRequest{})
		_, other := w.start(hearth.SessionRequest{})
		ids := []string{w.line("primary").ID, w.line("primary").ID, w.line("primary").ID}
		w.restart()
		w.waits(ids[0], "position 1 of 3")
		if n := len(w.drivers.launched); n != 0 {
			t.Errorf("%d were launched beside those that start already", n)
		}
		d.ready()
		w.awaitSession(first.ID, hearth.SessionIdle)
		d = w.next(ids[0])
		other.ready()
		w.next(ids[1])
		d.ready()
		w.next(ids[2])
	})
	t.Run("not all start at once when none had", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		w.service.Close() // so that nobody launches
		var ids []string
		for range 10 {
			s, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.ID)
		}
		w.restart()
		for _, id := range ids {
			w.next(id).ready()
		}
	})
	t.Run("one whose driver lives does not wait", func(t *testing.T) {
		w := newWorld(t, atATime(1))
		first, d := w.start(hearth.SessionRequest{})
		second := w.line("primary")
		w.service.Close()
		w.drivers.leave(second.ID)
		w.restart()
		w.awaitSession(second.ID, hearth.SessionCreated)
		d.ready()
		w.awaitSession(first.ID, hearth.SessionIdle)
	})
}

// Of 200 sessions that are asked for at once, two start at a time, those of small
// workgroups among those of a large one, and each is IDLE in the end or was refused;
// that the server is replaced in the middle of it changes nothing.
func TestStarts_Storm(t *testing.T) {
	const atOnce = 2
	large, small, tight := 140, 40, 20
	const room, queue = 5, 5
	w := newWorld(t, atATime(atOnce), under(hearth.Quotas{WorkGroups: map[string]hearth.WorkGroupQuota{
		"tight": {Quota: hearth.Quota{Sessions: room}, Queue: queue},
	}}))
	w.also("small")
	w.also("tight")

	var mu sync.Mutex
	begun, refusals := map[string]hearth.Session{}, 0
	var starting sync.WaitGroup
	for group, n := range map[string]int{"primary": large, "small": small, "tight": tight} {
		for range n {
			starting.Go(func() {
				s, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: group})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					begun[s.ID] = s
				case group == "tight" && hearth.KindOf(err) == hearth.KindTooMany:
					refusals++
				default:
					t.Error(err)
				}
			})
		}
	}
	starting.Wait()
	if want := large + small + room + queue; len(begun) != want || refusals != tight-room-queue {
		t.Fatalf("%d sessions began, want %d, and %d were refused", len(begun), want, refusals)
	}
	said := 0
	for _, s := range begun {
		if s.State == hearth.SessionCreating && strings.HasPrefix(s.StateChangeReason, "Waiting: position ") {
			said++
		}
	}
	if said != len(begun)-atOnce || len(w.drivers.launched) != atOnce {
		t.Errorf("%d of %d said that they wait, and %d were launched", said, len(begun), len(w.drivers.launched))
	}
	w.restart()

	lastSmall := 0
	for i := range len(begun) {
		d := <-w.drivers.launched
		if n := 1 + len(w.drivers.launched); n > atOnce {
			t.Errorf("%d start at once", n)
		}
		d.ready()
		switch begun[d.launch.SessionID].WorkGroup {
		case "small":
			lastSmall = i
		case "tight": // or the others of it would wait for ever
			d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle})
		}
	}
	if most := 3 * (small + atOnce); lastSmall > most {
		t.Errorf("the last of the small workgroup was launched as number %d, after more than %d", lastSmall, most)
	}
	for id, s := range begun {
		want := hearth.SessionIdle
		if s.WorkGroup == "tight" {
			want = hearth.SessionTerminated
		}
		w.awaitSession(id, want)
	}
}
