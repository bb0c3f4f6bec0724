package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() hearth.Store {
		path := filepath.Join(t.TempDir(), "hearth.db")
		return func() hearth.Store { return mustOpen(t, path) }
	})
}

// mustOpen leaves the closing to the caller.
func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	store, err := Open(path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return store
}
