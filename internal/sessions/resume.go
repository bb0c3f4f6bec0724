package sessions

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"hearth"
)

// Resume takes up the sessions that an earlier server left. It returns when
// all are being tended; each finds its driver, or learns of its loss, by itself.
// A driver whose session is not live on record is a stray, and is told to end.
func (s *Service) Resume(ctx context.Context) error {
	live, err := s.store.LiveSessions(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(live))
	for _, session := range live {
		known[session.ID] = true
		s.tend(session.ID, s.adopt)
	}
	return s.endStrays(ctx, known)
}

// adopt finds the driver that an earlier server launched. One that was intended
// and never launched is launched now. Any other of which nothing is left is
// lost; if its end was asked for, it has ended.
func (s *Service) adopt(ctx context.Context, f facts) (hearth.Driver, error) {
	driver, adoption, err := s.drivers.Recover(ctx, f.session.ID)
	if err != nil {
		return nil, err
	}
	s.log.Info("session taken up", "session", f.session.ID, "state", f.session.State, "driver", adoption)
	switch {
	case driver != nil:
		return driver, nil
	case f.session.State == hearth.SessionCreating:
		return s.launch(ctx, f)
	default:
		return lostDriver{at: f.now}, nil
	}
}

func (s *Service) endStrays(ctx context.Context, known map[string]bool) error {
	ids, err := s.drivers.Known(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if known[id] {
			continue
		}
		driver, adoption, err := s.drivers.Recover(ctx, id)
		if err == nil && adoption == hearth.Alive {
			s.log.Warn("a driver whose session is not live is told to end", "session", id)
			err = driver.End(ctx)
		}
		if err != nil {
			s.log.Error("a stray driver could not be ended", "session", id, "error", err)
		}
	}
	return nil
}

// lostDriver stands for a driver of which nothing is left: its journal is one
// exit.
type lostDriver struct{ at time.Time }

func (lostDriver) Execute(context.Context, string, string) error { return nil }
func (lostDriver) Cancel(context.Context, string) error          { return nil }
func (lostDriver) End(context.Context) error                     { return nil }

func (d lostDriver) Follow(_ context.Context, offset int64, handle func(hearth.DriverEvent) error) error {
	return handle(hearth.DriverEvent{
		Type: hearth.DriverExited, At: d.at, Offset: offset, Exit: hearth.ExitFault,
		Reason: "The driver is gone without a trace: the server's data directory has nothing of it",
	})
}

func (lostDriver) Output(_ context.Context, id string, _ hearth.Stream, _ int64) (io.ReadCloser, error) {
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
