package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hearth"
)

func snapshot(t *testing.T, path string) (to, schema string) {
	t.Helper()
	to = database(t)
	schema, err := Snapshot(t.Context(), path, to)
	if err != nil {
		t.Fatal(err)
	}
	return to, schema
}

func TestSnapshot(t *testing.T) {
	t.Run("has what is there, its owner's alone, in one file", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		defer closed(t, store)
		session := newSession(t, store)
		to, schema := snapshot(t, path)
		if schema != Schema() || !KnowsSchema(schema) {
			t.Errorf("its schema is %s", schema)
		}
		if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if entries, err := os.ReadDir(filepath.Dir(to)); err != nil || len(entries) != 1 {
			t.Errorf("beside it are %v, %v", entries, err)
		}
		newSession(t, store) // goes on
		copied := mustOpen(t, to)
		defer closed(t, copied)
		if live, err := copied.LiveSessions(t.Context()); err != nil || len(live) != 1 || live[0].ID != session.ID {
			t.Errorf("it has %v, %v", live, err)
		}
	})

	t.Run("without a server leaves the database as it was", func(t *testing.T) {
		path := database(t)
		closed(t, mustOpen(t, path))
		snapshot(t, path)
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("beside it are %v, %v", entries, err)
		}
	})

	// Each has all of a transaction or nothing, and all that was acknowledged
	// before it was begun.
	t.Run("is of one moment while a server writes", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		defer closed(t, store)
		ensureWorkGroup(t, store)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var mu sync.Mutex
		var acknowledged []string
		var writing sync.WaitGroup
		writing.Go(func() {
			for ctx.Err() == nil {
				session := newSession(t, store)
				id := hearth.NewID(time.Now())
				if _, _, err := store.CreateCalculation(t.Context(), hearth.Calculation{
					ID: id, SessionID: session.ID, State: hearth.CalculationCreating, SubmittedAt: time.Now(),
				}, nil); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, id)
				mu.Unlock()
			}
		})
		for range 5 {
			mu.Lock()
			want := acknowledged
			mu.Unlock()
			to, _ := snapshot(t, path)
			copied := mustOpen(t, to)
			for _, id := range want {
				if _, err := copied.Calculation(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
			live, err := copied.LiveSessions(t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, session := range live {
				_, err := copied.LiveCalculation(t.Context(), session.ID)
				if busy := session.State == hearth.SessionBusy; busy != (err == nil) {
					t.Errorf("a session is %s, and its calculation: %v", session.State, err)
				}
			}
			closed(t, copied)
		}
		stop()
		writing.Wait()
	})

	t.Run("tells the schema of a newer version", func(t *testing.T) {
		path := database(t)
		store, err := open(path, later("CREATE TABLE later (x)"), busyTimeout)
		if err != nil {
			t.Fatal(err)
		}
		closed(t, store)
		if _, schema := snapshot(t, path); schema != "9999_later.sql" || KnowsSchema(schema) {
			t.Errorf("its schema is %s", schema)
		}
	})

	t.Run("says that there is no database, and makes none", func(t *testing.T) {
		path := database(t)
		_, err := Snapshot(t.Context(), path, database(t))
		if hearth.KindOf(err) != hearth.KindNotFound {
			t.Error(err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("it was made")
		}
	})

	t.Run("refuses a damaged database", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		newSession(t, store)
		closed(t, store)
		scribble(t, path, 8192)
		_, err := Snapshot(t.Context(), path, database(t))
		unavailable(t, err, path, "is damaged")
	})
}
