package sessions

import (
	"context"

	"hearth"
)

// Pages gives where Spark's own pages of a session are shown: by its driver, and
// when the session has ended from what the driver wrote down. It is asked for each
// page. It returns KindNotFound, also for an ended session that nothing was kept
// of, and KindUnavailable when there are no pages at the moment, for a reason that
// it says.
func (s *Service) Pages(ctx context.Context, sessionID string) (hearth.Endpoint, error) {
	session, err := s.store.Session(ctx, sessionID)
	if err != nil {
		return hearth.Endpoint{}, err
	}
	if session.State.Ended() {
		return s.histories.Show(ctx, session)
	}
	driver := s.driverOf(sessionID)
	if driver == nil {
		return hearth.Endpoint{}, hearth.Errorf(hearth.KindUnavailable, "Session %s is %s: its driver has no pages yet. Look again in a moment.", sessionID, session.State)
	}
	return driver.UI(ctx)
}
