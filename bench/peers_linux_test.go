package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/internal/testenv"
)

// livyAPI answers as Livy does. Its sessions are processes that wait, and count
// everything at once. A loop in Python never stops, whoever cancels it.
type livyAPI struct {
	java        string // a program of that name
	cancelFails bool

	mu         sync.Mutex
	sessions   map[string]*livySession
	statements int
}

type livySession struct {
	java   *process
	states map[string]string // of its statements
	stuck  bool
}

func (l *livyAPI) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(r *http.Request, s *livySession) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			l.mu.Lock()
			defer l.mu.Unlock()
			told, err := answer(r, l.sessions[r.PathValue("id")])
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			json.NewEncoder(w).Encode(told)
		})
	}
	handle("POST /sessions", func(*http.Request, *livySession) (any, error) {
		command := exec.Command(l.java, "-c", "read forever")
		if _, err := command.StdinPipe(); err != nil { // on which nobody writes
			return nil, err
		}
		java, err := begin(command)
		if err != nil {
			return nil, err
		}
		id := fmt.Sprint(len(l.sessions))
		l.sessions[id] = &livySession{java: java, states: make(map[string]string)}
		return map[string]any{"id": id}, nil
	})
	handle("GET /sessions/{id}/state", func(_ *http.Request, s *livySession) (any, error) {
		select {
		case <-s.java.gone:
			return map[string]any{"state": "dead"}, nil
		default:
			return map[string]any{"state": "idle"}, nil
		}
	})
	handle("DELETE /sessions/{id}", func(_ *http.Request, s *livySession) (any, error) {
		s.java.kill()
		return nil, nil
	})
	handle("POST /sessions/{id}/statements", func(r *http.Request, s *livySession) (any, error) {
		var asked struct{ Code string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		l.statements++
		id, state := fmt.Sprint(l.statements), "available"
		switch {
		case s.stuck:
			state = "waiting"
		case strings.HasPrefix(asked.Code, "while"):
			s.stuck, state = true, "running"
		case strings.Contains(asked.Code, "10**12"):
			state = "running"
		}
		s.states[id] = state
		return map[string]any{"id": id}, nil
	})
	handle("GET /sessions/{id}/statements/{statement}", func(r *http.Request, s *livySession) (any, error) {
		return map[string]any{"state": s.states[r.PathValue("statement")], "output": map[string]any{"status": "ok"}}, nil
	})
	handle("POST /sessions/{id}/statements/{statement}/cancel", func(r *http.Request, s *livySession) (any, error) {
		switch {
		case l.cancelFails:
			return nil, io.ErrUnexpectedEOF
		case s.stuck:
			s.states[r.PathValue("statement")] = "cancelling"
		default:
			s.states[r.PathValue("statement")] = "cancelled"
		}
		return map[string]any{"msg": "canceled"}, nil
	})
	return mux
}

// measureLivy measures an API with the client of Livy.
func measureLivy(t *testing.T, l *livyAPI) *bench {
	t.Helper()
	l.java, l.sessions = filepath.Join(t.TempDir(), "java"), make(map[string]*livySession)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := copyFile(l.java, shell); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(l.java, 0o700); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(l.handler())
	t.Cleanup(func() {
		server.Close()
		for _, s := range l.sessions {
			s.java.kill()
		}
	})
	o := ofAMoment()
	o.Progress = t.Output()
	b := &bench{Options: o, scratch: t.TempDir(), engine: testenv.Engine(t), figure: "peers", report: &Report{}}
	if err := b.runPeerClient(t.Context(), sessionPeer{name: "Livy"}, b.scratch, server.Listener.Addr().String(), os.Getpid(), time.Second); err != nil {
		t.Fatal(err)
	}
	return b
}

func samplesOf(r *Report) map[string]int {
	all := make(map[string]int)
	for _, row := range r.Rows {
		all[row.What] += len(row.Samples)
	}
	return all
}

func TestPeerClient(t *testing.T) {
	measured := map[string]int{
		whatStart: 1, fmt.Sprintf(whatTrip, codeNothing): tripsARun, fmt.Sprintf(whatTrip, codeCount): tripsARun,
		whatMemory: 1, whatDeath: 1,
	}
	t.Run("code that ignores its cancel is noted, and the rest is measured", func(t *testing.T) {
		b := measureLivy(t, &livyAPI{})
		want := map[string]int{fmt.Sprintf(whatCancel, "a Spark job"): 1}
		for what, n := range measured {
			want[what] = n
		}
		if diff := cmp.Diff(want, samplesOf(b.report)); diff != "" {
			t.Error(diff)
		}
		if want := []string{"peers: Livy: a Python loop had not stopped 1 s after its cancel"}; !slices.Equal(b.report.Notes, want) || len(b.failures) > 0 {
			t.Errorf("notes %q, failures %v", b.report.Notes, b.failures)
		}
	})
	t.Run("what fails is noted with its reason, and the rest is measured", func(t *testing.T) {
		b := measureLivy(t, &livyAPI{cancelFails: true})
		if diff := cmp.Diff(measured, samplesOf(b.report)); diff != "" {
			t.Error(diff)
		}
		if len(b.report.Notes) != 1 || !strings.HasPrefix(b.report.Notes[0], "peers: not measured, or not all of it: Livy: cancel: RuntimeError: POST /sessions/") ||
			!strings.Contains(b.report.Notes[0], "unexpected EOF") {
			t.Errorf("notes are %q", b.report.Notes)
		}
		if len(b.failures) != 1 || !strings.Contains(b.failures[0].Error(), "in cancelled") {
			t.Errorf("failures do not say where: %v", b.failures)
		}
	})
}
