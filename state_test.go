package hearth_test

import (
	"slices"
	"testing"

	"hearth"
)

func testTransitions[S ~string](t *testing.T, table hearth.Transitions[S], first S, all, final []S) {
	t.Run("has a row for every state and no other", func(t *testing.T) {
		for _, s := range all {
			if _, ok := table[s]; !ok {
				t.Errorf("no row for %s", s)
			}
		}
		if len(table) != len(all) {
			t.Errorf("%d rows for %d states", len(table), len(all))
		}
	})
	t.Run("every state is reached from the first and reaches an end", func(t *testing.T) {
		reach := func(from S) map[S]bool {
			seen := map[S]bool{from: true}
			for queue := []S{from}; len(queue) > 0; queue = queue[1:] {
				for _, next := range table[queue[0]] {
					if !seen[next] {
						seen[next] = true
						queue = append(queue, next)
					}
				}
			}
			return seen
		}
		for _, s := range all {
			if !reach(first)[s] {
				t.Errorf("%s cannot be reached from %s", s, first)
			}
			ends := reach(s)
			if !slices.ContainsFunc(final, func(f S) bool { return ends[f] }) {
				t.Errorf("%s never ends", s)
			}
		}
	})
	t.Run("the final states are the ones without a way on", func(t *testing.T) {
		for _, s := range all {
			if got, want := table.Final(s), slices.Contains(final, s); got != want {
				t.Errorf("Final(%s) is %v", s, got)
			}
		}
		if table.Final("NO SUCH STATE") {
			t.Error("an unknown state counts as final")
		}
	})
	t.Run("Into is Allows the other way round", func(t *testing.T) {
		for _, from := range all {
			for _, to := range all {
				if table.Allows(from, to) != slices.Contains(table.Into(to), from) {
					t.Errorf("%s → %s", from, to)
				}
			}
		}
	})
}

func TestSessionTransitions(t *testing.T) {
	testTransitions(t, hearth.SessionTransitions, hearth.SessionCreating,
		[]hearth.SessionState{
			hearth.SessionCreating, hearth.SessionCreated, hearth.SessionIdle, hearth.SessionBusy,
			hearth.SessionTerminating, hearth.SessionTerminated, hearth.SessionDegraded, hearth.SessionFailed,
		},
		[]hearth.SessionState{hearth.SessionTerminated, hearth.SessionFailed})
}

func TestCalculationTransitions(t *testing.T) {
	testTransitions(t, hearth.CalculationTransitions, hearth.CalculationCreating,
		[]hearth.CalculationState{
			hearth.CalculationCreating, hearth.CalculationCreated, hearth.CalculationQueued, hearth.CalculationRunning,
			hearth.CalculationCanceling, hearth.CalculationCanceled, hearth.CalculationCompleted, hearth.CalculationFailed,
		},
		[]hearth.CalculationState{hearth.CalculationCanceled, hearth.CalculationCompleted, hearth.CalculationFailed})
}
