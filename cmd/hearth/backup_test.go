package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/backup"
	"hearth/internal/config"
	"hearth/internal/sqlite"
)

// newHome makes a data directory as a server leaves it: with workgroups, a key,
// an object and a session that goes on.
func newHome(t *testing.T) (settings config.Config, session hearth.Session) {
	t.Helper()
	settings = config.Default()
	settings.Data, settings.Engines, settings.Listen = t.TempDir(), t.TempDir(), "127.0.0.1:0"
	s, err := newServer(settings, serverOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.ensureWorkGroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.objects.CreateBucket(t.Context(), resultsBucket); err != nil {
		t.Fatal(err)
	}
	for _, o := range []hearth.Object{
		{URI: "s3://hearth/x/stdout", ContentType: "text/x-kept"},
		{URI: "s3://hearth/x/sealed", ContentType: "text/x-kept", Encryption: &hearth.Encryption{Option: "SSE_S3"}},
	} {
		if err := s.objects.Put(t.Context(), o, strings.NewReader("kept\n")); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	session, _, err = s.store.CreateSession(t.Context(), hearth.Session{
		ID: hearth.NewID(now), WorkGroup: hearth.WorkGroupPrimary, State: hearth.SessionIdle, StartedAt: now, ModifiedAt: now, IdleSince: now,
	}, hearth.Quotas{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return settings, session
}

// hearthRun runs a command line in this process.
func hearthRun(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, complaint bytes.Buffer
	m := &Main{Stdin: bytes.NewReader(stdin), Stdout: &out, Stderr: &complaint}
	status = m.Run(args)
	return out.String(), complaint.String(), status
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Whoever adds a file to the data directory decides here what becomes of it.
func TestBackup_Contents(t *testing.T) {
	settings, _ := newHome(t)
	dir := settings.Data
	for name, kept := range map[string]bool{
		"hearth.toml": true, "something new": true, // whatever it is
		"drivers/id/journal": false, "engines/3.5.7/python": false, "spark/3.5.7/python": false, "restore.log": true,
		"server.json": false, "server.log": false, "server.json.new": false, "keys.json.123": false, "objects.key.123": false, "authority.pem.123": false, "roots.pem": false, "roots.pem.123": false, ".doctor-1": false, "hearth.db-wal.old": false,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		text := ""
		if kept {
			text = "# kept"
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings.Engines = filepath.Join(dir, "spark")
	archive := filepath.Join(t.TempDir(), "backup.tar.gz")
	command := backupCommand{File: archive}
	if _, err := command.toFile(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, filepath.Dir(archive)); !slices.Equal(names, []string{"backup.tar.gz"}) {
		t.Errorf("beside the backup are %v", names)
	}
	into := filepath.Join(t.TempDir(), "restored")
	if _, stderr, status := hearthRun(t, nil, "restore", archive, "--data", into); status != 0 {
		t.Fatal(stderr)
	}
	want := []string{"authority.pem", "catalog.db", "hearth.db", "hearth.toml", "keys.json", "objects", "objects.key", "restore.log", "server.lock", "something new"}
	if names := namesIn(t, into); !slices.Equal(names, want) {
		t.Errorf("it has %v, and not %v", names, want)
	}
	for _, name := range []string{"authority.pem", "keys.json", "objects.key", "hearth.toml"} {
		was, _ := os.ReadFile(filepath.Join(dir, name))
		is, err := os.ReadFile(filepath.Join(into, name))
		if err != nil || !bytes.Equal(was, is) {
			t.Errorf("%s is %q, %v", name, is, err)
		}
	}
}

func TestBackup_Restore(t *testing.T) {
	settings, session := newHome(t)
	archive := filepath.Join(t.TempDir(), "backup.tar.gz")
	running, err := newServer(settings, serverOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	stdout, stderr, status := hearthRun(t, nil, "backup", archive, "--data", settings.Data)
	if status != 0 || !strings.Contains(stdout, "with results") {
		t.Fatal(stdout, stderr)
	}
	if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has the mode %v, %v", info.Mode(), err)
	}
	serve := func(t *testing.T, dir string) *server {
		t.Helper()
		restored := settings
		restored.Data = dir
		s, err := newServer(restored, serverOptions{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}

	t.Run("beside the running server, everything is there and live sessions have lost their drivers", func(t *testing.T) {
		into := t.TempDir() // empty, and there
		if _, stderr, status := hearthRun(t, nil, "restore", archive, "--data", into); status != 0 {
			t.Fatal(stderr)
		}
		s := serve(t, into)
		for _, key := range []string{"x/stdout", "x/sealed"} {
			object, err := s.objects.Read(t.Context(), "hearth", key)
			if err != nil || object.ContentType != "text/x-kept" {
				t.Fatalf("the object %s is %+v, %v", key, object, err)
			}
			if text, err := io.ReadAll(object); err != nil || string(text) != "kept\n" {
				t.Errorf("%s is %q, %v", key, text, err)
			}
			object.Close()
		}
		if err := s.sessions.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := s.sessions.AwaitSession(t.Context(), session.ID, hearth.SessionIdle)
		if err != nil || got.State != hearth.SessionFailed || !strings.Contains(got.StateChangeReason, "restore from a backup") {
			t.Errorf("the session is %s (%s), %v", got.State, got.StateChangeReason, err)
		}
		if was, err := running.store.Session(t.Context(), session.ID); err != nil || was.State != hearth.SessionIdle {
			t.Errorf("the session of the running server is %s, %v", was.State, err)
		}
	})
	t.Run("through pipes, without results", func(t *testing.T) {
		packed, stderr, status := hearthRun(t, nil, "backup", "-", "--without-results", "--data", settings.Data)
		if status != 0 {
			t.Fatal(stderr)
		}
		into := t.TempDir()
		if _, stderr, status := hearthRun(t, []byte(packed), "restore", "-", "--data", into, "--output", "json"); status != 0 {
			t.Fatal(stderr)
		}
		if names := namesIn(t, into); slices.Contains(names, "objects") || !slices.Contains(names, "keys.json") {
			t.Errorf("it has %v", names)
		}
		serve(t, into)
	})

	refused := func(t *testing.T, file, dir string, words ...string) {
		t.Helper()
		_, stderr, status := hearthRun(t, nil, "restore", file, "--data", dir)
		if status != statusError {
			t.Errorf("exit status %d", status)
		}
		for _, word := range words {
			if !strings.Contains(stderr, word) {
				t.Errorf("%q is without %q", stderr, word)
			}
		}
	}
	t.Run("refuses a directory that a server has", func(t *testing.T) {
		refused(t, archive, settings.Data, settings.Data, "Stop it first", "--data")
	})
	t.Run("refuses a directory that has anything", func(t *testing.T) {
		for _, name := range []string{"hearth.db", "keys.json", "objects", "drivers", "hearth.toml"} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, archive, dir, "empty data directory", dir, name)
		}
	})
	t.Run("refuses a backup of a newer version, naming both", func(t *testing.T) {
		newer := filepath.Join(t.TempDir(), "newer")
		f, err := os.Create(newer)
		if err != nil {
			t.Fatal(err)
		}
		w, err := backup.NewWriter(t.Context(), f, backup.Facts{Format: backup.Format, Version: "v9.9.9", Schema: "9999_later.sql"})
		if err := errors.Join(err, w.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		refused(t, newer, dir, "v9.9.9", "9999_later.sql", version(), sqlite.Schema())
		if names := namesIn(t, dir); !slices.Equal(names, []string{"server.lock"}) {
			t.Errorf("there is %v", names)
		}
	})
	t.Run("refuses a damaged backup, and leaves nothing", func(t *testing.T) {
		content, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		half := filepath.Join(t.TempDir(), "half")
		if err := os.WriteFile(half, content[:len(content)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		refused(t, half, dir, "is damaged", "another copy")
		if names := namesIn(t, dir); !slices.Equal(names, []string{"server.lock"}) {
			t.Errorf("there is %v", names)
		}
		refused(t, filepath.Join(dir, "missing"), dir, "cannot be read", "missing")
	})
	t.Run("does again what was interrupted, and no server starts before that", func(t *testing.T) {
		interrupted := settings
		interrupted.Data = t.TempDir()
		half := filepath.Join(interrupted.Data, "restore.partial", "objects")
		if err := os.MkdirAll(half, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := newServer(interrupted, serverOptions{Log: slog.New(slog.DiscardHandler)})
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "interrupted") || !strings.Contains(err.Error(), "hearth restore") {
			t.Errorf("a server: %v", err)
		}
		if names := namesIn(t, interrupted.Data); slices.Contains(names, "hearth.db") {
			t.Errorf("the server made %v", names)
		}
		if _, stderr, status := hearthRun(t, nil, "restore", archive, "--data", interrupted.Data); status != 0 {
			t.Fatal(stderr)
		}
		serve(t, interrupted.Data)
	})
}

func TestBackup_Twice(t *testing.T) {
	settings, _ := newHome(t)
	file := filepath.Join(t.TempDir(), "hearth.tar.gz")
	aside, err := asideOf(file)
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, status := hearthRun(t, nil, "backup", file, "--data", settings.Data)
	if status != statusError || !strings.Contains(stderr, "Another backup is being written to "+file) {
		t.Errorf("while one is written: exit status %d, %s", status, stderr)
	}
	if err := aside.Close(); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := hearthRun(t, nil, "backup", file, "--data", settings.Data); status != 0 {
		t.Errorf("after it: %s", stderr)
	}
	if names := namesIn(t, filepath.Dir(file)); !slices.Equal(names, []string{"hearth.tar.gz"}) {
		t.Errorf("there are %v", names)
	}
}
