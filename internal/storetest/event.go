package storetest

import (
	"testing"
	"time"

	"hearth"
)

func (s suite) events(t *testing.T) {
	t.Run("tell a session's life, one for each step", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionCreating))
		other := addSession(t, store, sessionIn(hearth.SessionCreating)) // not in the log of the first
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionCreated, At: after(1 * time.Second), Note: "pid 1"})
		step(t, store, hearth.SessionChange{ID: other.ID, To: hearth.SessionFailed, At: noon})
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: after(2 * time.Second)})
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: after(3 * time.Second), AddDPUMillis: 1})
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionFailed, At: after(4 * time.Second), Reason: "gone"})
		same(t, eventsOf(t, store, session.ID), []hearth.Event{
			{At: noon, SessionID: session.ID, From: "", To: "CREATING"},
			{At: after(1 * time.Second), SessionID: session.ID, From: "CREATING", To: "CREATED", Note: "pid 1"},
			{At: after(2 * time.Second), SessionID: session.ID, From: "CREATED", To: "IDLE"},
			{At: after(3 * time.Second), SessionID: session.ID, From: "IDLE", To: "IDLE"},
			{At: after(4 * time.Second), SessionID: session.ID, From: "IDLE", To: "FAILED", Reason: "gone"},
		})
	})

	t.Run("tell of calculations", func(t *testing.T) {
		store := s.open(t)
		c := addCalculation(t, store, hearth.CalculationCreating)
		stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationRunning, At: after(time.Second)})
		apply(t, store, hearth.Change{
			Session:     &hearth.SessionChange{ID: c.SessionID, To: hearth.SessionIdle, At: after(time.Minute)},
			Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationFailed, At: after(time.Minute), Reason: "NameError", Note: "line 1"},
		})
		var ofSession, ofCalculation []hearth.Event
		for _, e := range eventsOf(t, store, c.SessionID) {
			if e.CalculationID == "" {
				ofSession = append(ofSession, e)
			} else {
				ofCalculation = append(ofCalculation, e)
			}
		}
		same(t, ofSession, []hearth.Event{
			{At: noon, SessionID: c.SessionID, From: "", To: "IDLE"},
			{At: noon, SessionID: c.SessionID, From: "IDLE", To: "BUSY"},
			{At: after(time.Minute), SessionID: c.SessionID, From: "BUSY", To: "IDLE"},
		})
		same(t, ofCalculation, []hearth.Event{
			{At: noon, SessionID: c.SessionID, CalculationID: c.ID, From: "", To: "CREATING"},
			{At: after(time.Second), SessionID: c.SessionID, CalculationID: c.ID, From: "CREATING", To: "RUNNING"},
			{At: after(time.Minute), SessionID: c.SessionID, CalculationID: c.ID, From: "RUNNING", To: "FAILED", Reason: "NameError", Note: "line 1"},
		})
	})

	t.Run("do not tell of a replay", func(t *testing.T) {
		store := s.open(t)
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		var id string
		for range 2 {
			session, _, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, token)
			if err != nil {
				t.Fatal(err)
			}
			id = session.ID
		}
		if events := eventsOf(t, store, id); len(events) != 1 {
			t.Errorf("got %v", events)
		}
	})

	t.Run("of a session that is not there", func(t *testing.T) {
		_, err := s.open(t).Events(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "Session absent is not found.")
	})
}
