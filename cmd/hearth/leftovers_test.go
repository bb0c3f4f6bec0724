package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/config"
	"hearth/internal/driver"
	"hearth/internal/shim"
	"hearth/internal/testenv"
)

// lightDrivers are drivers of a data directory that are Python without Spark.
// None of their processes outlives the test.
func lightDrivers(t *testing.T, settings config.Config) *driver.Drivers {
	t.Helper()
	program, err := exec.LookPath("hearth") // this test, as that program
	if err != nil {
		t.Fatal(err)
	}
	python := testenv.Python(t)
	dir := home(settings.Data).driversDir()
	t.Cleanup(func() {
		running, err := shim.Running(dir)
		if err != nil {
			t.Error(err)
		}
		for _, identity := range running {
			if err := identity.KillLeftovers(); err != nil {
				t.Error(err)
			}
		}
	})
	return driver.New(driver.Config{
		Dir: dir, Shim: []string{program, "shim"},
		Heartbeat: time.Hour, // or a shim without files would end by itself
		Prepare: func(_ context.Context, _ hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
			return shim.Process{Argv: []string{python, filepath.Join(bundle, shim.KernelFile)}, Env: []string{"HOME=" + bundle, "PATH=/usr/bin:/bin"}}, nil, nil
		},
	})
}

func TestDoctor_Leftovers(t *testing.T) {
	settings, session := newHome(t)
	at := home(settings.Data)
	drivers := lightDrivers(t, settings)
	launch := func(id string, warm *hearth.Warm) {
		t.Helper()
		d, err := drivers.Launch(t.Context(), hearth.Launch{SessionID: id, Warm: warm})
		if err != nil {
			t.Fatal(err)
		}
		ready := errors.New("ready")
		err = d.Follow(t.Context(), 0, func(e hearth.DriverEvent) error {
			if e.Type == hearth.DriverReady || e.Type == hearth.DriverWarm {
				return ready
			}
			return nil
		})
		if !errors.Is(err, ready) {
			t.Fatal(err)
		}
	}
	launch(session.ID, nil) // on record, and live
	launch("stray", nil)
	launch("homeless", nil)
	launch("waiting", &hearth.Warm{Key: "key", Age: time.Hour})
	running, err := shim.Running(at.driversDir())
	if err != nil || len(running) != 4 {
		t.Fatalf("%v run, %v", running, err)
	}
	homeless := running[filepath.Join(at.driversDir(), "homeless")]
	if err := os.RemoveAll(filepath.Join(at.driversDir(), "homeless")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"drivers/unknown/work/file", "drivers/.removed-other/work/file", ".doctor-1", "keys.json.1", "objects/.new/half"} {
		path := filepath.Join(settings.Data, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(fix, served bool) string {
		d := &doctor{fix: fix, settings: settings, at: at}
		d.leftovers(t.Context(), served)
		var found strings.Builder
		for _, f := range d.findings {
			found.WriteString(string(f.Status) + ": " + f.Found + " → " + f.Remedy + "\n")
		}
		return found.String()
	}
	has := func(t *testing.T, found string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(found, part) {
				t.Errorf("%q is not in\n%s", part, found)
			}
		}
	}
	locked := func(id string) bool {
		locked, err := shim.Locked(filepath.Join(at.driversDir(), id))
		return err == nil && locked
	}

	t.Run("are found, and nothing is changed", func(t *testing.T) {
		before := filesIn(t, settings.Data)
		has(
			t, look(false, false),
			"warning: drivers whose sessions are not on record: other, stray, unknown → To remove them: hearth doctor --fix",
			"though their files are gone: ", "homeless",
			"temporary files: ", ".doctor-1", "keys.json.1", "objects/.new/half",
			"sessions that go on without a server, until they have been idle for long enough: 1",
			"ok: waiting for sessions, until the next server comes or they are 1h0m0s old: 1",
		)
		if after := filesIn(t, settings.Data); !slices.Equal(before, after) {
			t.Errorf("there were %v, and are %v", before, after)
		}
		if !locked(session.ID) || !locked("stray") || !locked("waiting") {
			t.Error("a driver has ended")
		}
	})
	t.Run("are not those of a running server", func(t *testing.T) {
		if found := look(false, true); strings.Contains(found, "temporary") || strings.Contains(found, "without a server") {
			t.Error(found)
		}
	})
	t.Run("are left where the database cannot tell whose they are", func(t *testing.T) {
		aside := filepath.Join(t.TempDir(), "hearth.db")
		if err := os.Rename(at.storeFile(), aside); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := os.Rename(aside, at.storeFile()); err != nil {
				t.Fatal(err)
			}
		}()
		d := &doctor{fix: true, settings: settings, at: at}
		strays := d.strays(t.Context(), drivers, false)
		if len(strays.names) > 0 || len(d.findings) != 1 || !strings.Contains(d.findings[0].Found, "no database") {
			t.Errorf("%v, %v", strays.names, d.findings)
		}
	})
	t.Run("are removed, and what is of a live session stays", func(t *testing.T) {
		before := filesIn(t, filepath.Join(at.driversDir(), session.ID))
		has(
			t, look(true, false),
			"fixed: drivers whose sessions are not on record, removed: other, stray, unknown", "fixed: temporary files", "fixed: drivers that run",
		)
		if names := namesIn(t, at.driversDir()); !slices.Equal(names, []string{session.ID, "waiting"}) {
			t.Errorf("there is %v", names)
		}
		if !locked(session.ID) || !locked("waiting") {
			t.Error("the driver of the live session, or one that waits for a session, has ended")
		}
		if after := filesIn(t, filepath.Join(at.driversDir(), session.ID)); !slices.Equal(before, after) {
			t.Errorf("there were %v, and are %v", before, after)
		}
		if running, err := shim.Running(at.driversDir()); err != nil || len(running) != 2 {
			t.Errorf("%v run, %v; homeless was %v", running, err, homeless)
		}
		if found := look(false, false); strings.Contains(found, "--fix") {
			t.Errorf("there is still\n%s", found)
		}
	})
	t.Run("are none when the session has ended on record", func(t *testing.T) {
		d, _, err := drivers.Recover(t.Context(), session.ID)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = d.End(ctx)
		if err := errors.Join(err, d.Follow(ctx, 0, func(hearth.DriverEvent) error { return nil })); err != nil {
			t.Fatal(err)
		}
		look(true, false)
		if names := namesIn(t, at.driversDir()); !slices.Equal(names, []string{session.ID, "waiting"}) {
			t.Errorf("there is %v", names)
		}
	})
}

// filesIn lists all that is in a directory and below.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if !strings.HasPrefix(filepath.Base(path), "hearth.db-") { // SQLite's own, while somebody looks
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
