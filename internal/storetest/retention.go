package storetest

import (
	"testing"
	"time"

	"hearth"
)

// endedAt records a session that ran a calculation and ended at a time.
func endedAt(t *testing.T, store hearth.Store, at time.Time) (hearth.Session, hearth.Calculation) {
	t.Helper()
	c := addCalculation(t, store, hearth.CalculationRunning)
	apply(t, store, hearth.Change{
		Session:     &hearth.SessionChange{ID: c.SessionID, To: hearth.SessionFailed, At: at},
		Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationFailed, At: at},
	})
	return sessionOf(t, store, c.SessionID), c
}

func deleteEnded(t *testing.T, store hearth.Store, before time.Time, limit, want int) {
	t.Helper()
	n, err := store.DeleteEnded(t.Context(), before, limit)
	if n != want || err != nil {
		t.Fatalf("DeleteEnded removed %d, %v; want %d", n, err, want)
	}
}

func (s suite) deleteEnded(t *testing.T) {
	t.Run("removes what ended before, with all that belongs to it", func(t *testing.T) {
		store := s.open(t)
		old, calculation := endedAt(t, store, after(time.Hour))
		deleteEnded(t, store, after(time.Hour+time.Microsecond), 10, 1)
		_, err := store.Session(t.Context(), old.ID)
		refused(t, err, hearth.KindNotFound)
		_, err = store.Calculation(t.Context(), calculation.ID)
		refused(t, err, hearth.KindNotFound)
		_, err = store.Events(t.Context(), old.ID)
		refused(t, err, hearth.KindNotFound)
		for _, filter := range []hearth.SessionFilter{{}, {WorkGroup: old.WorkGroup}, {State: old.State}} {
			if got, _, err := store.Sessions(t.Context(), filter, hearth.Page{Limit: 10}); err != nil || len(got) > 0 {
				t.Errorf("%+v lists %v, %v", filter, got, err)
			}
		}
	})

	t.Run("leaves what ended then or later, and what goes on", func(t *testing.T) {
		store := s.open(t)
		kept, calculation := endedAt(t, store, after(time.Hour))
		live := addCalculation(t, store, hearth.CalculationRunning)
		idle := addSession(t, store, sessionIn(hearth.SessionIdle))
		events := eventsOf(t, store, kept.ID)
		deleteEnded(t, store, after(time.Hour), 10, 0)
		same(t, sessionOf(t, store, kept.ID), kept)
		same(t, calculationOf(t, store, calculation.ID).State, hearth.CalculationFailed)
		same(t, eventsOf(t, store, kept.ID), events)
		deleteEnded(t, store, after(1000*time.Hour), 10, 1)
		same(t, calculationOf(t, store, live.ID), live)
		same(t, sessionOf(t, store, idle.ID), idle)
	})

	t.Run("removes no more than the limit, the first to end first", func(t *testing.T) {
		store := s.open(t)
		last, _ := endedAt(t, store, after(3*time.Hour))
		endedAt(t, store, after(time.Hour))
		endedAt(t, store, after(2*time.Hour))
		deleteEnded(t, store, after(4*time.Hour), 2, 2)
		same(t, sessionOf(t, store, last.ID), last)
		deleteEnded(t, store, after(4*time.Hour), 2, 1)
		deleteEnded(t, store, after(4*time.Hour), 2, 0)
	})

	t.Run("no page of a listing shifts", func(t *testing.T) {
		store := s.open(t)
		for i := range 4 {
			endedAt(t, store, after(time.Duration(i)*time.Hour))
		}
		newest, next, err := store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		deleteEnded(t, store, after(time.Hour+time.Minute), 10, 2)
		rest, _, err := store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 10, After: next})
		if err != nil || len(rest) != 1 || rest[0].ID == newest[0].ID {
			t.Errorf("after %v comes %v, %v", newest, rest, err)
		}
	})

	t.Run("forgets the tokens, which make something new then", func(t *testing.T) {
		store := s.open(t)
		token := &hearth.Token{Scope: "alice", Value: "1", Digest: "x"}
		session := sessionIn(hearth.SessionFailed)
		if _, _, err := store.CreateSession(t.Context(), session, hearth.Quotas{}, token); err != nil {
			t.Fatal(err)
		}
		deleteEnded(t, store, after(time.Hour), 10, 1)
		again := sessionIn(hearth.SessionIdle)
		got, created, err := store.CreateSession(t.Context(), again, hearth.Quotas{}, token)
		if err != nil || !created || got.ID != again.ID {
			t.Errorf("created %v, %v, %v", created, got.ID, err)
		}
	})

	t.Run("leaves the notebook of a session", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("kept"), "{}")
		session := addSessionOf(t, store, n)
		for _, to := range endings {
			step(t, store, hearth.SessionChange{ID: session.ID, To: to, At: noon})
		}
		deleteEnded(t, store, after(time.Hour), 10, 1)
		if got, _ := notebookOf(t, store, n.ID); got != n {
			t.Errorf("the notebook is %v", got)
		}
		addSessionOf(t, store, n)
	})
}

func (s suite) removedResults(t *testing.T) {
	listed := func(t *testing.T, store hearth.Store, want ...hearth.Session) {
		t.Helper()
		all, err := store.EndedResults(t.Context())
		if err != nil || len(all) != len(want) {
			t.Fatalf("there are %v, %v; want %d", all, err, len(want))
		}
		for i, w := range want {
			same(t, all[i], hearth.EndedResults{SessionID: w.ID, Directory: w.Configuration.WorkingDirectory, EndedAt: w.EndedAt})
		}
	}

	t.Run("are those of ended sessions, the first to end first", func(t *testing.T) {
		store := s.open(t)
		second, _ := endedAt(t, store, after(2*time.Hour))
		first, _ := endedAt(t, store, after(time.Hour))
		addSession(t, store, sessionIn(hearth.SessionIdle))
		listed(t, store, first, second)
	})

	t.Run("are told by the record, once", func(t *testing.T) {
		store := s.open(t)
		session, calculation := endedAt(t, store, after(time.Hour))
		other, _ := endedAt(t, store, after(2*time.Hour))
		before := eventsOf(t, store, session.ID)
		for range 2 {
			if err := store.NoteRemovedResults(t.Context(), session.ID, after(3*time.Hour), "They were old."); err != nil {
				t.Fatal(err)
			}
		}
		listed(t, store, other)
		session.ResultsRemovedAt = after(3 * time.Hour)
		same(t, sessionOf(t, store, session.ID), session)
		same(t, calculationOf(t, store, calculation.ID).StateChangeReason, "They were old.")
		events := eventsOf(t, store, session.ID)
		if len(events) != len(before)+1 {
			t.Fatalf("events %+v", events)
		}
		last := events[len(events)-1]
		same(t, last, hearth.Event{
			At: after(3 * time.Hour), SessionID: session.ID, From: string(session.State), To: string(session.State),
			Reason: session.StateChangeReason, Note: "They were old.",
		})
	})

	t.Run("leave the cause of a failure", func(t *testing.T) {
		store := s.open(t)
		c := addCalculation(t, store, hearth.CalculationRunning)
		apply(t, store, hearth.Change{
			Session:     &hearth.SessionChange{ID: c.SessionID, To: hearth.SessionFailed, At: noon},
			Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationFailed, Reason: "ZeroDivisionError.", At: noon},
		})
		if err := store.NoteRemovedResults(t.Context(), c.SessionID, noon, "They were old."); err != nil {
			t.Fatal(err)
		}
		same(t, calculationOf(t, store, c.ID).StateChangeReason, "ZeroDivisionError. They were old.")
	})

	t.Run("of what goes on, or is not there, are left alone", func(t *testing.T) {
		store := s.open(t)
		live := addCalculation(t, store, hearth.CalculationRunning)
		for _, id := range []string{live.SessionID, hearth.NewID(noon)} {
			if err := store.NoteRemovedResults(t.Context(), id, noon, "They were old."); err != nil {
				t.Error(err)
			}
		}
		same(t, calculationOf(t, store, live.ID), live)
		same(t, sessionOf(t, store, live.SessionID).ResultsRemovedAt, time.Time{})
	})
}
