package httpd

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// tallyPeriod is how long requests are counted before the log is told.
	tallyPeriod = 10 * time.Second
	// maxTally is how many kinds of requests are told apart in that time.
	maxTally = 1024
)

// tally counts requests that went well and come so often that a line for each
// would be most of the log. Who was let in, for what and from where is told all
// the same, with how often.
type tally struct {
	log *slog.Logger

	mu     sync.Mutex
	counts map[counted]int
	begun  time.Time
	due    *time.Timer // nil while there is nothing to tell
}

// counted is what the log tells of requests that are counted.
type counted struct{ key, target, address string }

func (t *tally) count(key, target, remote string) {
	address, _, err := net.SplitHostPort(remote)
	if err != nil {
		address = remote
	}
	if t.add(counted{key, target, address}) {
		t.tell()
	}
}

// add counts a request, and reports whether the log is to be told at once.
func (t *tally) add(of counted) (full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.due == nil {
		t.begun, t.counts = time.Now(), make(map[counted]int)
		t.due = time.AfterFunc(tallyPeriod, t.tell)
	}
	t.counts[of]++
	return len(t.counts) == maxTally
}

// tell writes what was counted to the log, which may take as long as it likes:
// nobody who counts waits for it.
func (t *tally) tell() {
	counts, took := t.take()
	for of, n := range counts {
		t.log.LogAttrs(context.Background(), slog.LevelInfo, "requests",
			slog.Int("count", n), slog.Duration("in", took), slog.Int("status", 200),
			slog.String("remote", of.address), slog.String("target", of.target), slog.String("key", of.key))
	}
}

// take gives what was counted, and in what time. Counting begins anew.
func (t *tally) take() (counts map[counted]int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.due == nil {
		return nil, 0
	}
	t.due.Stop()
	counts, took = t.counts, time.Since(t.begun)
	t.counts, t.due = nil, nil
	return counts, took
}
