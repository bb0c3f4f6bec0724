package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// retryAfter is how long a session's tending waits before it tries again what
// the store or the output location refused. It does so for as long as the server
// runs, and the next server goes on: nothing is given up, since the driver keeps
// what it did, and a time limit could only lose it. What bounds the waiting is
// the session's idle timeout, which the driver keeps by itself.
const retryAfter = time.Second

// pursuit is the tending of one session: its goroutines carry out what is
// recorded and record what the driver did.
type pursuit struct {
	woken chan struct{} // has room for one: a wake-up is never lost and never counted

	mu     sync.Mutex
	driver hearth.Driver // nil until it is launched or found
}

func (p *pursuit) attach(driver hearth.Driver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.driver = driver
}

func (p *pursuit) attached() hearth.Driver {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.driver
}

func (s *Service) pursuitOf(sessionID string) *pursuit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[sessionID]
}

func (s *Service) wake(sessionID string) {
	if p := s.pursuitOf(sessionID); p != nil {
		select {
		case p.woken <- struct{}{}:
		default:
		}
	}
}

// find gets a session's driver. Without driver and error there is none, and
// the session has ended for that.
type find func(ctx context.Context, f facts) (hearth.Driver, error)

// tend looks after a session from now until it has ended or the server leaves.
// A session that comes when the server leaves is for the next one to tend.
func (s *Service) tend(sessionID string, find find) {
	p := &pursuit{woken: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.Err() != nil {
		return
	}
	s.live[sessionID] = p
	s.tending.Go(func() {
		for {
			err := s.tendOnce(s.leaving, sessionID, p, find)
			if err == nil {
				err = s.admit(s.leaving) // there is room now
			}
			if err == nil {
				s.mu.Lock()
				delete(s.live, sessionID)
				s.mu.Unlock()
				return
			}
			if s.leaving.Err() != nil {
				return
			}
			s.log.Error("a session's tending was held up and is tried again", "session", sessionID, "error", err, "after", retryAfter)
			if !pause(s.leaving, retryAfter) {
				return
			}
		}
	})
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tendOnce returns nil when the session has ended. Called again after an
// error, it begins from the record.
func (s *Service) tendOnce(ctx context.Context, sessionID string, p *pursuit, find find) error {
	f, err := s.facts(ctx, sessionID)
	if err != nil || f.session.State.Ended() {
		return err
	}
	driver := p.attached()
	if driver == nil {
		if f, err = s.awaitTurn(ctx, f, p); err != nil {
			return err
		}
		if driver, err = find(ctx, f); err != nil || driver == nil {
			return err
		}
		p.attach(driver)
	}
	if err := s.settle(ctx, sessionID, func(f facts) (step, error) { return onLaunched(f), nil }); err != nil {
		return err
	}

	pursuing, finish := context.WithCancel(ctx)
	pursued := make(chan struct{})
	go func() {
		defer close(pursued)
		s.pursue(pursuing, sessionID, p, driver)
	}()
	defer func() { finish(); <-pursued }()
	return s.follow(ctx, f.session, driver)
}

// launch starts the driver of a session whose turn has come. One that still
// waits and is here nevertheless can never start.
func (s *Service) launch(ctx context.Context, f facts) (hearth.Driver, error) {
	refused := ""
	switch {
	case f.session.EndRequested:
	case f.session.Waiting:
		refused = hearth.MessageOf(s.quotas.Check(f.session.Claim()))
	default:
		earlier, err := s.earlierSessions(ctx, f.session)
		if err != nil {
			return nil, err
		}
		faultpoint.At("driver", "to be launched")
		driver, err := s.drivers.Launch(ctx, launchOf(f.session, earlier))
		faultpoint.At("driver", "launched")
		if err == nil || ctx.Err() != nil {
			return driver, err
		}
		s.log.Error("a driver could not be launched", "session", f.session.ID, "error", err)
		refused = "The driver could not be launched: " + hearth.MessageOf(err)
	}
	return nil, s.settle(ctx, f.session.ID, func(f facts) (step, error) { return onLaunchRefused(f, refused), nil })
}

// maxEarlier is how many of its notebook's sessions a driver is told of.
const maxEarlier = 100

// earlierSessions gives the sessions that the session's notebook had before. A
// notebook has one at a time, so that the answer is final: it is the same when
// the launch is repeated.
func (s *Service) earlierSessions(ctx context.Context, session hearth.Session) ([]hearth.Session, error) {
	if session.NotebookID == "" {
		return nil, nil
	}
	all, _, err := s.store.Sessions(ctx, hearth.SessionFilter{NotebookID: session.NotebookID}, hearth.Page{Limit: 1 + maxEarlier})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(other hearth.Session) bool { return other.ID == session.ID }), nil
}

func launchOf(session hearth.Session, earlier []hearth.Session) hearth.Launch {
	c := session.EngineConfiguration
	return hearth.Launch{
		SessionID:        session.ID,
		Master:           c.Master(),
		Properties:       c.Properties(),
		Memory:           c.Memory,
		IdleTimeout:      session.Configuration.IdleTimeout,
		WorkingDirectory: c.AdditionalConfigs[hearth.AdditionalWorkingDirectory],

		WorkGroup:  session.WorkGroup,
		Engine:     session.Engine.Effective,
		StartedAt:  session.StartedAt,
		NotebookID: session.NotebookID,
		Earlier:    earlier,
	}
}

// pursue tells the driver what is recorded and it has not been told, each time
// it is woken and once at the beginning.
func (s *Service) pursue(ctx context.Context, sessionID string, p *pursuit, driver hearth.Driver) {
	told := ""
	for {
		err := s.tell(ctx, sessionID, driver, &told)
		if err != nil && ctx.Err() == nil {
			// A driver that cannot be reached is gone or going: its journal says
			// which. One that is neither is told again.
			s.log.Warn("a driver could not be told what is recorded", "session", sessionID, "error", err)
			if !pause(ctx, retryAfter) {
				return
			}
			continue
		}
		select {
		case <-p.woken:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) tell(ctx context.Context, sessionID string, driver hearth.Driver, told *string) error {
	f, err := s.facts(ctx, sessionID)
	if err != nil {
		return err
	}
	if f.session.EndRequested {
		faultpoint.At("driver to be told", "end")
		err := driver.End(ctx)
		faultpoint.At("driver told", "end")
		return err
	}
	if f.calculation == nil {
		return nil
	}
	if *told != f.calculation.ID {
		faultpoint.At("driver to be told", "execute")
		if err := driver.Execute(ctx, f.calculation.ID, f.calculation.Code); err != nil {
			return err
		}
		faultpoint.At("driver told", "execute")
		*told = f.calculation.ID
		s.changes.tell(f.calculation.ID) // somebody may wait for its output
	}
	if f.calculation.State == hearth.CalculationCanceling {
		faultpoint.At("driver to be told", "cancel")
		err := driver.Cancel(ctx, f.calculation.ID)
		faultpoint.At("driver told", "cancel")
		return err
	}
	return nil
}

// follow turns the driver's journal into transactions until the session has
// ended.
func (s *Service) follow(ctx context.Context, session hearth.Session, driver hearth.Driver) error {
	return driver.Follow(ctx, session.JournalOffset, func(e hearth.DriverEvent) error {
		return s.settle(ctx, session.ID, func(f facts) (step, error) {
			decision, err := s.publishFiles(ctx, f, driver, e, onEvent(f, e))
			if err != nil {
				return step{}, err
			}
			return s.publishLog(ctx, f.session, decision)
		})
	})
}

// publishFiles copies the files of the calculation that the decision ends, if it
// ends one. A place that refuses them for good does not hold up the end, which
// is another one then.
func (s *Service) publishFiles(ctx context.Context, f facts, driver hearth.Driver, e hearth.DriverEvent, decision step) (step, error) {
	if !decision.publish {
		return decision, nil
	}
	lost := e.Type == hearth.DriverExited
	err := s.publish(ctx, f, driver, lost, e.Reason, decision.ending())
	if refusedForGood(err) {
		s.log.Error("a calculation's files have no place", "calculation", f.calculation.ID, "error", err)
		return decision.unpublished(hearth.MessageOf(err)), nil
	}
	return decision, err
}

// refusedForGood reports whether a place would refuse what it refused again,
// however long one waits.
func refusedForGood(err error) bool {
	switch hearth.KindOf(err) {
	case hearth.KindInvalid, hearth.KindNotFound, hearth.KindDenied:
		return true
	}
	return false
}

// publish copies a calculation's files to the output location, where they have
// to be before its end is told. When the driver was lost in the middle, there
// is what it had written by then, and stderr ends with the reason.
func (s *Service) publish(ctx context.Context, f facts, driver hearth.Driver, lost bool, reason string, end hearth.CalculationChange) error {
	c := *f.calculation
	put := func(uri, contentType string, content io.Reader) error {
		return s.objects.Put(ctx, f.session.Configuration.Object(uri, contentType), content)
	}
	for stream, uri := range map[hearth.Stream]string{hearth.Stdout: c.StdoutURI(), hearth.Stderr: c.StderrURI()} {
		content, err := driver.Output(ctx, c.ID, stream, 0)
		if hearth.KindOf(err) == hearth.KindNotFound {
			content, err = io.NopCloser(strings.NewReader("")), nil
		}
		if err != nil {
			return fmt.Errorf("read %s of calculation %s: %w", stream, c.ID, err)
		}
		whole := io.Reader(content)
		if lost && stream == hearth.Stderr {
			whole = io.MultiReader(content, strings.NewReader(reason+"\n"))
		}
		faultpoint.At("output to be published", string(stream))
		err = errors.Join(put(uri, "text/plain; charset=utf-8", whole), content.Close())
		faultpoint.At("output published", string(stream))
		if err != nil {
			return fmt.Errorf("publish %s of calculation %s: %w", stream, c.ID, err)
		}
	}
	result, err := driver.Result(ctx, c.ID)
	switch {
	case err == nil && lost: // it was written, and its shim killed before it told of the end
		err = result.Close()
		result = lostResult(end)
	case hearth.KindOf(err) == hearth.KindNotFound:
		result, err = lostResult(end), nil
	}
	if err != nil {
		return fmt.Errorf("read the result of calculation %s: %w", c.ID, err)
	}
	faultpoint.At("result", "to be published")
	err = errors.Join(put(c.ResultDocumentURI(), "application/json", result), result.Close())
	faultpoint.At("result", "published")
	if err != nil {
		return fmt.Errorf("publish the result of calculation %s: %w", c.ID, err)
	}
	return nil
}
