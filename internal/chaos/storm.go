package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"hearth"
)

// A moment is one that a fault may be aimed at: most faults that matter come
// between two lines of code.
type moment struct {
	name string
	of   string // the session's id, and the calculation's after a slash
}

// The moments that clients tell of.
const (
	sessionSent = "StartSession is sent"
	codeSent    = "StartCalculationExecution is sent"
	codeTaken   = "a calculation was taken"
	endSent     = "an end or a stop is sent"
)

// moment tells the storm, if it listens.
func (r *run) moment(name, of string) {
	select {
	case r.moments <- moment{name, of}:
	default:
	}
}

// storm does what the generator says to the processes.
type storm struct {
	*run
	rng    *rand.Rand
	done   int
	frozen map[string]bool // sessions that had their freeze

	thawing sync.WaitGroup
	calm    chan struct{} // closed when whatever is stopped has to go on
}

// rage goes on until there were enough faults, ctx is done, or the server does
// not come back. The server runs afterwards.
func (s *storm) rage(ctx context.Context) error {
	for s.done < s.Kills && ctx.Err() == nil {
		if !s.pause(ctx, s.exponential(s.calmness)) {
			break
		}
		if err := s.strike(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finish thaws whatever is stopped.
func (s *storm) finish() {
	close(s.calm)
	s.thawing.Wait()
}

func (s *storm) exponential(mean time.Duration) time.Duration {
	return time.Duration(min(s.rng.ExpFloat64(), 4) * float64(mean))
}

func (s *storm) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// strike makes one fault, or a few that belong together.
func (s *storm) strike(ctx context.Context) error {
	v, freeze := s.choose()
	at := s.aim(ctx, v, freeze)
	if v != aServer {
		if s.strikeDriver(ctx, v, freeze, at) {
			return nil
		}
		freeze = false // nothing was there: the server is always
	}
	if freeze {
		return s.freeze(s.server.command.Process, fault{Victim: aServer}, s.between(50*time.Millisecond, 1500*time.Millisecond))
	}
	return s.outage(ctx)
}

// choose picks a victim and what is done to it.
func (s *storm) choose() (v victim, freeze bool) {
	for _, c := range s.odds {
		if s.rng.Float64() < c.of {
			return c.victim, c.freeze
		}
	}
	return aServer, false
}

// odds are tried one after the other.
type odds struct {
	of     float64
	victim victim
	freeze bool
}

var (
	lightOdds = []odds{{.14, aShim, false}, {.06, aShim, true}, {.18, aKernel, false}, {.08, aKernel, true}, {.06, aServer, true}}
	sparkOdds = []odds{{.1, aShim, false}, {.05, aShim, true}, {.1, aKernel, false}, {.05, aKernel, true}, {.14, aJVM, false}, {.05, aJVM, true}, {.06, aServer, true}}
)

// aim waits for a moment, half of the time, and then a little. A JVM is frozen
// when there is code: most of the time it is starting, when nobody notices.
func (s *storm) aim(ctx context.Context, v victim, freeze bool) (of string) {
	name := []string{sessionSent, codeSent, codeTaken, endSent, "", "", "", ""}[s.rng.IntN(8)]
	little := s.between(0, 40*time.Millisecond)
	patience := 2 * time.Second
	if v == aJVM && freeze {
		name, patience = codeSent, 15*time.Second
	}
	if name == "" {
		return ""
	}
	deadline, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case m := <-s.moments:
			if m.name != name {
				continue
			}
			if m.name == codeTaken {
				s.awaitResult(deadline, m.of)
				little /= 4
			}
			s.pause(ctx, little)
			return m.of
		case <-deadline.Done():
			return ""
		}
	}
}

// awaitResult waits until code has ended and its files are about to be
// published.
func (s *storm) awaitResult(ctx context.Context, of string) {
	session, calculation, _ := strings.Cut(of, "/")
	path := filepath.Join(s.server.data, "drivers", session, "calculations", calculation, "result.json")
	for s.pause(ctx, time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
}

func (s *storm) between(from, to time.Duration) time.Duration {
	return from + time.Duration(s.rng.Int64N(int64(to-from)))
}

// outage kills the server and starts it again: at once or after a while, in
// which drivers may die, too; sometimes it is killed again while it starts.
func (s *storm) outage(ctx context.Context) error {
	if err := s.killServer(); err != nil {
		return err
	}
	if s.rng.Float64() < .3 {
		if s.rng.Float64() < .5 {
			v := []victim{aKernel, aShim}[s.rng.IntN(2)]
			s.strikeDriver(ctx, v, false, "")
		}
		s.pause(ctx, s.exponential(500*time.Millisecond))
	}
	for s.rng.Float64() < .2 && s.server.life() > 1 {
		if err := s.server.launch(); err != nil {
			return err
		}
		s.pause(ctx, s.between(0, 200*time.Millisecond))
		if err := s.killServer(); err != nil {
			return err
		}
	}
	if err := s.server.launch(); err != nil {
		return err
	}
	return s.server.awaitReady(context.WithoutCancel(ctx))
}

func (s *storm) killServer() error {
	s.done++
	s.history.inflict(fault{At: time.Now(), Victim: aServer})
	return s.server.end(syscall.SIGKILL)
}

// strikeDriver does something to a process of a driver: of the one that was
// aimed at, if there is one. It reports false when there is no such process.
func (s *storm) strikeDriver(ctx context.Context, v victim, freeze bool, at string) bool {
	all, err := processes(s.server.data)
	if err != nil {
		return false
	}
	known, aimed := s.history.known(), strings.Split(at, "/")[0]
	var candidates []process
	for _, p := range all {
		if live, answered := known[p.session]; p.victim != v || answered && !live || freeze && s.frozen[p.session] {
			continue
		}
		if p.session == aimed {
			candidates = []process{p}
			break
		}
		candidates = append(candidates, p)
	}
	pick, long := s.rng.Uint64(), s.freezing()
	if len(candidates) == 0 {
		return false
	}
	p := candidates[pick%uint64(len(candidates))]
	held, err := p.handle(s.server.data)
	if err != nil {
		return false
	}
	f := fault{Victim: v, Session: p.session}
	if freeze {
		s.frozen[p.session] = true
		return s.freeze(held, f, long) == nil
	}
	f.At = time.Now()
	s.history.inflict(f)
	if err := held.Signal(syscall.SIGKILL); err != nil {
		return false // it was quicker; that a fault is on record does no harm
	}
	s.done++
	s.watchDeath(ctx, p.session, f.At)
	return true
}

// freezing is for how long a driver's process is stopped: less than anybody
// notices, so long that its session is DEGRADED, or until it is given up.
func (s *storm) freezing() time.Duration {
	switch s.rng.IntN(5) {
	case 0, 1:
		return s.between(100*time.Millisecond, 1500*time.Millisecond)
	case 2, 3:
		return s.between(2500*time.Millisecond, 5*time.Second)
	}
	return s.between(10*time.Second, 14*time.Second)
}

// freeze stops a process for a while, which goes on beside the storm.
func (s *storm) freeze(p *os.Process, f fault, d time.Duration) error {
	f.At, f.Frozen = time.Now(), d
	s.history.inflict(f)
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			return nil
		}
		return fmt.Errorf("freeze the %s: %w", f.Victim, err)
	}
	s.done++
	s.thawing.Go(func() {
		select {
		case <-time.After(d):
		case <-s.calm:
		}
		_ = p.Signal(syscall.SIGCONT) // it may have been killed meanwhile
	})
	return nil
}

// watchDeath measures how long it takes until a session is seen to have ended,
// if the server is there all the time.
func (s *storm) watchDeath(ctx context.Context, id string, at time.Time) {
	life := s.server.life()
	s.thawing.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		probe := &session{thing: thing{IDs: []string{id}}}
		while := ""
		for ctx.Err() == nil {
			if err := s.api.seeSession(ctx, probe, while); err != nil {
				return
			}
			while = probe.last().State
			state := hearth.SessionState(while)
			if state.Ended() {
				break
			}
			if state == hearth.SessionTerminating {
				return // it was on its way already
			}
		}
		seen := time.Now()
		if s.server.life() == life && ctx.Err() == nil && !s.history.frozen(aServer, at, seen) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.deaths = append(s.deaths, seen.Sub(at))
		}
	})
}
