package bench

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadMetrics(t *testing.T) {
	t.Run("gives what has no labels", func(t *testing.T) {
		const text = "# HELP hearth_sessions Sessions that have not ended, by state.\n# TYPE hearth_sessions gauge\n" +
			"hearth_sessions{state=\"IDLE\"} 2\nhearth_warm_drivers 1\ngo_gc_heap_live_bytes 2.5e+06\n"
		got, err := readMetrics(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]float64{"hearth_warm_drivers": 1, "go_gc_heap_live_bytes": 2.5e6}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("refuses what is no figure", func(t *testing.T) {
		if got, err := readMetrics(strings.NewReader("hearth_warm_drivers many\n")); err == nil {
			t.Errorf("it reads %v", got)
		}
	})
}
