// Package history shows Spark's pages of sessions that have ended. It runs Spark's
// own history server for that: a process for each session that is looked at, which
// has that session's event logs and no others, and ends when nobody has looked for
// a while.
//
// One process for all sessions would be cheaper to have and harder to trust: code
// in a driver can write into its event log what it likes, the name of another
// session's application included, and history servers tell applications apart by
// those names.
package history

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"hearth"
)

// Config is what Servers need.
type Config struct {
	// Events finds the directory of a session's event logs. It returns KindNotFound
	// when there are none.
	Events func(sessionID string) (dir string, err error)
	// Command is a history server for a session's event logs: a process that reads a
	// secret from the first line of its standard input, writes its address to its
	// standard output as a line when it serves, and ends with its input.
	Command func(session hearth.Session, dir string) (*exec.Cmd, error)

	Idle  time.Duration // without a look a process ends; 10 minutes
	Start time.Duration // until it serves, then it is killed; 2 minutes
	Most  int           // processes at once; 2. One more ends that which was looked at longest ago

	Log *slog.Logger // nil discards
}

// Servers implements hearth.Histories.
type Servers struct {
	config Config

	mu      sync.Mutex
	running map[string]*process // by session
	closed  bool
	ending  sync.WaitGroup
}

// New makes the adapter. It starts nothing.
func New(c Config) *Servers {
	if c.Idle == 0 {
		c.Idle = 10 * time.Minute
	}
	if c.Start == 0 {
		c.Start = 2 * time.Minute
	}
	if c.Most == 0 {
		c.Most = 2
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Servers{config: c, running: make(map[string]*process)}
}

// Show waits until the session's history server serves.
func (s *Servers) Show(ctx context.Context, session hearth.Session) (hearth.Endpoint, error) {
	dir, err := s.config.Events(session.ID)
	if err != nil {
		s.lose(session.ID)
		return hearth.Endpoint{}, err
	}
	p, err := s.look(session, dir)
	if err != nil {
		return hearth.Endpoint{}, err
	}
	select {
	case <-p.serving:
		return hearth.Endpoint{Address: p.address, Secret: p.secret}, nil
	case <-p.ended:
		return hearth.Endpoint{}, p.failure
	case <-ctx.Done():
		return hearth.Endpoint{}, ctx.Err()
	}
}

// look finds the process of a session or starts it.
func (s *Servers) look(session hearth.Session, dir string) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The server is stopping. Look again when it is back.")
	}
	p := s.running[session.ID]
	if p == nil {
		command, err := s.config.Command(session, dir)
		if err != nil {
			return nil, err
		}
		s.makeRoom()
		p = &process{
			session: session.ID, command: command, secret: rand.Text(), log: s.config.Log,
			serving: make(chan struct{}), ended: make(chan struct{}), enough: make(chan string, 1),
		}
		s.running[session.ID] = p
		s.ending.Go(func() {
			p.run(s.config.Start)
			s.forget(p)
		})
		p.idle = time.AfterFunc(s.config.Idle, func() { s.rest(p) })
	}
	p.looked = time.Now()
	p.idle.Reset(s.config.Idle)
	return p, nil
}

// makeRoom ends the process that was looked at longest ago when there are as many
// as there may be.
func (s *Servers) makeRoom() {
	if len(s.running) < s.config.Most {
		return
	}
	var last *process
	for _, p := range s.running {
		if last == nil || p.looked.Before(last.looked) {
			last = p
		}
	}
	s.end(last, "another session was to be looked at")
}

// rest ends a process that nobody looks at, unless somebody just has.
func (s *Servers) rest(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(p.looked) >= s.config.Idle {
		s.end(p, "nobody looked at it any more")
	}
}

// lose ends the process of a session whose event logs are gone.
func (s *Servers) lose(sessionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.running[sessionID]; p != nil {
		s.end(p, "its event logs are gone")
	}
}

// end lets nobody find the process any more. The lock is held.
func (s *Servers) end(p *process, why string) {
	p.stop(why)
	if s.running[p.session] == p {
		delete(s.running, p.session)
	}
}

func (s *Servers) forget(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.idle.Stop()
	if s.running[p.session] == p {
		delete(s.running, p.session)
	}
}

// Close ends all processes and waits until they have ended.
func (s *Servers) Close() {
	s.mu.Lock()
	s.closed = true
	for _, p := range s.running {
		p.stop("the server is stopping")
	}
	s.mu.Unlock()
	s.ending.Wait()
}
