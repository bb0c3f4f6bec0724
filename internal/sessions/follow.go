package sessions

import (
	"context"
	"errors"
	"time"

	"hearth"
)

// quick is how long after it began code is recorded as RUNNING. What has its end
// on record by then goes there in one step, and waits for no other on the disk.
const quick = 20 * time.Millisecond

// follow turns the driver's journal into transactions until the session has
// ended.
func (s *Service) follow(ctx context.Context, session hearth.Session, driver hearth.Driver) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	record := func(e hearth.DriverEvent) error {
		return s.settle(ctx, session.ID, func(f facts) (step, error) {
			decision, err := s.publishFiles(ctx, f, driver, e, onEvent(f, e))
			if err != nil {
				return step{}, err
			}
			if decision, err = s.publishLog(ctx, f.session, decision); err == nil && e.Type == hearth.DriverReady && !decision.idle() {
				s.log.Info("session is ready", "session", session.ID, "after", e.At.Sub(f.session.StartedAt), "phases", decision.changes[0].Session.Phases)
			}
			return decision, err
		})
	}
	var begun *beginning
	err := driver.Follow(ctx, session.JournalOffset, func(e hearth.DriverEvent) error {
		if e.Type == hearth.DriverReady || e.Type == hearth.DriverExited {
			s.leaveGate(session.ID) // whatever holds up its record
		}
		if begun.endedBy(e) {
			err := record(e) // beside which the moment passes
			if begun.cut() && err != nil {
				err = errors.Join(err, record(begun.event))
			}
			begun = nil
			return err
		}
		if begun.cut() {
			if err := record(begun.event); err != nil {
				return err
			}
		}
		begun = nil
		if e.Type == hearth.CalculationStarted {
			begun = afterQuick(e, func() {
				if err := record(e); err != nil {
					fail(err)
				}
			})
			return nil
		}
		return record(e)
	})
	begun.cut() // who follows next reads it again
	if failed := context.Cause(ctx); failed != nil {
		return failed
	}
	return err
}

// beginning is code that has begun to run a moment ago.
type beginning struct {
	event    hearth.DriverEvent
	timer    *time.Timer
	recorded chan struct{}
}

// afterQuick has a beginning recorded unless its moment is cut.
func afterQuick(e hearth.DriverEvent, record func()) *beginning {
	b := &beginning{event: e, recorded: make(chan struct{})}
	b.timer = time.AfterFunc(quick, func() { defer close(b.recorded); record() })
	return b
}

func (b *beginning) endedBy(e hearth.DriverEvent) bool {
	return b != nil && e.Type == hearth.CalculationEnded && e.CalculationID == b.event.CalculationID
}

// cut ends the moment, and reports whether the beginning is not recorded then.
func (b *beginning) cut() bool {
	if b == nil || b.timer.Stop() {
		return b != nil
	}
	<-b.recorded
	return false
}
