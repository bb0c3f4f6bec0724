package storetest_test

import (
	"path/filepath"
	"testing"

	"hearth"
	"hearth/internal/recent"
	"hearth/internal/sqlite"
	"hearth/internal/storetest"
)

// A server has memory before its database. It is tested here, because the race
// detector makes a second run of the suite dear; recent's own tests have it.
func TestRecent(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() hearth.Store {
		path := filepath.Join(t.TempDir(), "hearth.db")
		return func() hearth.Store {
			store, err := sqlite.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			return recent.New(store)
		}
	})
}
