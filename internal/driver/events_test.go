package driver_test

import (
	"os"
	"path/filepath"
	"testing"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
)

func TestDrivers_Events(t *testing.T) {
	dir := t.TempDir()
	drivers := driver.New(driver.Config{Dir: dir})
	bundle := func(id string, logs ...string) string {
		events := filepath.Join(dir, id, shim.EventsDir)
		if err := os.MkdirAll(events, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range logs {
			if err := os.WriteFile(filepath.Join(events, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return events
	}
	events := bundle("one", "local-1.zstd")
	bundle("none")

	t.Run("are where Spark wrote them", func(t *testing.T) {
		if got, err := drivers.Events("one"); err != nil || got != events {
			t.Errorf("%s, %v", got, err)
		}
	})
	for id, kind := range map[string]hearth.Kind{"none": hearth.KindNotFound, "never": hearth.KindNotFound, "../one": hearth.KindInvalid} {
		t.Run("are not there for "+id, func(t *testing.T) {
			if got, err := drivers.Events(id); hearth.KindOf(err) != kind {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}
