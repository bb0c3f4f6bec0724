package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
)

// Who uses the server during the long run, and how.
const (
	starters        = 2 // have a session each, use it and end it, again and again
	pollers         = 4
	calculationsEnd = 10 // calculations of a session that end; one more is stopped

	past = 1_100 // sessions, and calculations, that the server has known before: more than it keeps in memory

	looks  = 24 // at the server in the whole time
	toldOf = 3  // of which one in so many is told

	// flat is how much more the last quarter may have of something than the first.
	flat = 1.1
)

// long has a server under mixed load, with a driver started ahead as servers have
// it, and looks at what it holds. The server has a past, as one that is used has:
// what it keeps in memory of that is not growth.
func long(ctx context.Context, b *bench) (err error) {
	s, err := b.serveRecords(ctx, 1, past)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	first, err := s.session(ctx, nil)
	if err != nil {
		return err
	}

	if err := s.recall(ctx, first); err != nil {
		return err
	}

	loading, stop := context.WithCancel(ctx)
	defer stop()
	var done load
	var failures [starters + pollers]error
	var working sync.WaitGroup
	for i := range failures {
		working.Go(func() {
			for loading.Err() == nil && failures[i] == nil {
				if i < starters {
					failures[i] = s.life(loading, &done)
				} else {
					failures[i] = s.look(loading, first, &done)
				}
			}
			if loading.Err() != nil { // it was cut short
				failures[i] = nil
			} else {
				stop()
			}
		})
	}
	held, err := b.holdings(loading, s, &done)
	stop()
	working.Wait()
	if err := errors.Join(append(failures[:], err, ctx.Err())...); err != nil {
		return err
	}
	for _, r := range held {
		growth := r.growth()
		ratio := b.ours("last quarter over first quarter, of "+r.What, "×")
		ratio.add(growth)
		ratio.goal(growth <= flat, "≤ %v", flat)
	}
	return nil
}

// recall asks the server for all sessions that it has on record, and for as many
// calculations of one that lives.
func (s *server) recall(ctx context.Context, session string) error {
	for token := ""; ; {
		input := map[string]any{"WorkGroup": hearth.WorkGroupPrimary}
		if token != "" {
			input["NextToken"] = token
		}
		var page struct {
			Sessions  []struct{ SessionId string }
			NextToken string
		}
		if err := s.call(ctx, "ListSessions", "", input, &page); err != nil {
			return err
		}
		for _, known := range page.Sessions {
			for _, operation := range []string{"GetSession", "GetSessionStatus"} {
				if err := s.call(ctx, operation, "", map[string]any{"SessionId": known.SessionId}, nil); err != nil {
					return err
				}
			}
		}
		if token = page.NextToken; token == "" {
			break
		}
	}
	for range past {
		if err := s.calculate(ctx, session, "print()"); err != nil {
			return err
		}
	}
	return nil
}

// holdings looks at what a server holds, again and again while there is load. It
// gives what is to stay as it is; threads are few and never end.
func (b *bench) holdings(ctx context.Context, s *server, done *load) ([]*Row, error) {
	pid := s.process.Process.Pid
	resident, heap := b.ours("the server's resident memory", "MiB"), b.ours("the server's heap after a collection", "MiB")
	routines := b.ours("the server's goroutines", "goroutines")
	open, running := b.ours("the server's open descriptors", "descriptors"), b.ours("the server's threads", "threads")
	again := time.NewTicker(b.For / looks)
	defer again.Stop()
	for n := 1; n <= looks; n++ {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-again.C:
		}
		used, err := statusMiB(pid, "VmRSS")
		told, toldErr := s.metrics(ctx)
		files, filesErr := descriptors(pid)
		tasks, tasksErr := threads(pid)
		if err := errors.Join(err, toldErr, filesErr, tasksErr); err != nil {
			return nil, err
		}
		live, goroutines := told["go_gc_heap_live_bytes"]/(1<<20), told["go_goroutines"]
		resident.add(used)
		heap.add(live)
		routines.add(goroutines)
		open.add(files)
		running.add(tasks)
		if n%toldOf == 0 {
			b.note("after %v: %.1f MiB resident, %.2f MiB of heap, %v goroutines, %v descriptors, %v threads; done by then: %v; drivers started ahead had %v sessions",
				(b.For * time.Duration(n) / looks).Round(time.Second), used, live, goroutines, files, tasks, done, told["hearth_warm_driver_hits_total"])
		}
	}
	return []*Row{resident, heap, routines, open}, nil
}

// growth is the mean of the row's last quarter over that of its first.
func (r *Row) growth() float64 {
	quarter := max(1, len(r.Samples)/4)
	mean := func(samples []Sample) (sum float64) {
		for _, s := range samples {
			sum += s.Value / float64(len(samples))
		}
		return sum
	}
	if len(r.Samples) == 0 {
		return 0
	}
	return mean(r.Samples[len(r.Samples)-quarter:]) / mean(r.Samples[:quarter])
}

// load counts what was done.
type load struct{ sessions, calculations, stops, polls, listings atomic.Int64 }

func (l *load) String() string {
	return fmt.Sprintf("%d sessions, %d calculations, %d stops, %d polls, %d listings",
		l.sessions.Load(), l.calculations.Load(), l.stops.Load(), l.polls.Load(), l.listings.Load())
}

// life is a session from its start to its end.
func (s *server) life(ctx context.Context, done *load) error {
	session, err := s.session(ctx, nil)
	if err != nil {
		return err
	}
	for range calculationsEnd {
		if err := s.calculate(ctx, session, "print("+codeCount+")"); err != nil {
			return err
		}
		done.calculations.Add(1)
	}
	if err := s.stop(ctx, session); err != nil {
		return err
	}
	done.stops.Add(1)
	if err := s.terminate(ctx, session); err != nil {
		return err
	}
	done.sessions.Add(1)
	return nil
}

// stop stops a calculation that would never end.
func (s *server) stop(ctx context.Context, session string) error {
	id, was, err := s.submit(ctx, session, "while True: pass")
	if err == nil {
		err = s.calculationIs(ctx, id, was, hearth.CalculationRunning)
	}
	if err == nil {
		err = s.call(ctx, "StopCalculationExecution", "", map[string]any{"CalculationExecutionId": id}, nil)
	}
	if err == nil {
		err = s.calculationIs(ctx, id, string(hearth.CalculationRunning), hearth.CalculationCanceled)
	}
	return err
}

// look polls a session and lists all, as clients do that wait.
func (s *server) look(ctx context.Context, session string, done *load) error {
	for range 20 {
		if err := s.call(ctx, "GetSessionStatus", "", map[string]any{"SessionId": session}, nil); err != nil {
			return err
		}
		done.polls.Add(1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollPause):
		}
	}
	done.listings.Add(1)
	return s.call(ctx, "ListSessions", "", map[string]any{"WorkGroup": "primary"}, nil)
}
