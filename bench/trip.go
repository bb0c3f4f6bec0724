package bench

import (
	"context"
	"errors"
	"fmt"
)

const (
	tripsARun = 20   // round trips of each kind
	tripMost  = 10.0 // milliseconds that one may take beyond the syncs in its way
	tripSyncs = 2    // so many
)

// trip measures round trips, and what a disk sync takes between them.
func trip(ctx context.Context, b *bench) (err error) {
	s, session, err := b.serveSession(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	synced := b.row("disk", "one fsync of 4 KB, between trips", "ms")
	for _, code := range []string{codeNothing, codeCount} {
		call := func() error { return s.calculate(ctx, session, code) }
		for range tripsARun / 2 { // Spark compiles, and Java warms up
			if err := call(); err != nil {
				return err
			}
		}
		r := b.ours(fmt.Sprintf(whatTrip, code), "ms")
		for range tripsARun * b.Runs {
			if err := b.fsyncs(synced, 1); err != nil {
				return err
			}
			if err := r.timed(1, call); err != nil {
				return err
			}
		}
		if code == codeNothing {
			beyond := r.Median - tripSyncs*synced.Median
			r.goal(beyond <= tripMost, "median ≤ %v ms beyond %d fsyncs; it is %.1f ms", tripMost, tripSyncs, beyond)
		}
	}
	return nil
}
