package bench

import (
	"path/filepath"
	"testing"
	"time"

	"hearth"
	"hearth/internal/sqlite"
)

func TestFill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	open := func() *sqlite.Store {
		store, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	store := open()
	now := time.Now()
	if err := store.CreateWorkGroup(t.Context(), hearth.WorkGroup{Name: hearth.WorkGroupPrimary, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fill(t.Context(), path, 3); err != nil {
		t.Fatal(err)
	}
	store = open()
	defer store.Close()
	all, _, err := store.Sessions(t.Context(), hearth.SessionFilter{WorkGroup: hearth.WorkGroupPrimary}, hearth.Page{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	live, err := store.LiveSessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || len(live) != 0 {
		t.Errorf("%d sessions are on record, %d of them live; want 3 and none", len(all), len(live))
	}
}
