package bench

import (
	"context"
	"errors"
)

// warmARun is how many warm starts a run has.
const warmARun = 5

// warm measures starts with drivers of the pool, each when the one before has been
// replaced, and what a disk sync takes between them.
func warm(ctx context.Context, b *bench) (err error) {
	s, err := b.serveWarm(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	first, err := s.session(ctx, nil) // says what the pool is to have
	if err != nil {
		return err
	}
	if err := s.terminate(ctx, first); err != nil {
		return err
	}

	ready := b.ours("warm: StartSession to IDLE", "ms")
	counted := b.ours("warm: StartSession to first count COMPLETED", "ms")
	synced := b.row("disk", "one fsync of 4 KB, meanwhile", "ms")
	for range warmARun * b.Runs {
		if err := s.awaitWarm(ctx); err != nil {
			return err
		}
		if err := b.fsyncs(synced, 10); err != nil {
			return err
		}
		session, err := s.startAndCount(ctx, ready, counted)
		if err != nil {
			return err
		}
		if err := s.terminate(ctx, session); err != nil {
			return err
		}
	}
	most := 50 + synced.Median
	ready.goal(ready.percentile(95) <= most, "p95 ≤ 50 ms beyond one fsync; it is %.1f ms", ready.percentile(95))
	return nil
}

// awaitWarm waits until a driver waits for a session.
func (s *server) awaitWarm(ctx context.Context) error {
	return s.process.until(ctx, func() error {
		told, err := s.metrics(ctx)
		if err == nil && told["hearth_warm_drivers"] == 0 {
			err = errors.New("no driver waits for a session")
		}
		return err
	})
}
