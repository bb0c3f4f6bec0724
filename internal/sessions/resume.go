package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// Resume takes up the sessions that an earlier server left. It returns when
// all are being tended; each finds its driver, or learns of its loss, or waits
// for its turn, by itself. What else drivers have left is looked through beside
// that, and then each hour.
func (s *Service) Resume(ctx context.Context) error {
	live, err := s.store.LiveSessions(ctx)
	if err != nil {
		return err
	}
	s.takePlaces(live)
	for _, session := range live {
		find := s.adopt
		if session.Waiting {
			find = s.launch // there is nothing to adopt
		}
		s.tend(session.ID, find)
	}
	if err := s.admit(ctx); err != nil {
		return err
	}
	if err := s.pool.prepare(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.Err() == nil {
		s.tending.Go(func() {
			s.pool.takeUp(s.leaving) // or the drivers of it would be strays
			s.tending.Go(func() { s.pool.keep(s.leaving) })
			for {
				if err := s.sweep(s.leaving); err != nil && s.leaving.Err() == nil {
					s.log.Error("what drivers left could not be looked through", "error", err)
				}
				if !pause(s.leaving, sweepEvery) {
					return
				}
			}
		})
	}
	return nil
}

// sweepEvery is how often what ended drivers left is looked through.
const sweepEvery = time.Hour

// adopt finds the driver that an earlier server launched. One that was intended
// and never launched is launched when its turn comes, and one that has not been ready is launched
// again, which claims it if it was launched ahead. Any other of which nothing is
// left is lost; if its end was asked for, it has ended.
func (s *Service) adopt(ctx context.Context, f facts, p *pursuit) (hearth.Driver, error) {
	faultpoint.At("driver", "to be found again")
	driver, adoption, err := s.drivers.Recover(ctx, f.session.ID)
	faultpoint.At("driver", "found again")
	if err != nil {
		return nil, err
	}
	s.log.Info("session taken up", "session", f.session.ID, "state", f.session.State, "driver", adoption)
	switch {
	case f.session.State == hearth.SessionCreating && driver == nil:
		return s.launch(ctx, f, p)
	case f.session.State == hearth.SessionCreating, f.session.State == hearth.SessionCreated && driver != nil:
		return s.launchDriver(ctx, f) // it starts already
	case driver != nil:
		return driver, nil
	default:
		return lostDriver{at: f.now}, nil
	}
}

// sweep ends strays, which are drivers whose session is not live on record, and
// removes what drivers of sessions left that ended long enough ago, then results
// that are not kept any more, and then the records of such sessions.
func (s *Service) sweep(ctx context.Context) error {
	ids, err := s.drivers.Known(ctx)
	for _, id := range ids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.sweepOne(ctx, id); err != nil {
			s.log.Warn("what a driver left could not be cleared", "session", id, "error", err)
		}
	}
	now := s.now()
	stuck, discarding := s.discardResults(ctx, now)
	if discarding != nil || s.keepRecords == 0 {
		return errors.Join(err, discarding)
	}
	before := now.Add(-s.keepRecords)
	if !stuck.IsZero() && stuck.Before(before) {
		before = stuck // a record stays with its results, or nobody knew of them any more
	}
	return errors.Join(err, s.deleteRecords(ctx, before))
}

// deletedAtOnce is how many sessions one transaction takes off the record: a
// request waits no longer than for that.
const deletedAtOnce = 20

func (s *Service) deleteRecords(ctx context.Context, before time.Time) error {
	for all := 0; ; {
		faultpoint.At("records", "to be deleted")
		n, err := s.store.DeleteEnded(ctx, before, deletedAtOnce)
		faultpoint.At("records", "deleted")
		all += n
		if err != nil || n < deletedAtOnce {
			if all > 0 {
				s.log.Info("records of ended sessions were deleted", "sessions", all, "ended before", before)
			}
			return err
		}
	}
}

func (s *Service) sweepOne(ctx context.Context, id string) error {
	if s.pool.has(ctx, id) { // which is asked first: one that a session claims meanwhile is on record before
		return nil
	}
	session, err := s.store.Session(ctx, id)
	unknown := hearth.KindOf(err) == hearth.KindNotFound
	if err != nil && !unknown || err == nil && !session.State.Ended() {
		return err
	}
	if !unknown && s.outlived(session, s.keepDrivers, s.keepRecords) {
		faultpoint.At("what a driver left", "to be removed")
		err := s.drivers.Remove(ctx, id)
		faultpoint.At("what a driver left", "removed")
		return err
	}
	driver, adoption, err := s.drivers.Recover(ctx, id)
	if err != nil || adoption != hearth.Alive && adoption != hearth.Silent {
		return err
	}
	s.log.Warn("a driver whose session is not live is told to end", "session", id)
	faultpoint.At("stray", "to be told to end")
	err = driver.End(ctx)
	faultpoint.At("stray", "told to end")
	return err
}

// outlived reports whether one of the times has passed since a session's end. A
// time of 0 never passes.
func (s *Service) outlived(session hearth.Session, times ...time.Duration) bool {
	ended := s.now().Sub(session.EndedAt)
	return slices.ContainsFunc(times, func(keep time.Duration) bool { return keep > 0 && ended > keep })
}

// lostDriver stands for a driver of which nothing is left: its journal is one
// exit.
type lostDriver struct{ at time.Time }

func (lostDriver) Execute(context.Context, string, string) error { return nil }
func (lostDriver) Cancel(context.Context, string) error          { return nil }
func (lostDriver) End(context.Context) error                     { return nil }
func (lostDriver) Connect(context.Context) (hearth.Endpoint, error) {
	return hearth.Endpoint{}, errLost
}
func (lostDriver) UI(context.Context) (hearth.Endpoint, error) { return hearth.Endpoint{}, errLost }

var errLost = hearth.Errorf(hearth.KindUnavailable, "The driver is gone without a trace.")

func (d lostDriver) Follow(_ context.Context, offset int64, handle func(hearth.DriverEvent) error) error {
	return handle(hearth.DriverEvent{
		Type: hearth.DriverExited, At: d.at, Offset: offset, Exit: hearth.ExitFault,
		Reason: "The driver is gone without a trace: the server's data directory has no record of it that can be read, as after a restore from a backup, which has no drivers",
	})
}

func (lostDriver) Output(_ context.Context, id string, _ hearth.Stream, _ int64) (io.ReadCloser, error) {
	return nil, hearth.CalculationNotFound(id)
}

func (lostDriver) Written(_ context.Context, id string, _ hearth.Stream) (io.ReadSeekCloser, error) {
	return nil, hearth.CalculationNotFound(id)
}

func (lostDriver) Result(_ context.Context, id string) (io.ReadCloser, error) {
	return nil, hearth.CalculationNotFound(id)
}

// lostResult is the result document of a calculation whose driver was lost. It
// says what the record will.
func lostResult(end hearth.CalculationChange) io.ReadCloser {
	status := hearth.OutcomeError
	if end.To == hearth.CalculationCanceled {
		status = hearth.OutcomeCanceled
	}
	text, _ := json.Marshal(map[string]any{ // strings and numbers only: cannot fail
		"status": status, "exit_status": end.ExitStatus, "reason": end.Reason, "outputs": []any{},
	})
	return io.NopCloser(strings.NewReader(string(text)))
}
