package storetest

import (
	"testing"
	"time"

	"hearth"
)

// placed makes objects that a change may have on record.
func placed(ids ...string) (all []hearth.Unsynced) {
	for _, id := range ids {
		all = append(all, hearth.Unsynced{ID: id, URI: "s3://hearth/" + id, Kept: []byte("kept \x00\xff of " + id)})
	}
	return all
}

func (s suite) unsynced(t *testing.T) {
	has := func(t *testing.T, store hearth.Store, want ...hearth.Unsynced) {
		t.Helper()
		got, err := store.Unsynced(t.Context())
		if err != nil {
			t.Fatalf("Unsynced: %v", err)
		}
		same(t, got, want)
	}
	noted := func(t *testing.T, store hearth.Store, ids ...string) {
		t.Helper()
		if err := store.NoteSynced(t.Context(), ids); err != nil {
			t.Fatalf("NoteSynced: %v", err)
		}
	}
	end := func(c hearth.Calculation, objects []hearth.Unsynced) hearth.Change {
		return hearth.Change{
			Session:     &hearth.SessionChange{ID: c.SessionID, To: hearth.SessionIdle, At: after(time.Second)},
			Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCompleted, At: after(time.Second)},
			Unsynced:    objects,
		}
	}

	t.Run("objects come with a change and stay until they are noted, in the order in which they came", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		store := open()
		first, second := placed("c", "a"), placed("b")
		for _, objects := range [][]hearth.Unsynced{first, second} {
			if err := store.Apply(t.Context(), end(addCalculation(t, store, hearth.CalculationRunning), objects)); err != nil {
				t.Fatal(err)
			}
		}
		has(t, store, append(first, second...)...)
		noted(t, store, "a", "absent")
		store = open()
		has(t, store, first[0], second[0])
		noted(t, store, "b", "c")
		noted(t, store)
		has(t, store)
	})

	t.Run("a change that is refused leaves none", func(t *testing.T) {
		store := s.open(t)
		c := addCalculation(t, store, hearth.CalculationCanceling)
		refused(t, store.Apply(t.Context(), end(c, placed("a"))), hearth.KindConflict)
		has(t, store)
	})
}
