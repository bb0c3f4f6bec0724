package sessions

import (
	"context"
	"slices"

	"hearth"
	"hearth/internal/faultpoint"
)

// awaitTurn returns new facts when the session does not have to wait any
// longer: its turn has come, its end was asked for, or it can never start
// because quotas were lowered since it began to wait.
func (s *Service) awaitTurn(ctx context.Context, f facts, p *pursuit) (facts, error) {
	for f.session.Waiting && !f.session.EndRequested && s.quotas.Check(f.session.Claim()) == nil {
		select {
		case <-p.woken:
		case <-ctx.Done():
			return facts{}, ctx.Err()
		}
		var err error
		if f, err = s.facts(ctx, f.session.ID); err != nil {
			return facts{}, err
		}
	}
	return f, nil
}

// admit records whose turn has come, and wakes their pursuits to launch them.
func (s *Service) admit(ctx context.Context) error {
	s.mu.Lock()
	ending := s.ending
	s.mu.Unlock()
	if ending {
		return nil
	}
	ids, err := s.store.AdmitSessions(ctx, s.quotas, s.now())
	for _, id := range ids {
		faultpoint.At("turn", "recorded")
		s.changes.tell(id)
		s.wake(id)
	}
	return err
}

// place gives sessions that wait the reason of this moment, which what others
// do changes without a step of theirs.
func (s *Service) place(ctx context.Context, sessions []hearth.Session) error {
	if !slices.ContainsFunc(sessions, waits) {
		return nil
	}
	live, err := s.store.Claims(ctx)
	if err != nil {
		return err
	}
	for i := range sessions {
		if waits(sessions[i]) {
			sessions[i].StateChangeReason = s.quotas.Waiting(live, sessions[i].ID) // "" when its turn came meanwhile
		}
	}
	return nil
}

// placed is place for one session, got with err.
func (s *Service) placed(ctx context.Context, session hearth.Session, err error) (hearth.Session, error) {
	if err != nil || !waits(session) {
		return session, err
	}
	sessions := []hearth.Session{session}
	err = s.place(ctx, sessions)
	return sessions[0], err
}

func waits(session hearth.Session) bool {
	return session.Waiting && session.State == hearth.SessionCreating
}
