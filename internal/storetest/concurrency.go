package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"hearth"
)

const racers = 8

// race runs do in several goroutines at once and gives what each returned.
func race[T any](do func(racer int) T) []T {
	results := make([]T, racers)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range racers {
		done.Go(func() {
			start.Wait()
			results[i] = do(i)
		})
	}
	start.Done()
	done.Wait()
	return results
}

type outcome struct {
	id      string
	created bool
	err     error
}

func (s suite) concurrency(t *testing.T) {
	t.Run("one of several calculations gets the session", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		won := 0
		for _, o := range race(func(int) outcome {
			c, created, err := store.CreateCalculation(t.Context(), calculationIn(hearth.CalculationCreating, session.ID), nil)
			return outcome{c.ID, created, err}
		}) {
			if o.created {
				won++
				continue
			}
			refused(t, o.err, hearth.KindConflict, hearth.NotIdle(hearth.SessionBusy).Message)
		}
		all, _, err := store.Calculations(t.Context(), hearth.CalculationFilter{SessionID: session.ID}, hearth.Page{Limit: 10})
		if won != 1 || len(all) != 1 || err != nil {
			t.Errorf("%d won and %d are on record, %v", won, len(all), err)
		}
	})

	t.Run("one of several requests with a token creates, and all have the same answer", func(t *testing.T) {
		store := s.open(t)
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		created, ids := 0, map[string]bool{}
		for _, o := range race(func(int) outcome {
			session, created, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, token)
			return outcome{session.ID, created, err}
		}) {
			if o.err != nil {
				t.Error(o.err)
			}
			if o.created {
				created++
			}
			ids[o.id] = true
		}
		if created != 1 || len(ids) != 1 {
			t.Errorf("%d created, %d different answers", created, len(ids))
		}
	})

	t.Run("no more sessions than the quota, and no more that wait than the queue takes", func(t *testing.T) {
		store := s.open(t)
		quotas := quotaOf(3, 2)
		created := 0
		for _, o := range race(func(int) outcome {
			session, created, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), quotas, nil)
			return outcome{session.ID, created, err}
		}) {
			if o.created {
				created++
				continue
			}
			refused(t, o.err, hearth.KindTooMany)
		}
		same(t, []int{created, len(waiting(t, store))}, []int{3 + 2, 2})
	})

	t.Run("each that waits is admitted once", func(t *testing.T) {
		store := s.open(t)
		for range 1 + racers {
			enter(t, store, sessionIn(hearth.SessionCreating), quotaOf(1, racers))
		}
		want := waiting(t, store)
		var got []string
		for _, ids := range race(func(int) []string {
			ids, err := store.AdmitSessions(t.Context(), quotaOf(5, racers), noon)
			if err != nil {
				t.Error(err)
			}
			return ids
		}) {
			got = append(got, ids...)
		}
		same(t, got, want[:4])
		same(t, waiting(t, store), want[4:])
	})

	t.Run("one of several ends holds", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionTerminating))
		ends := []hearth.SessionState{hearth.SessionTerminated, hearth.SessionFailed}
		var winner hearth.SessionState
		for i, err := range race(func(i int) error {
			return store.Apply(t.Context(), hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: ends[i%2], At: noon}})
		}) {
			if err != nil {
				refused(t, err, hearth.KindConflict)
				continue
			}
			if winner != "" {
				t.Error("two ends were recorded")
			}
			winner = ends[i%2]
		}
		same(t, sessionOf(t, store, session.ID).State, winner)
	})

	t.Run("no figure is lost", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		for _, err := range race(func(int) error {
			return store.Apply(t.Context(), hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: noon, AddDPUMillis: 1}})
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		same(t, sessionOf(t, store, session.ID).DPUMillis, int64(racers))
		same(t, len(eventsOf(t, store, session.ID)), 1+racers)
	})

	t.Run("readers see both steps of a change or none", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		reading, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		readers.Go(func() {
			for reading.Err() == nil {
				before, err1 := store.Session(t.Context(), session.ID)
				_, err2 := store.LiveCalculation(t.Context(), session.ID)
				now, err3 := store.Session(t.Context(), session.ID)
				switch {
				case err1 != nil || err3 != nil:
					t.Errorf("Session: %v, %v", err1, err3)
				case err2 != nil && hearth.KindOf(err2) != hearth.KindNotFound:
					t.Errorf("LiveCalculation: %v", err2)
				case before.ModifiedAt.Equal(now.ModifiedAt) && (before.State == hearth.SessionBusy) != (err2 == nil):
					t.Errorf("the session is %s, its calculation: %v", before.State, err2)
				}
			}
		})
		for i := range 50 {
			submitted, ended := after(time.Duration(2*i+1)*time.Second), after(time.Duration(2*i+2)*time.Second)
			c := calculationIn(hearth.CalculationCreating, session.ID)
			c.SubmittedAt = submitted
			_, _, err := store.CreateCalculation(t.Context(), c, nil)
			if err == nil {
				err = store.Apply(t.Context(), hearth.Change{
					Session:     &hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: ended},
					Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCompleted, At: ended},
				})
			}
			if err != nil {
				t.Error(err)
				break
			}
		}
		stop()
		readers.Wait()
	})
}
