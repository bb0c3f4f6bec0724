package storetest

import (
	"strings"
	"testing"
	"time"

	"hearth"
)

// pairs calls try with every two states of a table, and whether a step from
// the one to the other is allowed: as the table says, and within a state that
// is not final.
func pairs[S ~string](t *testing.T, table hearth.Transitions[S], try func(t *testing.T, from, to S, allowed bool)) {
	for from := range table {
		for to := range table {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				try(t, from, to, table.Allows(from, to) || from == to && !table.Final(from))
			})
		}
	}
}

func (s suite) sessionSteps(t *testing.T) {
	store := s.open(t)
	pairs(t, hearth.SessionTransitions, func(t *testing.T, from, to hearth.SessionState, allowed bool) {
		before := addSession(t, store, sessionIn(from))
		err := store.Apply(t.Context(), hearth.Change{Session: &hearth.SessionChange{
			ID: before.ID, To: to, At: after(time.Second), Reason: "why", Note: "how",
			Phases: []hearth.StartPhase{{Name: "jvm", Took: 1}}, AddDPUMillis: 7, JournalOffset: 8, EndRequested: true,
		}})
		events := eventsOf(t, store, before.ID)[1:]
		if !allowed {
			refused(t, err, hearth.KindConflict, before.ID, string(from))
			same(t, sessionOf(t, store, before.ID), before)
			same(t, events, []hearth.Event{})
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		want := before
		want.State, want.StateChangeReason, want.ModifiedAt = to, "why", after(time.Second)
		want.Phases = []hearth.StartPhase{{Name: "jvm", Took: 1}}
		want.DPUMillis, want.JournalOffset, want.EndRequested = 7, 8, true
		if to.Ended() {
			want.EndedAt = after(time.Second)
		}
		if from != to {
			want.IdleSince = time.Time{}
			if to == hearth.SessionIdle {
				want.IdleSince = after(time.Second)
			}
		}
		same(t, sessionOf(t, store, before.ID), want)
		same(t, events, []hearth.Event{{
			At: after(time.Second), SessionID: before.ID, From: string(from), To: string(to), Reason: "why", Note: "how",
		}})
	})
}

func (s suite) sessionRecords(t *testing.T) {
	idle := func(t *testing.T) (hearth.Store, hearth.Session) {
		store := s.open(t)
		return store, addSession(t, store, sessionIn(hearth.SessionIdle))
	}

	t.Run("a step of a session that is not there", func(t *testing.T) {
		err := s.open(t).Apply(t.Context(), hearth.Change{Session: &hearth.SessionChange{ID: "absent", To: hearth.SessionIdle, At: noon}})
		refused(t, err, hearth.KindNotFound, "Session absent is not found.")
	})

	t.Run("a step to a state that is not one", func(t *testing.T) {
		store, session := idle(t)
		err := store.Apply(t.Context(), hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: "ASLEEP", At: noon}})
		refused(t, err, hearth.KindConflict)
		same(t, sessionOf(t, store, session.ID), session)
	})

	t.Run("a step changes its session only", func(t *testing.T) {
		store, session := idle(t)
		other := addSession(t, store, sessionIn(hearth.SessionIdle))
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionBusy, At: after(time.Second), AddDPUMillis: 1})
		same(t, sessionOf(t, store, other.ID), other)
	})

	t.Run("a reason is replaced, also by an empty one", func(t *testing.T) {
		store, session := idle(t)
		for _, reason := range []string{"first", "", "third"} {
			if got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: noon, Reason: reason}); got.StateChangeReason != reason {
				t.Errorf("reason %q, want %q", got.StateChangeReason, reason)
			}
		}
	})

	t.Run("a reason is clipped", func(t *testing.T) {
		store, session := idle(t)
		long := strings.Repeat("é", 2*hearth.MaxReasonLength) + "the cause \xff"
		got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionFailed, At: noon, Reason: long})
		same(t, got.StateChangeReason, hearth.ClipReason(long))
		same(t, eventsOf(t, store, session.ID)[1].Reason, hearth.ClipReason(long))
	})

	t.Run("times never go back, though the clock does", func(t *testing.T) {
		store, session := idle(t)
		got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionBusy, At: after(time.Minute)})
		same(t, got.ModifiedAt, after(time.Minute))
		got = step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: after(-time.Hour)})
		same(t, got.ModifiedAt, after(time.Minute))
		same(t, got.IdleSince, after(time.Minute))
		got = step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionFailed, At: after(time.Second)})
		same(t, got.ModifiedAt, after(time.Minute))
		same(t, got.EndedAt, after(time.Minute))
		for _, e := range eventsOf(t, store, session.ID)[1:] {
			same(t, e.At, after(time.Minute))
		}
	})

	t.Run("a calculation of before the session's last step does not take it back", func(t *testing.T) {
		store, session := idle(t)
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: after(time.Minute)})
		wanted := calculationIn(hearth.CalculationCreating, session.ID)
		got, _, err := store.CreateCalculation(t.Context(), wanted, nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got.SubmittedAt, after(time.Minute))
		same(t, sessionOf(t, store, session.ID).ModifiedAt, after(time.Minute))
	})

	t.Run("IdleSince stays while the state does", func(t *testing.T) {
		store, session := idle(t)
		got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: after(time.Minute)})
		same(t, got.IdleSince, noon)
		same(t, got.ModifiedAt, after(time.Minute))
		got = step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionBusy, At: after(time.Minute)})
		same(t, got.IdleSince, time.Time{})
		got = step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: after(time.Hour)})
		same(t, got.IdleSince, after(time.Hour))
	})

	t.Run("DPU milliseconds add up", func(t *testing.T) {
		store, session := idle(t)
		for i, want := range []int64{5, 5, 12} {
			got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: noon, AddDPUMillis: []int64{5, 0, 7}[i]})
			same(t, got.DPUMillis, want)
		}
	})

	t.Run("the journal's offset only grows", func(t *testing.T) {
		store, session := idle(t)
		for i, want := range []int64{100, 100, 100, 1 << 40} {
			got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: noon, JournalOffset: []int64{100, 0, 99, 1 << 40}[i]})
			same(t, got.JournalOffset, want)
		}
	})

	t.Run("a request to end is never taken back", func(t *testing.T) {
		store, session := idle(t)
		for i, want := range []bool{false, true, true} {
			got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: noon, EndRequested: i == 1})
			same(t, got.EndRequested, want)
		}
	})

	t.Run("phases are recorded when there are any", func(t *testing.T) {
		store, session := idle(t)
		phases := []hearth.StartPhase{{Name: "python", Took: 31 * time.Millisecond}}
		for i, want := range [][]hearth.StartPhase{nil, phases, phases, {}} {
			got := step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: noon, Phases: [][]hearth.StartPhase{nil, phases, nil, {}}[i]})
			same(t, got.Phases, want)
		}
	})

	t.Run("a change of nothing is none", func(t *testing.T) {
		store, session := idle(t)
		apply(t, store, hearth.Change{})
		same(t, sessionOf(t, store, session.ID), session)
	})
}

func (s suite) calculationSteps(t *testing.T) {
	store := s.open(t)
	pairs(t, hearth.CalculationTransitions, func(t *testing.T, from, to hearth.CalculationState, allowed bool) {
		before := addCalculation(t, store, from)
		logged := len(eventsOf(t, store, before.SessionID))
		err := store.Apply(t.Context(), hearth.Change{Calculation: &hearth.CalculationChange{
			ID: before.ID, To: to, At: after(time.Second), Reason: "why", Note: "how",
			AddDPUMillis: 7, Progress: "all", ExitStatus: 3,
		}})
		events := eventsOf(t, store, before.SessionID)[logged:]
		if !allowed {
			refused(t, err, hearth.KindConflict, before.ID, string(from))
			same(t, calculationOf(t, store, before.ID), before)
			same(t, events, []hearth.Event{})
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		want := before
		want.State, want.StateChangeReason, want.DPUMillis, want.Progress = to, "why", 7, "all"
		if to.Ended() {
			want.CompletedAt, want.ExitStatus = after(time.Second), 3
		}
		same(t, calculationOf(t, store, before.ID), want)
		same(t, events, []hearth.Event{{
			At: after(time.Second), SessionID: before.SessionID, CalculationID: before.ID,
			From: string(from), To: string(to), Reason: "why", Note: "how",
		}})
	})
}

func (s suite) calculationRecords(t *testing.T) {
	running := func(t *testing.T) (hearth.Store, hearth.Calculation) {
		store := s.open(t)
		return store, addCalculation(t, store, hearth.CalculationRunning)
	}

	t.Run("a step of a calculation that is not there", func(t *testing.T) {
		err := s.open(t).Apply(t.Context(), hearth.Change{Calculation: &hearth.CalculationChange{ID: "absent", To: hearth.CalculationRunning, At: noon}})
		refused(t, err, hearth.KindNotFound, "Calculation absent is not found.")
	})

	t.Run("a step leaves its session alone", func(t *testing.T) {
		store, c := running(t)
		session := sessionOf(t, store, c.SessionID)
		stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCompleted, At: after(time.Second), AddDPUMillis: 5})
		same(t, sessionOf(t, store, c.SessionID), session)
	})

	t.Run("times never go back, though the clock does", func(t *testing.T) {
		store, c := running(t)
		got := stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCompleted, At: after(-time.Hour)})
		same(t, got.CompletedAt, c.SubmittedAt)
	})

	t.Run("times never go back behind a step that is not the last", func(t *testing.T) {
		store, c := running(t)
		stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCanceling, At: after(time.Minute)})
		got := stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCanceled, At: after(time.Second)})
		same(t, got.CompletedAt, after(time.Minute))
	})

	t.Run("DPU milliseconds add up", func(t *testing.T) {
		store, c := running(t)
		stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationRunning, At: noon, AddDPUMillis: 5})
		got := stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCompleted, At: noon, AddDPUMillis: 7})
		same(t, got.DPUMillis, int64(12))
	})

	t.Run("progress stays when none is given", func(t *testing.T) {
		store, c := running(t)
		for i, want := range []string{"half", "half", "all"} {
			got := stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationRunning, At: noon, Progress: []string{"half", "", "all"}[i]})
			same(t, got.Progress, want)
		}
	})

	t.Run("a reason is clipped, and replaced by an empty one", func(t *testing.T) {
		store, c := running(t)
		long := strings.Repeat("é", 2*hearth.MaxReasonLength)
		got := stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCanceling, At: noon, Reason: long})
		same(t, got.StateChangeReason, hearth.ClipReason(long))
		got = stepCalculation(t, store, hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCanceled, At: noon})
		same(t, got.StateChangeReason, "")
	})
}

func (s suite) allOrNothing(t *testing.T) {
	for name, c := range map[string]struct {
		session     hearth.SessionState
		sessionID   string // of the step, when not the calculation's session
		calculation hearth.CalculationState
		id          string // of the step, when not the calculation
		kind        hearth.Kind
	}{
		"the session's step is refused":     {session: hearth.SessionTerminated, calculation: hearth.CalculationCompleted, kind: hearth.KindConflict},
		"the calculation's step is refused": {session: hearth.SessionIdle, calculation: hearth.CalculationCreated, kind: hearth.KindConflict},
		"the session is not there":          {session: hearth.SessionIdle, sessionID: "absent", calculation: hearth.CalculationCompleted, kind: hearth.KindNotFound},
		"the calculation is not there":      {session: hearth.SessionIdle, calculation: hearth.CalculationCompleted, id: "absent", kind: hearth.KindNotFound},
	} {
		t.Run("nothing when "+name, func(t *testing.T) {
			store := s.open(t)
			calculation := addCalculation(t, store, hearth.CalculationRunning)
			session := sessionOf(t, store, calculation.SessionID)
			events := eventsOf(t, store, session.ID)
			change := hearth.Change{
				Session:     &hearth.SessionChange{ID: session.ID, To: c.session, At: after(time.Second), AddDPUMillis: 1},
				Calculation: &hearth.CalculationChange{ID: calculation.ID, To: c.calculation, At: after(time.Second), AddDPUMillis: 1},
			}
			if c.sessionID != "" {
				change.Session.ID = c.sessionID
			}
			if c.id != "" {
				change.Calculation.ID = c.id
			}
			refused(t, store.Apply(t.Context(), change), c.kind)
			same(t, sessionOf(t, store, session.ID), session)
			same(t, calculationOf(t, store, calculation.ID), calculation)
			same(t, eventsOf(t, store, session.ID), events)
		})
	}

	t.Run("nothing when a session would end without its calculation", func(t *testing.T) {
		store := s.open(t)
		c := addCalculation(t, store, hearth.CalculationCreating)
		session, events := sessionOf(t, store, c.SessionID), eventsOf(t, store, c.SessionID)
		end := hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: hearth.SessionFailed, At: after(time.Second)}}
		refused(t, store.Apply(t.Context(), end), hearth.KindConflict, session.ID)
		same(t, sessionOf(t, store, session.ID), session)
		same(t, eventsOf(t, store, session.ID), events)

		end.Calculation = &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationFailed, At: after(time.Second)}
		apply(t, store, end)
		same(t, sessionOf(t, store, session.ID).State, hearth.SessionFailed)
		same(t, calculationOf(t, store, c.ID).State, hearth.CalculationFailed)
	})

	t.Run("all when both are allowed", func(t *testing.T) {
		store := s.open(t)
		c := addCalculation(t, store, hearth.CalculationRunning)
		apply(t, store, hearth.Change{
			Session:     &hearth.SessionChange{ID: c.SessionID, To: hearth.SessionIdle, At: after(time.Second)},
			Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCompleted, At: after(time.Second)},
		})
		same(t, sessionOf(t, store, c.SessionID).State, hearth.SessionIdle)
		same(t, calculationOf(t, store, c.ID).State, hearth.CalculationCompleted)
	})
}
