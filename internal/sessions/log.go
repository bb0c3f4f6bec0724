package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"hearth"
	"hearth/internal/faultpoint"
)

// Log reads the log of a session's driver, from offset on: what there is now
// or, with follow, what comes until the driver has exited. When what the driver
// left is removed, it is read from a copy. It returns KindNotFound for an
// unknown session and for one that has no log, and KindUnavailable when the
// server leaves before there is anything to read.
func (s *Service) Log(ctx context.Context, sessionID string, offset int64, follow bool) (io.ReadCloser, error) {
	log, err := await(ctx, s, sessionID, func() (io.ReadCloser, bool, error) {
		session, err := s.store.Session(ctx, sessionID)
		if err != nil {
			return nil, false, err
		}
		ended := session.State.Ended()
		if follow && session.State == hearth.SessionCreating {
			return nil, true, nil // there may be a log, and nobody yet who knows that it ends
		}
		content, err := s.drivers.Log(ctx, sessionID, offset, follow && !ended)
		switch {
		case hearth.KindOf(err) != hearth.KindNotFound:
			return content, false, err
		case ended:
			content, err = s.copiedLog(ctx, session, offset)
			return content, false, err
		case follow:
			return nil, true, nil
		}
		return nil, false, hearth.Errorf(hearth.KindNotFound, "Session %s has no log yet: its driver has not been launched.", sessionID)
	})
	if err == nil && log == nil {
		err = errLeaving
	}
	return log, err
}

// copiedLog opens a copy of the log of an ended session.
func (s *Service) copiedLog(ctx context.Context, session hearth.Session, offset int64) (io.ReadCloser, error) {
	copies := session.Logs().Copies
	for _, uri := range copies {
		content, err := s.openAt(ctx, uri, offset)
		if !refusedForGood(err) {
			return content, err
		}
	}
	if !session.ResultsRemovedAt.IsZero() {
		return nil, hearth.ResultsGone(session)
	}
	events, err := s.store.Events(ctx, session.ID)
	if err != nil {
		return nil, err
	}
	launched := slices.ContainsFunc(events, func(e hearth.Event) bool {
		return e.CalculationID == "" && e.To == string(hearth.SessionCreated)
	})
	switch {
	case !launched:
		return nil, hearth.Errorf(hearth.KindNotFound, "Session %s has no log: its driver never ran. %s", session.ID, session.StateChangeReason)
	case len(copies) == 0:
		return nil, hearth.Errorf(hearth.KindNotFound, "The log of session %s is gone: its MonitoringConfiguration asked for no copy, and its driver's files are removed.", session.ID)
	}
	return nil, hearth.Errorf(hearth.KindNotFound, "The log of session %s is gone: its driver's files are removed, and there is nothing at %s.", session.ID, strings.Join(copies, " or "))
}

// publishLog copies the log of a driver that has ended to where the decision
// has to have it, encrypted as the session's results are. A place that refuses
// it for good does not hold up the session's end, whose note says so.
func (s *Service) publishLog(ctx context.Context, session hearth.Session, decision step) (step, error) {
	for _, uri := range decision.log {
		content, err := s.drivers.Log(ctx, session.ID, 0, false)
		if hearth.KindOf(err) == hearth.KindNotFound { // the driver never came to write one
			return decision, nil
		}
		if err != nil {
			return decision, fmt.Errorf("read the log of session %s: %w", session.ID, err)
		}
		copied := session.Configuration.Object(uri, "text/plain; charset=utf-8")
		faultpoint.At("log", "to be published")
		err = errors.Join(s.objects.Put(ctx, copied, content), content.Close())
		faultpoint.At("log", "published")
		switch {
		case refusedForGood(err):
			s.log.Error("a session's log has no place", "session", session.ID, "place", uri, "error", err)
			decision = decision.unlogged(uri, hearth.MessageOf(err))
		case err != nil:
			return decision, fmt.Errorf("publish the log of session %s: %w", session.ID, err)
		}
	}
	return decision, nil
}
