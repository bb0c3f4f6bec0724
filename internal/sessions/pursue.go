package sessions

import (
	"context"
	"slices"
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

	mu       sync.Mutex
	driver   hearth.Driver   // nil until it is launched or found
	endpoint hearth.Endpoint // where the driver speaks Spark Connect; zero until it was asked
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

func (p *pursuit) connect(to hearth.Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endpoint = to
}

func (p *pursuit) connected() hearth.Endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endpoint
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
type find func(ctx context.Context, f facts, p *pursuit) (hearth.Driver, error)

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
				s.leaveGate(sessionID)
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
		if driver, err = find(ctx, f, p); err != nil || driver == nil {
			return err
		}
		p.attach(driver)
		s.changes.tell(sessionID) // somebody may wait to connect to it
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

// launch starts the driver of a session that quotas have room for, when not too
// many others start.
func (s *Service) launch(ctx context.Context, f facts, p *pursuit) (hearth.Driver, error) {
	f, err := s.awaitStart(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return s.launchDriver(ctx, f)
}

// launchDriver starts the driver of a session whose turn has come. One that still
// waits and is here nevertheless can never start.
func (s *Service) launchDriver(ctx context.Context, f facts) (hearth.Driver, error) {
	refused := ""
	switch {
	case f.session.EndRequested:
	case f.session.Waiting:
		refused = hearth.MessageOf(s.quotas.Check(f.session.Claim()))
	default:
		s.atGate(func(g *gate) { g.enter(f.session.ID) })
		earlier, err := s.earlierSessions(ctx, f.session)
		if err != nil {
			return nil, err
		}
		if f.session.State == hearth.SessionCreating {
			s.pool.makeRoom(f.session.EngineConfiguration.Memory)
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
	s.leaveGate(f.session.ID)
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
