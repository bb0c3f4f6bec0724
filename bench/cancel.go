package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hearth"
	"hearth/internal/shim"
)

// cancelled is code that runs until it is cancelled, and how soon it is to be.
type cancelled struct {
	what, code string
	limit      time.Duration
}

var cancellations = []cancelled{
	{"a Spark job", "spark.range(10**12).selectExpr('sum(id * id)').collect()", 500 * time.Millisecond},
	{"a Python loop", "while True: pass", 500 * time.Millisecond},
	{"a sleep inside Java", "spark._jvm.java.lang.Thread.sleep(600_000)", 5 * time.Second},
}

// inTheMiddle is how long code runs before it is cancelled.
const inTheMiddle = time.Second

// cancel stops calculations in the middle.
func cancel(ctx context.Context, b *bench) (err error) {
	s, session, err := b.serveSession(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	driver, err := s.identity(session)
	if err != nil {
		return err
	}
	for _, c := range cancellations {
		what := func(text string) string { return fmt.Sprintf("cancel of %s, until %s", c.what, text) }
		state := b.ours(fmt.Sprintf(whatCancel, c.what), "ms")
		quiet := b.ours(what("no processor works for it"), "ms")
		next := b.ours(what("the next 1+1 is COMPLETED"), "ms")
		for range b.Runs {
			if err := s.cancelOnce(ctx, session, c.code, driver.PID, state, quiet, next); err != nil {
				return fmt.Errorf("%s: %w", c.what, err)
			}
		}
		worst := max(state.Max, quiet.Max)
		state.goal(worst <= milliseconds(c.limit), "≤ %v until really stopped", c.limit)
	}
	return nil
}

func (s *server) cancelOnce(ctx context.Context, session, code string, shim int, state, quiet, next *Row) error {
	id, was, err := s.submit(ctx, session, code)
	if err != nil {
		return err
	}
	if err := s.calculationIs(ctx, id, was, hearth.CalculationRunning); err != nil {
		return err
	}
	time.Sleep(inTheMiddle)

	began := time.Now()
	quietAfter := make(chan time.Duration, 1)
	go func() { quietAfter <- untilQuiet(ctx, began, shim) }()
	if err := s.call(ctx, "StopCalculationExecution", "", map[string]any{"CalculationExecutionId": id}, nil); err != nil {
		return err
	}
	if err := s.calculationIs(ctx, id, "", hearth.CalculationCanceled); err != nil {
		return err
	}
	state.addSince(began)
	if err := s.sessionIs(ctx, session, string(hearth.SessionBusy), hearth.SessionIdle); err != nil {
		return err
	}
	if err := s.calculate(ctx, session, "1+1"); err != nil {
		return err
	}
	next.addSince(began)
	if took := <-quietAfter; took > 0 {
		quiet.add(milliseconds(took))
	}
	return ctx.Err()
}

// A driver is quiet when in a time its processes have used less than a part of
// a processor: Java compiles and collects a little after everything.
const (
	quietFor  = 300 * time.Millisecond
	quietPart = 0.3
	quietStep = 20 * time.Millisecond
)

// untilQuiet gives how long after began a driver has worked; 0 where that cannot
// be told.
func untilQuiet(ctx context.Context, began time.Time, shim int) time.Duration {
	type moment struct {
		at   time.Time
		used time.Duration
	}
	var past []moment
	for ctx.Err() == nil {
		processes, err := family(shim)
		if err != nil {
			return 0
		}
		now := moment{time.Now(), processorTime(processes)}
		past = append(past, now)
		for now.at.Sub(past[0].at) >= quietFor {
			if used := now.used - past[0].used; float64(used) < quietPart*float64(now.at.Sub(past[0].at)) {
				return max(past[0].at.Sub(began), time.Microsecond)
			}
			past = past[1:]
		}
		time.Sleep(quietStep)
	}
	return 0
}

// identity tells which processes a session's driver has.
func (s *server) identity(session string) (shim.Identity, error) {
	var id shim.Identity
	found, err := shim.Load(filepath.Join(s.data, "drivers", session), shim.IdentityFile, &id)
	if err == nil && !found {
		err = fmt.Errorf("the driver of session %s: %w", session, os.ErrNotExist)
	}
	return id, err
}
