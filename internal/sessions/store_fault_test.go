package sessions_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
)

// failing is a store that can be down: what is asked of it is refused, as by a
// database that another process has locked, or whose disk is full. What it does
// not have here goes on.
type failing struct {
	hearth.Store
	down    atomic.Bool
	refused chan struct{} // has a token after each refusal
}

func newFailing(store hearth.Store) *failing {
	return &failing{Store: store, refused: make(chan struct{}, 1000)}
}

func (f *failing) refuse() error {
	if !f.down.Load() {
		return nil
	}
	f.refused <- struct{}{}
	return hearth.Errorf(hearth.KindUnavailable, "The server's database is locked by another process. Stop that process, and try again.")
}

func (f *failing) Session(ctx context.Context, id string) (hearth.Session, error) {
	if err := f.refuse(); err != nil {
		return hearth.Session{}, err
	}
	return f.Store.Session(ctx, id)
}

func (f *failing) LiveCalculation(ctx context.Context, id string) (hearth.Calculation, error) {
	if err := f.refuse(); err != nil {
		return hearth.Calculation{}, err
	}
	return f.Store.LiveCalculation(ctx, id)
}

func (f *failing) LiveSessions(ctx context.Context) ([]hearth.Session, error) {
	if err := f.refuse(); err != nil {
		return nil, err
	}
	return f.Store.LiveSessions(ctx)
}

func (f *failing) CreateSession(ctx context.Context, session hearth.Session, quotas hearth.Quotas, token *hearth.Token) (hearth.Session, bool, error) {
	if err := f.refuse(); err != nil {
		return hearth.Session{}, false, err
	}
	return f.Store.CreateSession(ctx, session, quotas, token)
}

func (f *failing) CreateCalculation(ctx context.Context, c hearth.Calculation, token *hearth.Token) (hearth.Calculation, bool, error) {
	if err := f.refuse(); err != nil {
		return hearth.Calculation{}, false, err
	}
	return f.Store.CreateCalculation(ctx, c, token)
}

func (f *failing) Apply(ctx context.Context, change hearth.Change) error {
	if err := f.refuse(); err != nil {
		return err
	}
	return f.Store.Apply(ctx, change)
}

// A store that is away takes nothing with it: what ran goes on, and is recorded
// as it was when the store is back.
func TestStoreDown(t *testing.T) {
	faulty := func(t *testing.T) (*world, *failing) {
		w := newWorld(t)
		store := newFailing(w.store)
		w.store = store
		w.restart()
		return w, store
	}
	t.Run("a running calculation waits for it and ends as it did", func(t *testing.T) {
		w, store := faulty(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		store.down.Store(true)
		d.writes(c.ID, hearth.Stdout, "said meanwhile")
		ended := time.Now().UTC().Truncate(time.Microsecond)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK, At: ended})
		for range 3 { // it is tried again and again
			<-store.refused
		}
		_, err := w.service.Session(t.Context(), s.ID)
		refused(t, err, hearth.KindUnavailable, "locked by another process")
		store.down.Store(false)
		c = w.awaitCalculation(c.ID, hearth.CalculationCompleted)
		if !c.CompletedAt.Equal(ended) {
			t.Errorf("it ended at %v, and is told to have at %v", ended, c.CompletedAt)
		}
		if got := w.objects.text(c.StdoutURI()); got != "said meanwhile" {
			t.Errorf("stdout %q", got)
		}
		w.awaitSession(s.ID, hearth.SessionIdle)
	})
	t.Run("what was refused meanwhile can be asked again with its token", func(t *testing.T) {
		w, store := faulty(t)
		s, d := w.idle()
		store.down.Store(true)
		request := hearth.CalculationRequest{SessionID: s.ID, Code: "1", Token: "token"}
		_, err := w.service.Submit(t.Context(), "KEY", request)
		refused(t, err, hearth.KindUnavailable, "locked")
		store.down.Store(false)
		c, err := w.service.Submit(t.Context(), "KEY", request)
		if err != nil {
			t.Fatal(err)
		}
		w.told(d, "execute "+c.ID)
	})
	t.Run("a request that was acknowledged before is carried out after", func(t *testing.T) {
		w, store := faulty(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		if _, err := w.service.Cancel(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
		store.down.Store(true)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeCanceled})
		<-store.refused
		store.down.Store(false)
		w.awaitCalculation(c.ID, hearth.CalculationCanceled)
	})
	t.Run("a server does not start without it", func(t *testing.T) {
		w, store := faulty(t)
		w.service.Close()
		w.open()
		store.down.Store(true)
		refused(t, w.service.Resume(t.Context()), hearth.KindUnavailable, "locked by another process")
	})
	t.Run("a server that leaves meanwhile leaves all to the next", func(t *testing.T) {
		w, store := faulty(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		store.down.Store(true)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		<-store.refused
		w.service.Close()
		store.down.Store(false)
		w.restart()
		w.awaitCalculation(c.ID, hearth.CalculationCompleted)
	})
}
