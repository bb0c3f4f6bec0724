package main

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hearth"
	"hearth/internal/config"
	"hearth/internal/testenv"
)

// TestWalk takes and restores a backup once undisturbed, and then once for each
// moment that came, with the command killed there. Then the command is given
// again.
func TestWalk(t *testing.T) {
	settings, session := newHome(t)
	earlier := filepath.Join(t.TempDir(), "hearth.tar.gz")
	if _, stderr, status := hearthRun(t, nil, "backup", earlier, "--data", settings.Data); status != 0 {
		t.Fatal(stderr)
	}
	before, err := os.ReadFile(earlier)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(settings.Data, "since"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &walk{settings: settings, session: session, earlier: before}

	backup, restore := w.backup(t, ""), w.restore(t, "")
	t.Run("each moment in the code comes", func(t *testing.T) {
		testenv.CheckMoments(t, "*.go", slices.Concat(backup, restore))
	})
	for _, moment := range backup {
		t.Run("backup/"+moment, func(t *testing.T) { w.backup(t, moment) })
	}
	for _, moment := range restore {
		t.Run("restore/"+moment, func(t *testing.T) { w.restore(t, moment) })
	}
}

type walk struct {
	settings config.Config  // of a server whose data is backed up
	session  hearth.Session // which it has on record
	earlier  []byte         // a backup of before it had the file since
}

// command runs hearth with arguments. It gives the moments that it came to, and
// whether it was killed, at the one that was chosen.
func command(t *testing.T, crash string, args ...string) (came []string, killed bool) {
	t.Helper()
	moments := testenv.Moments(t.TempDir())
	moments.Choose(t, crash)
	c := exec.Command("mortal-hearth", args...)
	// The race detector would have it end a second late.
	c.Env = append(os.Environ(), "MOMENTS="+string(moments), "GORACE=atexit_sleep_ms=0")
	out, err := c.CombinedOutput()
	killed = c.ProcessState != nil && c.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !killed || killed != (moments.Died() != "") {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return moments.Came(), killed
}

// backup takes one where there is an earlier one.
func (w *walk) backup(t *testing.T, crash string) (came []string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "hearth.tar.gz")
	if err := os.WriteFile(file, w.earlier, 0o600); err != nil {
		t.Fatal(err)
	}
	came, killed := command(t, crash, "backup", file, "--data", w.settings.Data)
	if killed != (crash != "") {
		t.Fatal("nobody was killed")
	}
	if killed {
		content, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(content, w.earlier) && !slices.Contains(restored(t, file), "since") {
			t.Errorf("its file is neither the earlier one nor the new one, %v", err)
		}
		command(t, "", "backup", file, "--data", w.settings.Data)
	}
	if names := namesIn(t, dir); !slices.Equal(names, []string{"hearth.tar.gz"}) {
		t.Errorf("there are %v", names)
	}
	if names := restored(t, file); !slices.Contains(names, "since") || !slices.Contains(names, "hearth.db") {
		t.Errorf("it has %v", names)
	}
	return came
}

// restored gives the names that a backup has.
func restored(t *testing.T, file string) []string {
	t.Helper()
	dir := t.TempDir()
	command(t, "", "restore", file, "--data", dir)
	return namesIn(t, dir)
}

// restore brings a backup back. When it was killed with a part of it in place,
// the second one is killed, too, when it has taken that back.
func (w *walk) restore(t *testing.T, crash string) (came []string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "hearth.tar.gz")
	if err := os.WriteFile(file, w.earlier, 0o600); err != nil {
		t.Fatal(err)
	}
	came, killed := command(t, crash, "restore", file, "--data", dir)
	if killed != (crash != "") {
		t.Fatal("nobody was killed")
	}
	if killed {
		w.checkRefused(t, dir)
		command(t, "restore, taken back", "restore", file, "--data", dir)
		w.checkRefused(t, dir)
		command(t, "", "restore", file, "--data", dir)
	}
	s, err := w.serve(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if names := namesIn(t, dir); slices.Contains(names, "restore.partial") || slices.Contains(names, "since") {
		t.Errorf("there are %v", names)
	}
	if _, err := s.store.Session(t.Context(), w.session.ID); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"x/stdout", "x/sealed"} {
		object, err := s.objects.Read(t.Context(), resultsBucket, key)
		if err != nil {
			t.Error(err)
			continue
		}
		object.Close()
	}
	return came
}

func (w *walk) serve(dir string) (*server, error) {
	settings := w.settings
	settings.Data = dir
	return newServer(settings, serverOptions{Log: slog.New(slog.DiscardHandler)})
}

// checkRefused checks that no server starts on a part of a backup. Where there
// is nothing of it yet, or no longer, one may.
func (w *walk) checkRefused(t *testing.T, dir string) {
	t.Helper()
	if slices.Equal(namesIn(t, dir), []string{"server.lock"}) {
		return
	}
	s, err := w.serve(dir)
	if err == nil {
		s.Close()
	}
	if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("with %v, a server: %v", namesIn(t, dir), err)
	}
}
