package sessions

import (
	"context"
	"sync"
	"time"

	"hearth"
)

// startLimit is how long a start holds up others: as long as a driver may take
// until it is ready. One that takes longer, because an engine is being installed
// for it, goes on beside the others.
const startLimit = 10 * time.Minute

// starts is the gate in front of the drivers' launches. It is in no record: what
// waits here is recorded as CREATING, and lines up again with the next server.
type starts struct {
	mu     sync.Mutex
	gate   gate
	limits map[string]*time.Timer // of those that start
}

func newStarts(bound int) *starts {
	return &starts{gate: gate{bound: bound, starting: make(map[string]bool)}, limits: make(map[string]*time.Timer)}
}

// waiting says where a session stands; "" when it does not wait.
func (s *starts) waiting(sessionID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate.waiting(sessionID)
}

func (s *starts) waits(sessionID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, waits := s.gate.find(sessionID)
	return waits
}

// atGate does something at the gate and wakes those whose turn comes with it.
func (s *Service) atGate(do func(*gate)) {
	s.starts.mu.Lock()
	do(&s.starts.gate)
	turns := s.starts.gate.next()
	s.limitStarts()
	s.starts.mu.Unlock()
	for _, id := range turns {
		s.wake(id)
	}
}

// limitStarts has a limit run for each session that starts. s.starts.mu is held.
func (s *Service) limitStarts() {
	for id, limit := range s.starts.limits {
		if !s.starts.gate.starting[id] {
			limit.Stop()
			delete(s.starts.limits, id)
		}
	}
	for id := range s.starts.gate.starting {
		if s.starts.limits[id] == nil {
			s.starts.limits[id] = time.AfterFunc(startLimit, func() {
				s.log.Warn("a session has been starting for long, and holds up no other one any more", "session", id, "after", startLimit)
				s.leaveGate(id)
			})
		}
	}
}

// lineUp has a session that is to launch its driver wait for its turn, if that has
// not come.
func (s *Service) lineUp(session hearth.Session) {
	s.atGate(func(g *gate) { g.add(session.WorkGroup, arrival{session.ID, session.StartedAt}) })
}

// takePlaces begins with sessions, oldest first, as an earlier server left them: the
// others follow those whose drivers it has launched.
func (s *Service) takePlaces(live []hearth.Session) {
	s.atGate(func(g *gate) {
		for _, session := range live {
			if session.State == hearth.SessionCreated {
				g.enter(session.ID)
			}
		}
	})
	for _, session := range live {
		if session.State == hearth.SessionCreating && !session.Waiting {
			s.lineUp(session)
		}
	}
}

func (s *Service) leaveGate(sessionID string) {
	s.atGate(func(g *gate) { g.leave(sessionID) })
}

// awaitStart returns new facts when the session may launch its driver, or its end
// was asked for. Who is to have a driver that is there already, or can never have
// one, does not wait.
func (s *Service) awaitStart(ctx context.Context, f facts, p *pursuit) (facts, error) {
	if f.session.State != hearth.SessionCreating || f.session.Waiting {
		return f, nil
	}
	s.lineUp(f.session)
	for !f.session.EndRequested && s.starts.waits(f.session.ID) {
		var err error
		if f, err = s.woken(ctx, f, p); err != nil {
			return facts{}, err
		}
	}
	return f, nil
}

// woken waits until somebody wakes the session's pursuit, and reads the facts anew.
func (s *Service) woken(ctx context.Context, f facts, p *pursuit) (facts, error) {
	select {
	case <-p.woken:
		return s.facts(ctx, f.session.ID)
	case <-ctx.Done():
		return facts{}, ctx.Err()
	}
}
