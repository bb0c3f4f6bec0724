package faultpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/internal/objects"
	"hearth/internal/sqlite"
	"hearth/internal/testenv"
)

// patience bounds a server's life: one that lasts as long is stuck.
const patience = 2 * time.Minute

// TestWalk tells the story of two sessions once undisturbed, and then once for
// each moment that came, with whoever came to it killed there. A server is
// started again. What is true in the end is known: without a server, nothing
// ends otherwise; without a shim, its session fails, and says why.
func TestWalk(t *testing.T) {
	python := testenv.Python(t)
	calm := told(t, python, "")
	calm.check()
	tidy := cleared(t, python, "")
	moments, more := calm.Came(), tidy.Came()
	edits, _ := changed(t, 0)
	restored := powerless(t, python)
	pool := waited(t, python, "").Came()

	t.Run("each moment in the code comes", func(t *testing.T) {
		testenv.CheckMoments(t, "../*/*.go", slices.Concat(moments, more, edits.Came(), restored, pool))
	})
	for _, moment := range moments {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			told(t, python, moment).check()
		})
	}
	for _, moment := range more {
		if slices.Contains(moments, moment) {
			continue
		}
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			cleared(t, python, moment)
		})
	}
	for _, moment := range pool {
		if slices.Contains(moments, moment) || slices.Contains(more, moment) {
			continue
		}
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			waited(t, python, moment)
		})
	}
}

// story is one that was told to its end.
type story struct {
	*testing.T
	testenv.Moments
	home    string
	died    string // who was killed; "" for nobody
	store   *sqlite.Store
	objects *objects.Store
}

func newStory(t *testing.T) *story {
	home := t.TempDir()
	t.Cleanup(func() { testenv.EndDrivers(t, home) })
	return &story{T: t, Moments: testenv.Moments(home), home: home}
}

// told has servers tell the story until one comes to its end.
func told(t *testing.T, python, crash string) *story {
	t.Helper()
	s := newStory(t)
	s.Choose(t, crash)
	lives := 1
	for !s.live("tell", python) {
		lives++
	}
	s.died = s.Died()
	if (s.died != "") != (crash != "") || (s.died == "the server") != (lives == 2) || lives > 2 {
		t.Fatalf("%q died, and there were %d servers", s.died, lives)
	}
	s.open()
	return s
}

// open opens what servers have left.
func (s *story) open() {
	s.Helper()
	var err error
	if s.store, err = sqlite.Open(s.path("hearth.db")); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.store.Close() })
	if s.objects, err = objects.Open(s.path("objects")); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.objects.Close() })
}

// live is one life of a server that does something. It reports whether it came
// to the end of that.
func (s *story) live(does, with string) bool {
	s.Helper()
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, self, does, s.home, with)
	command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	out, err := command.CombinedOutput()
	switch exit, ok := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		err = fmt.Errorf("its story has not ended after %v", patience)
	case ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return false
	}
	if err != nil {
		s.Fatalf("the server: %v\n%s\nanswers:\n%s\nmoments:\n%q", err, out, s.read(answersFile), s.Came())
	}
	return true
}

func (s *story) path(name string) string { return filepath.Join(s.home, name) }

// read gives a file of the story; "" when there is none.
func (s *story) read(name string) string {
	text, _ := os.ReadFile(s.path(name))
	return string(text)
}

// check looks at all that is left of the story.
func (s *story) check() {
	s.Helper()
	ids := s.answered()
	live, err := s.store.LiveSessions(s.Context())
	if err != nil || len(live) > 0 {
		s.Errorf("%d sessions have not ended (%v)", len(live), err)
	}
	all, _, err := s.store.Sessions(s.Context(), hearth.SessionFilter{WorkGroup: hearth.WorkGroupPrimary}, hearth.Page{Limit: 10})
	if err != nil || len(all) != 2 {
		s.Errorf("%d sessions are on record (%v)", len(all), err)
	}
	for _, session := range all {
		if session.ID != ids["session one"] && session.ID != ids["session two"] {
			s.Errorf("nobody was told of session %s", session.ID)
		}
		s.checkSession(session)
		s.checkEvents(session.ID)
	}
	for _, name := range []string{whole, stopped, cut} {
		if id, ok := ids["calculation "+name]; ok {
			s.checkCalculation(name, id)
		} else if s.died != "the shim" {
			s.Errorf("no calculation %s was taken", name)
		}
	}
	s.checkNothingLeft()
	if s.Failed() {
		s.Logf("answers:\n%s\nmoments:\n%q", s.read(answersFile), s.Came())
	}
}

// answered gives the ids by what they are of, after it has checked that no
// answer is another one in the next life.
func (s *story) answered() map[string]string {
	s.Helper()
	ids := make(map[string]string)
	for line := range strings.Lines(s.read(answersFile)) {
		words := strings.Fields(line)
		var name, id string
		switch words[0] {
		case "key":
			name, id = words[0], words[1]
		case "session", "calculation":
			name, id = words[0]+" "+words[1], words[2]
		default:
			continue
		}
		if before, ok := ids[name]; ok && before != id {
			s.Errorf("%s was %s and then %s", name, before, id)
		}
		ids[name] = id
	}
	return ids
}

func (s *story) checkSession(session hearth.Session) {
	s.Helper()
	switch {
	case session.State == hearth.SessionTerminated:
	case s.died == "the shim" && session.State == hearth.SessionFailed && strings.Contains(session.StateChangeReason, "killed"):
	default:
		s.Errorf("session %s is %s: %s", session.ID, session.State, session.StateChangeReason)
	}
	events, err := s.store.Events(s.Context(), session.ID)
	if err != nil {
		s.Error(err)
	}
	if !slices.ContainsFunc(events, func(e hearth.Event) bool { return e.To == string(hearth.SessionCreated) }) {
		return // its driver never ran
	}
	for _, uri := range session.Logs().Copies {
		if log := s.object(uri); !strings.Contains(log, "from=shim") {
			s.Errorf("the log of session %s is %q", session.ID, log)
		}
	}
}

// checkEvents checks that each step follows the one before, in time as well.
func (s *story) checkEvents(sessionID string) {
	s.Helper()
	events, err := s.store.Events(s.Context(), sessionID)
	if err != nil {
		s.Error(err)
	}
	last := make(map[string]hearth.Event)
	for _, e := range events {
		before := last[e.CalculationID]
		if e.From != before.To || e.At.Before(before.At) {
			s.Errorf("after %+v comes %+v", before, e)
		}
		last[e.CalculationID] = e
	}
}

func (s *story) checkCalculation(name, id string) {
	s.Helper()
	c, err := s.store.Calculation(s.Context(), id)
	if err != nil {
		s.Error(err)
		return
	}
	want := hearth.CalculationCanceled
	if name == whole {
		want = hearth.CalculationCompleted
	}
	asked := name == cut && strings.Contains(s.read(answersFile), "end "+c.SessionID) ||
		name == stopped && strings.Contains(s.read(answersFile), "cancel "+id)
	switch {
	case c.State == want && (want == hearth.CalculationCompleted || asked):
	case s.died == "the shim" && c.State == hearth.CalculationFailed && strings.Contains(c.StateChangeReason, "killed"):
	default:
		s.Errorf("calculation %s is %s: %s", name, c.State, c.StateChangeReason)
	}

	marks, stdout := s.read(name), s.object(c.StdoutURI())
	s.object(c.StderrURI())
	s.object(c.ResultDocumentURI())
	switch {
	case c.State == hearth.CalculationCompleted && (marks != "be" || stdout != wholeOutput):
		s.Errorf("calculation %s is %s, has left %q and written %q", name, c.State, marks, stdout)
	case strings.Count(marks, "b") > 1, !strings.HasPrefix(wholeOutput, stdout):
		s.Errorf("calculation %s has left %q and written %q", name, marks, stdout)
	}
}

func (s *story) object(uri string) string {
	s.Helper()
	content, err := s.objects.Open(s.Context(), uri)
	if err != nil {
		s.Errorf("%s: %v", uri, err)
		return ""
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	if err != nil {
		s.Errorf("%s: %v", uri, err)
	}
	return string(text)
}

func (s *story) checkNothingLeft() {
	s.Helper()
	testenv.AwaitNoProcess(s, s.path("drivers"))
	for _, name := range []string{"socket", "temporary", "ballast", "*.new"} {
		left, err := filepath.Glob(s.path("drivers/*/" + name))
		if err != nil || len(left) > 0 {
			s.Errorf("%v is left (%v)", left, err)
		}
	}
}
