package httpd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTally(t *testing.T) {
	t.Run("tells how often after a while, and begins anew", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log lines
			tally := tally{log: slog.New(slog.NewTextHandler(&log, nil))}
			for round := range 2 {
				for range 3 {
					tally.count("KEY", "Service.Get", "[::1]:1234")
				}
				time.Sleep(tallyPeriod - time.Nanosecond)
				synctest.Wait()
				if early := log.take(); len(early) > 0 {
					t.Errorf("round %d, too early: %q", round, early)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				told := log.take()
				if len(told) != 1 || !strings.HasSuffix(told[0], "msg=requests count=3 in=10s status=200 remote=::1 target=Service.Get key=KEY\n") {
					t.Errorf("round %d: %q", round, told)
				}
			}
		})
	})

	t.Run("tells keys, operations and addresses apart", func(t *testing.T) {
		var log lines
		tally := tally{log: slog.New(slog.NewTextHandler(&log, nil))}
		for _, of := range [][3]string{{"K", "G", "1:1"}, {"L", "G", "1:1"}, {"K", "H", "1:1"}, {"K", "G", "2:1"}, {"K", "G", "1:2"}} {
			tally.count(of[0], of[1], of[2])
		}
		tally.tell()
		if told := log.take(); len(told) != 4 {
			t.Errorf("%q", told)
		}
		tally.tell()
		if again := log.take(); len(again) > 0 {
			t.Errorf("told twice: %q", again)
		}
	})

	t.Run("is bounded", func(t *testing.T) {
		var log lines
		tally := tally{log: slog.New(slog.NewTextHandler(&log, nil))}
		for i := range maxTally {
			tally.count("K", "G", fmt.Sprintf("%d:1", i))
		}
		if told := log.take(); len(told) != maxTally {
			t.Errorf("%d told", len(told))
		}
	})

	t.Run("counts while the log is written", func(t *testing.T) {
		var tally tally
		locked := 0
		tally.log = slog.New(slog.NewTextHandler(writer(func() {
			if !tally.mu.TryLock() {
				locked++
				return
			}
			tally.mu.Unlock()
		}), nil))
		tally.count("K", "G", "1:1")
		tally.tell()
		for i := range maxTally {
			tally.count("K", "G", fmt.Sprintf("%d:1", i))
		}
		if locked > 0 {
			t.Errorf("%d lines were waited for", locked)
		}
	})
}

// lines is a log.
type lines struct {
	mu      sync.Mutex
	written []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = append(l.written, string(p))
	return len(p), nil
}

// take empties the log.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.written
	l.written = nil
	return taken
}

// writer calls itself for each line.
type writer func()

func (w writer) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}
