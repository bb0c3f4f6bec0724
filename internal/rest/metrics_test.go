package rest_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/rest"
)

type counted struct {
	figures hearth.Figures
	err     error
}

func (c counted) Figures(context.Context) (hearth.Figures, error) { return c.figures, c.err }

func TestMetrics(t *testing.T) {
	get := func(of counted) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		rest.Metrics(of, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w
	}
	t.Run("are what Prometheus reads", func(t *testing.T) {
		runtime.GC() // its first may have to come
		w := get(counted{figures: hearth.Figures{
			Sessions: map[hearth.SessionState]int{hearth.SessionIdle: 2, hearth.SessionCreating: 1}, Waiting: 1,
			Pool: hearth.PoolState{Size: 2, Warm: 1, Starting: 1, Oldest: 90 * time.Second, PoolCounts: hearth.PoolCounts{Hits: 5, Misses: 4, Launched: 8, Failed: 1, Ended: 2}},
		}})
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != "text/plain; version=0.0.4; charset=utf-8" {
			t.Errorf("%d, %s", w.Code, got)
		}
		line := regexp.MustCompile(`^(# (HELP (hearth|go)_\w+ .+|TYPE (hearth|go)_\w+ (gauge|counter))|(hearth|go)_\w+(\{\w+="\w+"\})? [0-9.e+]+)$`)
		for text := range strings.Lines(w.Body.String()) {
			if !line.MatchString(strings.TrimSuffix(text, "\n")) {
				t.Errorf("%q", text)
			}
		}
		for _, want := range []string{
			`hearth_sessions{state="IDLE"} 2`, `hearth_sessions{state="BUSY"} 0`, "hearth_sessions_waiting 1", "hearth_warm_drivers 1",
			"hearth_warm_driver_oldest_seconds 90", "hearth_warm_driver_hits_total 5", "hearth_warm_driver_misses_total 4",
		} {
			if !strings.Contains(w.Body.String(), want+"\n") {
				t.Errorf("%s is not in\n%s", want, w.Body)
			}
		}
		for _, some := range []string{"go_goroutines", "go_memstats_heap_alloc_bytes", "go_gc_heap_live_bytes"} {
			if !regexp.MustCompile(`(?m)^` + some + ` [1-9][0-9]*$`).Match(w.Body.Bytes()) {
				t.Errorf("%s is not told in\n%s", some, w.Body)
			}
		}
		if strings.Contains(w.Body.String(), "TERMINATED") {
			t.Error("sessions that have ended are counted")
		}
	})
	t.Run("that cannot be read are an error", func(t *testing.T) {
		if w := get(counted{err: errors.New("the disk")}); w.Code != http.StatusInternalServerError {
			t.Errorf("%d", w.Code)
		}
	})
}
