package rest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"runtime/metrics"
	"slices"

	"hearth"
	"hearth/internal/awsjson"
)

// Figures is what metrics are made of.
type Figures interface {
	// Figures returns KindUnavailable when they cannot be read now.
	Figures(ctx context.Context) (hearth.Figures, error)
}

// Metrics serves figures in the text form of Prometheus.
func Metrics(of Figures, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		figures, err := of.Figures(r.Context())
		if err != nil {
			log.ErrorContext(r.Context(), "figures cannot be read", "error", err)
			awsjson.WriteError(w, refusal(err))
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		writeMetrics(w, figures)
	})
}

// goFigures are the Go runtime's, by the names that they have with runtime/metrics.
// To Prometheus they have those that its own client for Go gives them.
var goFigures = []struct{ of, name, help string }{
	{"/sched/goroutines:goroutines", "go_goroutines", "Goroutines that there are."},
	{"/memory/classes/heap/objects:bytes", "go_memstats_heap_alloc_bytes", "Memory of objects, live or not yet collected."},
	{"/gc/heap/live:bytes", "go_gc_heap_live_bytes", "Memory of the objects that the last collection found alive; 0 before the first."},
}

func writeMetrics(w io.Writer, f hearth.Figures) {
	head := func(name, kind, help string) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	one := func(name, kind, help string, value any) {
		head("hearth_"+name, kind, help)
		fmt.Fprintf(w, "hearth_%s %v\n", name, value)
	}
	head("hearth_sessions", "gauge", "Sessions that have not ended, by state.")
	for _, state := range slices.SortedFunc(maps.Keys(hearth.SessionTransitions), cmp.Compare[hearth.SessionState]) {
		if !state.Ended() {
			fmt.Fprintf(w, "hearth_sessions{state=%q} %d\n", state, f.Sessions[state])
		}
	}
	one("sessions_waiting", "gauge", "Sessions that wait for their turn; they are CREATING.", f.Waiting)

	p := f.Pool
	one("warm_drivers_wanted", "gauge", "How many drivers are to wait for sessions.", p.Size)
	one("warm_drivers", "gauge", "Drivers that wait for a session.", p.Warm)
	one("warm_drivers_starting", "gauge", "Drivers that are being started ahead of a session.", p.Starting)
	one("warm_driver_oldest_seconds", "gauge", "How long the oldest of them has been there; 0 without one.", p.Oldest.Seconds())
	one("warm_driver_hits_total", "counter", "Sessions that got a driver that was started ahead.", p.Hits)
	one("warm_driver_misses_total", "counter", "Sessions that had to start one.", p.Misses)
	one("warm_driver_launches_total", "counter", "Drivers that were launched ahead.", p.Launched)
	one("warm_driver_failures_total", "counter", "Drivers that were launched ahead and came to nothing.", p.Failed)
	one("warm_driver_ends_total", "counter", "Drivers that ended without a session.", p.Ended)

	samples := make([]metrics.Sample, len(goFigures))
	for i, figure := range goFigures {
		samples[i].Name = figure.of
	}
	metrics.Read(samples)
	for i, figure := range goFigures {
		head(figure.name, "gauge", figure.help)
		fmt.Fprintf(w, "%s %d\n", figure.name, samples[i].Value.Uint64())
	}
}
