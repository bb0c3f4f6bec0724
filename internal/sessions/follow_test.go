package sessions_test

import (
	"testing"

	"hearth"
)

// steps are the states that the event log has of a calculation.
func (w *world) steps(c hearth.Calculation) (states []hearth.CalculationState) {
	w.t.Helper()
	events, err := w.service.Events(w.t.Context(), c.SessionID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.CalculationID == c.ID {
			states = append(states, hearth.CalculationState(e.To))
		}
	}
	return states
}

func TestBeginning(t *testing.T) {
	begun := func(t *testing.T) (*world, *driver, hearth.Calculation) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationStarted, CalculationID: c.ID})
		return w, d, c
	}
	ended := hearth.DriverEvent{Type: hearth.CalculationEnded, Outcome: hearth.OutcomeOK}

	t.Run("code that goes on is shown to run", func(t *testing.T) {
		w, d, c := begun(t)
		w.awaitCalculation(c.ID, hearth.CalculationRunning)
		e := ended
		e.CalculationID = c.ID
		d.happens(e)
		w.awaitCalculation(c.ID, hearth.CalculationCompleted)
		if got := w.steps(c); len(got) != 3 || got[1] != hearth.CalculationRunning {
			t.Errorf("its states were %v", got)
		}
	})

	t.Run("code whose files have no place yet is shown to run", func(t *testing.T) {
		w, d, c := begun(t)
		w.objects.setDown(true)
		e := ended
		e.CalculationID = c.ID
		d.happens(e)
		w.awaitCalculation(c.ID, hearth.CalculationRunning)
		w.objects.setDown(false)
		w.awaitCalculation(c.ID, hearth.CalculationCompleted)
	})

	t.Run("what else happens comes after it", func(t *testing.T) {
		w, d, c := begun(t)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, CalculationID: c.ID, Exit: hearth.ExitFault, Reason: "gone"})
		w.awaitEnd(c.SessionID)
		if got := w.steps(c); len(got) != 3 || got[1] != hearth.CalculationRunning || got[2] != hearth.CalculationFailed {
			t.Errorf("its states were %v", got)
		}
	})

	t.Run("a server that leaves has the next one record it", func(t *testing.T) {
		w, _, c := begun(t)
		w.restart()
		w.awaitCalculation(c.ID, hearth.CalculationRunning)
	})

	t.Run("a refusal of the record is tried again", func(t *testing.T) {
		w := newWorld(t)
		store := newFailing(w.store)
		w.store = store
		w.restart()
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		store.down.Store(true)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationStarted, CalculationID: c.ID})
		<-store.refused
		store.down.Store(false)
		w.awaitCalculation(c.ID, hearth.CalculationRunning)
	})
}
