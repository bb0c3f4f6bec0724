package faultpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	moments := calm.moments()

	t.Run("each moment in the code comes", func(t *testing.T) {
		for _, at := range inCode(t) {
			if !slices.ContainsFunc(moments, at.MatchString) {
				t.Errorf("there is %v in the code, and not in the story", at)
			}
		}
	})
	for _, moment := range moments {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			told(t, python, moment).check()
		})
	}
}

var atPattern = regexp.MustCompile(`faultpoint\.At\("([^"]+)", (?:"([^"]+)")?`)

// inCode gives the moments that are in the code of programs, those that are
// computed as patterns.
func inCode(t *testing.T) []*regexp.Regexp {
	t.Helper()
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []*regexp.Regexp
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if bytes.Contains(text, []byte("faultpoint.Reached")) {
			t.Errorf("%s sets what only tests may", file)
		}
		for _, at := range atPattern.FindAllSubmatch(text, -1) {
			moment := regexp.QuoteMeta(string(at[2]))
			if moment == "" {
				moment = ".+"
			}
			all = append(all, regexp.MustCompile("^"+regexp.QuoteMeta(string(at[1]))+", "+moment+"$"))
		}
	}
	if len(all) == 0 {
		t.Fatal("there is none")
	}
	return all
}

// story is one that was told to its end.
type story struct {
	*testing.T
	home, crash string
	died        string // who was killed; "" for nobody
	store       *sqlite.Store
	objects     *objects.Store
}

// told has servers tell the story until one comes to its end.
func told(t *testing.T, python, crash string) *story {
	t.Helper()
	s := &story{T: t, home: t.TempDir(), crash: crash}
	if err := os.WriteFile(s.path(crashFile), []byte(crash), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testenv.EndDrivers(t, s.home) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	lives := 0
	for ended := false; !ended; lives++ {
		ended = s.live(self, python)
	}
	s.died = s.read(crashedFile)
	if (s.died != "") != (crash != "") || (s.died == "the server") != (lives == 2) || lives > 2 {
		t.Fatalf("%q died, and there were %d servers", s.died, lives)
	}
	if s.store, err = sqlite.Open(s.path("hearth.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	if s.objects, err = objects.Open(s.path("objects")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.objects.Close() })
	return s
}

// live is one life of the server. It reports whether the story is at its end.
func (s *story) live(self, python string) bool {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, self, "serve", s.home, python)
	out, err := command.CombinedOutput()
	switch exit, ok := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		err = fmt.Errorf("its story has not ended after %v", patience)
	case ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return false
	}
	if err != nil {
		s.Fatalf("the server: %v\n%s\nanswers:\n%s\nmoments:\n%s", err, out, s.read(answersFile), s.read(momentsFile))
	}
	return true
}

func (s *story) path(name string) string { return filepath.Join(s.home, name) }

// read gives a file of the story; "" when there is none.
func (s *story) read(name string) string {
	text, _ := os.ReadFile(s.path(name))
	return string(text)
}

// moments are those that came, each once.
func (s *story) moments() []string {
	moments := strings.Split(strings.TrimSpace(s.read(momentsFile)), "\n")
	slices.Sort(moments)
	return slices.Compact(moments)
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
		s.Logf("answers:\n%s\nmoments:\n%s", s.read(answersFile), s.read(momentsFile))
	}
}

// answered gives the ids by what they are of, after it has checked that no
// answer is another one in the next life.
func (s *story) answered() map[string]string {
	s.Helper()
	ids := make(map[string]string)
	for line := range strings.Lines(s.read(answersFile)) {
		words := strings.Fields(line)
		if words[0] != "session" && words[0] != "calculation" {
			continue
		}
		name, id := words[0]+" "+words[1], words[2]
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
