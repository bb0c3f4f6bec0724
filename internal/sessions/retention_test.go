package sessions_test

import (
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/sessions"
)

// over is a session that printed text in a calculation, has ended, and left a
// log.
func (w *world) over(group, text string) (hearth.Session, hearth.Calculation) {
	w.t.Helper()
	s, d := w.start(hearth.SessionRequest{WorkGroup: group})
	d.happens(hearth.DriverEvent{Type: hearth.DriverReady})
	w.awaitSession(s.ID, hearth.SessionIdle)
	c := w.submit(s.ID)
	d.writes(c.ID, hearth.Stdout, text)
	d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
	w.awaitCalculation(c.ID, hearth.CalculationCompleted)
	w.drivers.logged(s.ID, "log\n")
	d.happens(hearth.DriverEvent{Type: hearth.DriverExited, At: w.clock.now(), Exit: hearth.ExitRequested})
	s = w.awaitSession(s.ID, hearth.SessionTerminated)
	w.drivers.forget(s.ID)
	return s, c
}

func (w *world) sweep() {
	w.t.Helper()
	if err := w.service.Sweep(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestRetention(t *testing.T) {
	kept := func(t *testing.T, w *world, s hearth.Session, want bool) {
		t.Helper()
		if got := len(w.objects.under(s.Configuration.WorkingDirectory)) > 0; got != want {
			t.Errorf("of session %s there is %v", s.ID, w.objects.under(s.Configuration.WorkingDirectory))
		}
	}

	t.Run("nothing is removed unless that is set", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.records = time.Hour })
		s, _ := w.over("", "x")
		w.clock.move(1000 * time.Hour)
		w.sweep()
		kept(t, w, s, true)
	})

	t.Run("results go when they are old, and the record says so", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.results.Age = 10 * time.Hour })
		old, c := w.over("", "x")
		theirs := old.Configuration.WorkingDirectory + "/table/part-0"
		if err := w.objects.Put(t.Context(), hearth.Object{URI: theirs}, strings.NewReader("rows")); err != nil {
			t.Fatal(err)
		}
		w.clock.move(9 * time.Hour)
		young, _ := w.over("", "x")
		w.clock.move(2 * time.Hour)
		live, _ := w.idle()
		running := w.submit(live.ID)
		w.sweep()
		kept(t, w, young, true)
		if left := w.objects.under(old.Configuration.WorkingDirectory); len(left) != 1 || left[0] != theirs {
			t.Errorf("there is %v; want what is not Hearth's and nothing else", left)
		}

		c, err := w.service.Calculation(t.Context(), c.ID)
		if err != nil || c.State != hearth.CalculationCompleted || !strings.Contains(c.StateChangeReason, "removed: keep_results is 10h") {
			t.Errorf("the calculation is %s, %q, %v", c.State, c.StateChangeReason, err)
		}
		events, err := w.service.Events(t.Context(), old.ID)
		if err != nil || !strings.Contains(events[len(events)-1].Note, "keep_results") {
			t.Errorf("events %+v, %v", events, err)
		}
		_, err = w.service.Output(t.Context(), c.ID, hearth.Stdout, 0)
		refused(t, err, hearth.KindNotFound, "were removed")
		_, err = w.service.Written(t.Context(), c.ID, hearth.Stderr)
		refused(t, err, hearth.KindNotFound, "were removed")
		_, err = w.service.Result(t.Context(), c.ID)
		refused(t, err, hearth.KindNotFound, "keep_results")
		_, err = w.service.Log(t.Context(), old.ID, 0, false)
		refused(t, err, hearth.KindNotFound, "were removed")
		if c, err := w.store.Calculation(t.Context(), running.ID); err != nil || c.StateChangeReason != "" {
			t.Errorf("the calculation that runs has the reason %q, %v", c.StateChangeReason, err)
		}
	})

	t.Run("the oldest go when all are too large", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.results.Size = 2500 })
		var all []hearth.Session
		for range 4 {
			s, _ := w.over("", strings.Repeat("x", 1000))
			all = append(all, s)
			w.clock.move(time.Hour)
		}
		w.sweep()
		for i, want := range []bool{false, false, true, true} {
			kept(t, w, all[i], want)
		}
		w.sweep()
		kept(t, w, all[2], true)
	})

	t.Run("there is time to read what is too large", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.results.Size = 500 })
		s, _ := w.over("", strings.Repeat("x", 1000))
		w.clock.move(59 * time.Minute)
		w.sweep()
		kept(t, w, s, true)
		w.clock.move(2 * time.Minute)
		w.sweep()
		kept(t, w, s, false)
	})

	t.Run("results in a store of somebody else stay", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.results = sessions.Retention{Age: time.Hour, Size: 1} })
		w.group("lake", func(s *hearth.WorkGroupSettings) { s.OutputLocation = "s3://lake/" })
		s, c := w.over("lake", "x")
		w.clock.move(2 * time.Hour)
		w.sweep()
		kept(t, w, s, true)
		if c, err := w.store.Calculation(t.Context(), c.ID); err != nil || c.StateChangeReason != "" {
			t.Errorf("reason %q, %v", c.StateChangeReason, err)
		}
	})

	t.Run("with a size, results go with their record", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.results.Size, w.records = 1<<40, time.Hour })
		s, _ := w.over("", "x")
		w.clock.move(2 * time.Hour)
		w.sweep()
		kept(t, w, s, false)
		_, err := w.store.Session(t.Context(), s.ID)
		refused(t, err, hearth.KindNotFound, s.ID)
	})

	t.Run("no record goes before its results, and others need not wait for that", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.results.Age, w.records = time.Hour, time.Hour })
		first, _ := w.over("", "x")
		w.clock.move(time.Minute)
		stuck, _ := w.over("", "x")
		w.clock.move(time.Minute)
		last, _ := w.over("", "x")
		w.clock.move(2 * time.Hour)
		w.objects.setStuck(stuck.Configuration.WorkingDirectory)
		w.sweep()
		kept(t, w, first, false)
		kept(t, w, stuck, true)
		kept(t, w, last, false)
		for _, s := range []hearth.Session{stuck, last} {
			if _, err := w.store.Session(t.Context(), s.ID); err != nil {
				t.Error(err)
			}
		}
		_, err := w.store.Session(t.Context(), first.ID)
		refused(t, err, hearth.KindNotFound, first.ID)
		w.objects.setStuck("")
		w.sweep()
		kept(t, w, stuck, false)
		_, err = w.store.Session(t.Context(), stuck.ID)
		refused(t, err, hearth.KindNotFound, stuck.ID)
	})
}
