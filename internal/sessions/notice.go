package sessions

import (
	"context"
	"sync"

	"hearth"
)

// notices tells whoever watches an id that its record has changed.
type notices struct {
	mu      sync.Mutex
	watched map[string]*notice
}

type notice struct {
	changed  chan struct{} // closed at the next change
	watchers int
}

// watch gives a channel that is closed at the id's next change. Whoever reads
// the record after watching misses no change. stop has to be called.
func (n *notices) watch(id string) (changed <-chan struct{}, stop func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watched == nil {
		n.watched = make(map[string]*notice)
	}
	w, ok := n.watched[id]
	if !ok {
		w = &notice{changed: make(chan struct{})}
		n.watched[id] = w
	}
	w.watchers++
	return w.changed, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if w.watchers--; w.watchers == 0 && n.watched[id] == w {
			delete(n.watched, id)
		}
	}
}

func (n *notices) tell(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w, ok := n.watched[id]; ok {
		close(w.changed)
		delete(n.watched, id)
	}
}

// await calls read after each change of the id until read says that there is
// nothing more to wait for, ctx is done, or the server leaves.
func await[T any](ctx context.Context, s *Service, id string, read func() (value T, wait bool, err error)) (T, error) {
	for {
		changed, stop := s.changes.watch(id)
		value, wait, err := read()
		if err == nil && wait {
			select {
			case <-changed:
			case <-ctx.Done():
				wait = false
			case <-s.leaving.Done():
				wait = false
			}
		}
		stop()
		if err != nil || !wait {
			return value, err
		}
	}
}

// AwaitSession waits while the session is in the given state, until ctx is
// done or the server leaves, and returns it as it is then. It returns
// KindNotFound.
func (s *Service) AwaitSession(ctx context.Context, id string, while hearth.SessionState) (hearth.Session, error) {
	session, err := await(ctx, s, id, func() (hearth.Session, bool, error) {
		session, err := s.store.Session(context.WithoutCancel(ctx), id)
		return session, session.State == while && !while.Ended(), err
	})
	return s.withPosition(context.WithoutCancel(ctx), session, err)
}

// AwaitCalculation waits while the calculation is in the given state, until
// ctx is done or the server leaves, and returns it as it is then. It returns
// KindNotFound.
func (s *Service) AwaitCalculation(ctx context.Context, id string, while hearth.CalculationState) (hearth.Calculation, error) {
	return await(ctx, s, id, func() (hearth.Calculation, bool, error) {
		c, err := s.store.Calculation(context.WithoutCancel(ctx), id)
		return c, c.State == while && !while.Ended(), err
	})
}
