package sessions

import (
	"cmp"
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
		var err error
		if f, err = s.woken(ctx, f, p); err != nil {
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

// enters reports whether quotas let a session start at once, as far as can be told
// before it is on record.
func (s *Service) enters(ctx context.Context, session hearth.Session) bool {
	if !s.quotas.Limit(session.WorkGroup) {
		return true
	}
	live, err := s.store.Claims(ctx)
	if err != nil {
		return false
	}
	waiting, err := s.quotas.Enter(live, session.Claim())
	return err == nil && waiting == ""
}

// withPositions gives sessions that wait the reason of this moment, which what
// others do changes without a step of theirs.
func (s *Service) withPositions(ctx context.Context, sessions []hearth.Session) error {
	for i := range sessions {
		if sessions[i].State == hearth.SessionCreating && !sessions[i].Waiting {
			sessions[i].StateChangeReason = cmp.Or(s.starts.waiting(sessions[i].ID), sessions[i].StateChangeReason)
		}
	}
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

// withPosition is withPositions for one session, got with err.
func (s *Service) withPosition(ctx context.Context, session hearth.Session, err error) (hearth.Session, error) {
	if err != nil || session.State != hearth.SessionCreating {
		return session, err
	}
	sessions := []hearth.Session{session}
	err = s.withPositions(ctx, sessions)
	return sessions[0], err
}

// waits is for quotas.
func waits(session hearth.Session) bool {
	return session.Waiting && session.State == hearth.SessionCreating
}
