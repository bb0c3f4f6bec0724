package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
)

func (s suite) calculations(t *testing.T) {
	t.Run("keeps every member", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		wanted := calculationIn(hearth.CalculationCreating, session.ID)
		wanted.Description = "what it's for"
		wanted.Code = strings.Repeat("# 日本語\n", hearth.MaxCodeLength/6) + "'\"\\"
		wanted.DPUMillis, wanted.Progress, wanted.ExitStatus = 1<<40, "half", 3
		got, created, err := store.CreateCalculation(t.Context(), wanted, nil)
		if !created || err != nil {
			t.Fatalf("created %v, %v", created, err)
		}
		same(t, got, wanted)
		same(t, calculationOf(t, store, wanted.ID), wanted)
	})

	t.Run("says that one is not found", func(t *testing.T) {
		_, err := s.open(t).Calculation(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "Calculation absent is not found.")
	})

	t.Run("takes its session from IDLE to BUSY", func(t *testing.T) {
		store := s.open(t)
		session := sessionIn(hearth.SessionIdle)
		session.StateChangeReason = "why it is IDLE"
		addSession(t, store, session)
		wanted := calculationIn(hearth.CalculationCreating, session.ID)
		wanted.SubmittedAt = after(time.Minute)
		if _, _, err := store.CreateCalculation(t.Context(), wanted, nil); err != nil {
			t.Fatal(err)
		}
		want := session
		want.State, want.StateChangeReason = hearth.SessionBusy, ""
		want.ModifiedAt, want.IdleSince = after(time.Minute), time.Time{}
		same(t, sessionOf(t, store, session.ID), want)
	})

	t.Run("is never submitted before its session's last step", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		wanted := calculationIn(hearth.CalculationCreating, session.ID)
		wanted.SubmittedAt = after(-time.Hour)
		got, _, err := store.CreateCalculation(t.Context(), wanted, nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got.SubmittedAt, session.ModifiedAt)
		same(t, calculationOf(t, store, wanted.ID), got)
		events := eventsOf(t, store, session.ID)
		same(t, events[len(events)-1].At, session.ModifiedAt)
		got = stepCalculation(t, store, hearth.CalculationChange{ID: wanted.ID, To: hearth.CalculationCompleted, At: after(-time.Hour)})
		same(t, got.CompletedAt, session.ModifiedAt)
	})

	for state := range hearth.SessionTransitions {
		if state == hearth.SessionIdle {
			continue
		}
		t.Run("is refused by a session that is "+string(state), func(t *testing.T) {
			store := s.open(t)
			session := addSession(t, store, sessionIn(state))
			wanted := calculationIn(hearth.CalculationCreating, session.ID)
			_, created, err := store.CreateCalculation(t.Context(), wanted, nil)
			refused(t, err, hearth.KindConflict)
			if want := "Session is in the " + string(state) + " state; needs to be IDLE to accept Calculations."; hearth.MessageOf(err) != want || created {
				t.Errorf("created %v, message %q; want %q", created, hearth.MessageOf(err), want)
			}
			same(t, sessionOf(t, store, session.ID), session)
			_, err = store.Calculation(t.Context(), wanted.ID)
			refused(t, err, hearth.KindNotFound)
			if events := eventsOf(t, store, session.ID); len(events) != 1 {
				t.Errorf("a refusal is in the event log: %v", events)
			}
		})
	}

	t.Run("is refused by a session that is not there", func(t *testing.T) {
		_, _, err := s.open(t).CreateCalculation(t.Context(), calculationIn(hearth.CalculationCreating, "absent"), nil)
		refused(t, err, hearth.KindNotFound, "Session absent is not found.")
	})

	t.Run("is refused as by a BUSY session while another one has not ended", func(t *testing.T) {
		store := s.open(t)
		c := addCalculation(t, store, hearth.CalculationRunning)
		session := step(t, store, hearth.SessionChange{ID: c.SessionID, To: hearth.SessionIdle, At: noon})
		_, _, err := store.CreateCalculation(t.Context(), calculationIn(hearth.CalculationCreating, c.SessionID), nil)
		refused(t, err, hearth.KindConflict, hearth.NotIdle(hearth.SessionBusy).Message)
		same(t, sessionOf(t, store, c.SessionID), session)
	})

	t.Run("never replaces one", func(t *testing.T) {
		store := s.open(t)
		first := addCalculation(t, store, hearth.CalculationCreating)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		other := calculationIn(hearth.CalculationCreating, session.ID)
		other.ID = first.ID
		if _, _, err := store.CreateCalculation(t.Context(), other, nil); err == nil {
			t.Error("an id was given twice")
		}
		same(t, calculationOf(t, store, first.ID), first)
		same(t, sessionOf(t, store, session.ID), session)
	})
}

// history runs calculations one after another in a session of its own. It
// gives them newest first.
func history(t *testing.T, store hearth.Store, n int) (sessionID string, all []hearth.Calculation) {
	t.Helper()
	ends := []hearth.CalculationState{hearth.CalculationCompleted, hearth.CalculationFailed, hearth.CalculationCompleted, hearth.CalculationCanceled}
	session := addSession(t, store, sessionIn(hearth.SessionIdle))
	for i := range n {
		all = append(all, runOne(t, store, session.ID, ends[i%len(ends)]))
	}
	slices.Reverse(all)
	return session.ID, all
}

func runOne(t *testing.T, store hearth.Store, sessionID string, end hearth.CalculationState) hearth.Calculation {
	t.Helper()
	c, _, err := store.CreateCalculation(t.Context(), calculationIn(hearth.CalculationCreating, sessionID), nil)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, store, hearth.Change{
		Session:     &hearth.SessionChange{ID: sessionID, To: hearth.SessionIdle, At: noon},
		Calculation: &hearth.CalculationChange{ID: c.ID, To: end, At: noon},
	})
	return calculationOf(t, store, c.ID)
}

func (s suite) calculationListing(t *testing.T) {
	t.Run("lists a session's newest first by every filter and page size", func(t *testing.T) {
		store := s.open(t)
		history(t, store, 3)
		id, all := history(t, store, 9)
		history(t, store, 3)
		for _, state := range []hearth.CalculationState{"", hearth.CalculationCompleted, hearth.CalculationCanceled, hearth.CalculationRunning} {
			var want []hearth.Calculation
			for _, c := range all {
				if state == "" || c.State == state {
					want = append(want, c)
				}
			}
			for _, limit := range []int{1, 2, 4, 9, 100} {
				got := listed(t, limit, func(p hearth.Page) ([]hearth.Calculation, hearth.Cursor, error) {
					return store.Calculations(t.Context(), hearth.CalculationFilter{SessionID: id, State: state}, p)
				}, nothing)
				same(t, got, want)
			}
		}
	})

	t.Run("no page shifts while calculations are added", func(t *testing.T) {
		store := s.open(t)
		id, all := history(t, store, 7)
		got := listed(t, 2, func(p hearth.Page) ([]hearth.Calculation, hearth.Cursor, error) {
			return store.Calculations(t.Context(), hearth.CalculationFilter{SessionID: id}, p)
		}, func() { runOne(t, store, id, hearth.CalculationCompleted) })
		same(t, got, all)
	})

	t.Run("lists nothing of a session that has none, or is not there", func(t *testing.T) {
		store := s.open(t)
		history(t, store, 1)
		for _, id := range []string{addSession(t, store, sessionIn(hearth.SessionIdle)).ID, "absent", ""} {
			got, next, err := store.Calculations(t.Context(), hearth.CalculationFilter{SessionID: id}, hearth.Page{Limit: 10})
			if len(got) != 0 || next != "" || err != nil {
				t.Errorf("of %q: got %v, %q, %v", id, got, next, err)
			}
		}
	})

	t.Run("a cursor is for its session and filter only", func(t *testing.T) {
		store := s.open(t)
		id, _ := history(t, store, 3)
		other, _ := history(t, store, 3)
		bound(t, store.Calculations,
			hearth.CalculationFilter{SessionID: id}, hearth.CalculationFilter{SessionID: id, State: hearth.CalculationCompleted},
			hearth.CalculationFilter{SessionID: other}, hearth.CalculationFilter{SessionID: other, State: hearth.CalculationCompleted})
	})

	t.Run("refuses a malformed cursor", func(t *testing.T) {
		store := s.open(t)
		id, _ := history(t, store, 3)
		_, own, err := store.Calculations(t.Context(), hearth.CalculationFilter{SessionID: id}, hearth.Page{Limit: 1})
		if err != nil || own == "" {
			t.Fatalf("cursor %q, %v", own, err)
		}
		foreign, _ := cursors(t, store)
		for _, cursor := range malformed(own, foreign) {
			_, _, err := store.Calculations(t.Context(), hearth.CalculationFilter{SessionID: id}, hearth.Page{Limit: 10, After: cursor})
			refused(t, err, hearth.KindInvalid, "nextPageToken")
		}
	})
}

func (s suite) liveCalculation(t *testing.T) {
	for state := range hearth.CalculationTransitions {
		if state.Ended() {
			continue
		}
		t.Run("is one that is "+string(state), func(t *testing.T) {
			store := s.open(t)
			want := addCalculation(t, store, state)
			addCalculation(t, store, state) // of another session
			got, err := store.LiveCalculation(t.Context(), want.SessionID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		})
	}

	t.Run("is not there before the first, after the last, and without a session", func(t *testing.T) {
		store := s.open(t)
		idle := addSession(t, store, sessionIn(hearth.SessionIdle)).ID
		ended, _ := history(t, store, 3)
		for _, id := range []string{idle, ended, "absent"} {
			_, err := store.LiveCalculation(t.Context(), id)
			refused(t, err, hearth.KindNotFound, id)
		}
	})

	t.Run("is the last one of several", func(t *testing.T) {
		store := s.open(t)
		id, _ := history(t, store, 3)
		want, _, err := store.CreateCalculation(t.Context(), calculationIn(hearth.CalculationCreating, id), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.LiveCalculation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	})
}
