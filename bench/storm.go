package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"hearth"
)

// smallDrivers lets as many sessions run as the machine's memory holds, and
// refuses the others.
const smallDrivers = `driver_memory = "1g"
driver_overhead = "512m"
[quota]
memory = "auto"`

// pollPause is between the polls that are watched.
const pollPause = 20 * time.Millisecond

// storm starts many sessions at once, and polls meanwhile.
func storm(ctx context.Context, b *bench) (err error) {
	s, first, err := b.serveSession(ctx, smallDrivers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	answered := b.ours(fmt.Sprintf("one of %d StartSession at once answered", b.Storm), "ms")
	ready := b.ours("until such a session is IDLE", "ms")
	polls := b.ours("GetSessionStatus meanwhile", "ms")
	slow := b.ours("of which 99 percent in", "ms")

	polling, stop := context.WithCancel(ctx)
	defer stop()
	polled := make(chan error, 1)
	go func() { polled <- s.watch(polling, first, polls) }()

	outcomes := make([]outcome, b.Storm)
	began := time.Now()
	var starting sync.WaitGroup
	for i := range outcomes {
		starting.Go(func() { outcomes[i] = s.outcome(ctx, began) })
	}
	starting.Wait()
	stop()
	if err := <-polled; err != nil {
		return err
	}
	var idle, refusals int
	var lost []error
	for _, o := range outcomes {
		if o.answered > 0 {
			answered.add(milliseconds(o.answered))
		}
		switch {
		case o.err != nil:
			lost = append(lost, o.err)
		case o.refused:
			refusals++
		default:
			idle++
			ready.add(milliseconds(o.idle))
		}
	}
	b.ours("sessions of the storm that got IDLE", "sessions").add(float64(idle))
	b.ours("sessions of the storm that were refused for want of room", "sessions").add(float64(refusals))
	missing := b.ours("sessions of the storm that were lost", "sessions")
	missing.add(float64(len(lost)))
	missing.goal(len(lost) == 0, "0")
	slow.add(polls.percentile(99))
	slow.goal(slow.Median <= 50, "≤ 50 ms")
	if len(lost) > 0 {
		b.note("of the sessions that were lost, the first: %v", lost[0])
	}
	return nil
}

// outcome is what became of one StartSession.
type outcome struct {
	answered, idle time.Duration
	refused        bool
	err            error
}

func (s *server) outcome(ctx context.Context, began time.Time) (o outcome) {
	id, state, err := s.startSession(ctx, nil)
	o.answered = time.Since(began)
	if r, ok := errors.AsType[*refused](err); ok && r.status == http.StatusBadRequest && strings.Contains(r.text, "TooManyRequestsException") {
		o.refused = true
		return o
	}
	if err == nil {
		err = s.sessionIs(ctx, id, state, hearth.SessionIdle)
	}
	o.idle, o.err = time.Since(began), err
	return o
}

// watch polls a session until ctx is done.
func (s *server) watch(ctx context.Context, session string, took *Row) error {
	again := time.NewTicker(pollPause)
	defer again.Stop()
	for {
		began := time.Now()
		err := s.call(ctx, "GetSessionStatus", "", map[string]any{"SessionId": session}, nil)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		took.addSince(began)
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}
