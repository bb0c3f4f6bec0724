package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/testenv"
)

// fakeSession is a server with one session, whose kernel is a function.
type fakeSession struct {
	url string

	mu      sync.Mutex
	changed *sync.Cond
	gone    bool // nobody asks any more
	state   hearth.SessionState
	reason  string
	began   int // sessions
	ran     []fakeCalculation
	stops   int
}

type fakeCalculation struct {
	code           string
	state          hearth.CalculationState
	stdout, stderr string
	result         string // its document
}

// execute does what code says.
func (f *fakeCalculation) execute() {
	verb, rest, _ := strings.Cut(f.code, " ")
	f.state, f.result = hearth.CalculationCompleted, `{"exit_status": 0}`
	switch verb {
	case "print":
		f.stdout = rest + "\n"
	case "value":
		f.result = fmt.Sprintf(`{"outputs": [{"data": {"text/plain": %q}}]}`, rest)
	case "raise":
		f.state, f.stderr, f.result = hearth.CalculationFailed, rest+": it is wrong\n", `{"exit_status": 1, "error": {"ename": "ValueError"}}`
	case "exit":
		f.state, f.result = hearth.CalculationFailed, fmt.Sprintf(`{"exit_status": %s, "error": {"ename": "SystemExit"}}`, rest)
	case "hang", "hold":
		f.state, f.stdout = hearth.CalculationRunning, "begun\n"
	}
}

func newFakeSession(t *testing.T) *fakeSession {
	t.Helper()
	f := &fakeSession{state: hearth.SessionIdle}
	f.changed = sync.NewCond(&f.mu)
	f.url = serveFunc(t, f.serve).URL
	t.Cleanup(func() { f.change(func() { f.gone = true }) })
	return f
}

func (f *fakeSession) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
	f.changed.Broadcast()
}

// await waits until something is so.
func (f *fakeSession) await(is func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !is() {
		f.changed.Wait()
	}
}

func (f *fakeSession) serve(w http.ResponseWriter, r *http.Request) {
	var request struct{ CodeBlock, CalculationExecutionId string }
	json.NewDecoder(r.Body).Decode(&request)
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.changed.Broadcast()
	for r.Header.Get("X-Hearth-While") == string(f.state) && strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetSession") && !f.gone {
		f.changed.Wait()
	}
	calculation := func(id string) *fakeCalculation {
		var i int
		fmt.Sscan(id, &i)
		return &f.ran[i]
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch operation {
	case "StartSession":
		f.began++
		io.WriteString(w, `{"SessionId": "a", "State": "CREATED"}`)
	case "GetSession":
		fmt.Fprintf(w, `{"SessionId": "a", "Status": {"State": %q, "StateChangeReason": %q}}`, f.state, f.reason)
	case "TerminateSession":
		f.state = hearth.SessionTerminated
		io.WriteString(w, `{"State": "TERMINATED"}`)
	case "StartCalculationExecution":
		if f.state != hearth.SessionIdle {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type": "InvalidRequestException", "Message": %q}`, hearth.MessageOf(hearth.NotIdle(f.state)))
			return
		}
		c := fakeCalculation{code: request.CodeBlock}
		c.execute()
		fmt.Fprintf(w, `{"CalculationExecutionId": "%d"}`, len(f.ran))
		f.ran = append(f.ran, c)
	case "GetCalculationExecution":
		c := calculation(request.CalculationExecutionId)
		for !c.state.Ended() && !f.gone {
			f.changed.Wait()
		}
		fmt.Fprintf(w, `{"CalculationExecutionId": %q, "Status": {"State": %q, "StateChangeReason": "why"}}`, request.CalculationExecutionId, c.state)
	case "StopCalculationExecution":
		f.stops++
		if c := calculation(request.CalculationExecutionId); c.code == "hang" {
			c.state, c.result = hearth.CalculationCanceled, `{"exit_status": 130}`
		}
		io.WriteString(w, `{}`)
	default:
		path := strings.Split(r.URL.Path, "/")
		if path[2] == "sessions" {
			io.WriteString(w, `{}`)
			return
		}
		c := calculation(path[3])
		text := map[string]string{"stdout": c.stdout, "stderr": c.stderr, "result": c.result}[path[4]]
		var offset int
		fmt.Sscan(r.URL.Query().Get("offset"), &offset)
		io.WriteString(w, text[offset:])
		w.(http.Flusher).Flush()
		for !c.state.Ended() && !f.gone && path[4] != "result" {
			f.changed.Wait()
		}
	}
}

// is tells the session's state.
func (f *fakeSession) is() hearth.SessionState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// codes are the cells that ran.
func (f *fakeSession) codes() (codes []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.ran {
		codes = append(codes, c.code)
	}
	return codes
}

func TestShell_Piped(t *testing.T) {
	pipe := func(t *testing.T, f *fakeSession, text string, args ...string) (stdout, stderr string, status int) {
		t.Helper()
		var out, complaint bytes.Buffer
		m := &Main{Stdin: strings.NewReader(text), Stdout: &out, Stderr: &complaint}
		status = m.Run(append([]string{"shell", "--data", t.TempDir(), "--endpoint", f.url}, args...))
		return out.String(), complaint.String(), status
	}
	t.Run("cells run in a session of their own, which ends", func(t *testing.T) {
		f := newFakeSession(t)
		stdout, stderr, status := pipe(t, f, "print one\n\nvalue 2\n%%sql\nselect\n")
		if stdout != "one\n2\n" || stderr != "Starting session a\n" || status != 0 {
			t.Errorf("stdout %q, stderr %q, status %d", stdout, stderr, status)
		}
		if diff := cmp.Diff([]string{"print one", "value 2", "%%sql\nselect"}, f.codes()); diff != "" {
			t.Error(diff)
		}
		if f.is() != hearth.SessionTerminated {
			t.Errorf("the session is %s", f.is())
		}
	})
	t.Run("with --keep it goes on", func(t *testing.T) {
		f := newFakeSession(t)
		_, stderr, status := pipe(t, f, "exit()\nprint no", "--keep")
		if !strings.Contains(stderr, "To go on with session a: hearth shell a\n") || status != 0 || f.is() != hearth.SessionIdle || f.codes() != nil {
			t.Errorf("stderr %q, status %d, the session is %s", stderr, status, f.is())
		}
	})
	t.Run("the first cell that fails is the last", func(t *testing.T) {
		for text, want := range map[string]struct {
			stderr string
			status int
		}{
			"raise this\nprint no": {"this: it is wrong\n", 1},
			"exit 3\nprint no":     {"FAILED: why\n", 3},
		} {
			f := newFakeSession(t)
			stdout, stderr, status := pipe(t, f, text, "a")
			if stdout != "" || stderr != want.stderr || status != want.status || len(f.codes()) != 1 || f.began != 0 || f.is() != hearth.SessionIdle {
				t.Errorf("%q: stdout %q, stderr %q, status %d", text, stdout, stderr, status)
			}
		}
	})
	t.Run("a session that has ended is refused with its reason", func(t *testing.T) {
		f := newFakeSession(t)
		f.change(func() { f.state, f.reason = hearth.SessionFailed, "It was killed." })
		_, stderr, status := pipe(t, f, "print no", "a")
		if stderr != "hearth: Session a is FAILED: It was killed.\n" || status != 1 {
			t.Errorf("stderr %q, status %d", stderr, status)
		}
	})
	t.Run("a cell that is too long is refused", func(t *testing.T) {
		f := newFakeSession(t)
		_, stderr, status := pipe(t, f, strings.Repeat("x", hearth.MaxCodeLength+1), "a")
		if !strings.Contains(stderr, "The cell has 68001 characters") || status != 1 {
			t.Errorf("stderr %q, status %d", stderr, status)
		}
	})
	t.Run("a reader of the output that left ends it", func(t *testing.T) {
		f := newFakeSession(t)
		reader, writer := io.Pipe()
		reader.Close()
		var complaint bytes.Buffer
		m := &Main{Stdin: strings.NewReader("print one\nprint two"), Stdout: writer, Stderr: &complaint}
		status := m.Run([]string{"shell", "a", "--data", t.TempDir(), "--endpoint", f.url})
		if status != 1 || !strings.Contains(complaint.String(), "output could not be passed on") || len(f.codes()) != 1 {
			t.Errorf("stderr %q, status %d", complaint.String(), status)
		}
	})
	t.Run("Ctrl-C while it waits for a cell ends it", func(t *testing.T) {
		f := newFakeSession(t)
		signals, over := make(chan os.Signal, 1), make(chan struct{})
		defer close(over)
		reader := readerFunc(func([]byte) (int, error) {
			signals <- os.Interrupt
			<-over
			return 0, io.EOF
		})
		m := &Main{Stdin: reader, Stdout: io.Discard, Stderr: io.Discard, Signals: signals}
		if status := m.Run([]string{"shell", "--data", t.TempDir(), "--endpoint", f.url}); status != 130 || f.is() != hearth.SessionTerminated {
			t.Errorf("status %d, the session is %s", status, f.is())
		}
	})
	t.Run("flags that mean nothing are refused", func(t *testing.T) {
		f := newFakeSession(t)
		for _, args := range [][]string{{"a", "--keep"}, {"a", "--workgroup", "b"}, {"--output", "json"}, {"--idle-timeout", "90s"}} {
			if _, stderr, status := pipe(t, f, "", args...); status != 2 {
				t.Errorf("%v: stderr %q, status %d", args, stderr, status)
			}
		}
	})
}

func openShell(t *testing.T, f *fakeSession, home string, args ...string) *testenv.Terminal {
	t.Helper()
	return testenv.Type(t, exec.Command("hearth", append([]string{"shell", "--data", home, "--endpoint", f.url}, args...)...))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Keys, and what a terminal puts around text that is pasted.
const (
	ctrlC      = "\x03"
	ctrlD      = "\x04"
	ctrlR      = "\x12"
	arrowUp    = "\x1b[A"
	pasteStart = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

func TestShell_Typed(t *testing.T) {
	attached := func(t *testing.T) (*fakeSession, *testenv.Terminal) {
		t.Helper()
		f := newFakeSession(t)
		y := openShell(t, f, t.TempDir(), "a")
		y.Expect("Session a is IDLE. Ctrl-D leaves.\n>>> ")
		return f, y
	}
	t.Run("cells and their values, until Ctrl-D", func(t *testing.T) {
		f, y := attached(t)
		y.Write("print größer\r")
		y.Expect("\ngrößer\n>>> ")
		y.Write("value (\r")
		y.Expect("... ")
		y.Write("1)\r")
		y.Expect("\n(\n1)\n>>> ")
		y.Write("raise this\r")
		y.Expect("\nthis: it is wrong\n>>> ")
		y.Write(ctrlD)
		y.Leaves(0)
		if diff := cmp.Diff([]string{"print größer", "value (\n1)", "raise this"}, f.codes()); diff != "" {
			t.Error(diff)
		}
		if f.is() != hearth.SessionIdle {
			t.Errorf("the session is %s", f.is())
		}
	})
	t.Run("a session of its own ends with exit", func(t *testing.T) {
		f := newFakeSession(t)
		y := openShell(t, f, t.TempDir())
		y.Expect("Starting session a\n")
		y.Expect(">>> ")
		y.Write("exit\r")
		y.Leaves(0)
		if f.began != 1 || f.is() != hearth.SessionTerminated {
			t.Errorf("%d sessions began, the last is %s", f.began, f.is())
		}
	})
	t.Run("Ctrl-C forgets the cell", func(t *testing.T) {
		f, y := attached(t)
		y.Write("if x:\r")
		y.Expect("... ")
		y.Write("  print no" + ctrlC)
		y.Expect("^C\n>>> ")
		y.Write("print yes\r")
		y.Expect("\nyes\n>>> ")
		if diff := cmp.Diff([]string{"print yes"}, f.codes()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("Ctrl-C cancels the calculation", func(t *testing.T) {
		_, y := attached(t)
		y.Write("hang\r")
		y.Expect("begun\n")
		y.Write(ctrlC)
		y.Expect("^C\nCANCELED\n>>> ")
		y.Write("print on\r")
		y.Expect("\non\n>>> ")
	})
	t.Run("Ctrl-C twice leaves a calculation that does not stop", func(t *testing.T) {
		f, y := attached(t)
		y.Write("hold\r")
		y.Expect("begun\n")
		y.Write(ctrlC)
		f.await(func() bool { return f.stops == 1 })
		y.Write(ctrlC)
		y.Leaves(130)
	})
	t.Run("what is pasted waits for Enter, empty lines and all", func(t *testing.T) {
		f, y := attached(t)
		y.Write(pasteStart + "def f():\r\r\treturn 1\rprint 1" + pasteEnd)
		y.Expect("... print 1")
		y.Write("\r\r")
		y.Expect(">>> ")
		if diff := cmp.Diff([]string{"def f():\n\n\treturn 1\nprint 1\n"}, f.codes()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a paste that is longer than the terminal's buffer is taken whole, and shown once", func(t *testing.T) {
		f, y := attached(t)
		paste := strings.Repeat("x = 'a line of some length, which a terminal does not change'\r", 1000)
		y.Write(pasteStart + paste + "print 1" + pasteEnd + "\r")
		shown := y.Expect("... print 1\n>>> ")
		if n := strings.Count(shown, "a line of some length"); n != 1000 {
			t.Errorf("%d lines are shown", n)
		}
		if diff := cmp.Diff([]string{strings.ReplaceAll(paste, "\r", "\n") + "print 1"}, f.codes()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("Tab indents", func(t *testing.T) {
		f, y := attached(t)
		y.Write("if x:\r")
		y.Expect("... ")
		y.Write("\ty\r")
		y.Expect("... ")
		y.Write("\r")
		y.Expect(">>> ")
		if diff := cmp.Diff([]string{"if x:\n    y\n"}, f.codes()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the history is there for the next shell", func(t *testing.T) {
		f, home := newFakeSession(t), t.TempDir()
		y := openShell(t, f, home, "a")
		y.Expect(">>> ")
		for _, line := range []string{"print one", "print two", "value 3"} {
			y.Write(line + "\r")
			y.Expect("\n>>> ")
		}
		y.Write(ctrlD)
		y.Leaves(0)
		next := openShell(t, f, home, "a")
		next.Expect(">>> ")
		next.Write(arrowUp + "\r")
		next.Expect("\n3\n>>> ")
		next.Write("print" + ctrlR + ctrlR + "\r")
		next.Expect("\none\n>>> ")
		info, err := os.Stat(filepath.Join(home, "shell.history"))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("a session that others keep busy is waited for", func(t *testing.T) {
		f, y := attached(t)
		f.change(func() { f.state = hearth.SessionBusy })
		y.Write("print mine\r")
		y.Expect("\nSession a is BUSY. Waiting until it is IDLE.\n")
		f.change(func() { f.state = hearth.SessionIdle })
		y.Expect("mine\n>>> ")

		f.change(func() { f.state = hearth.SessionBusy })
		y.Write("print no\r")
		y.Expect("\nSession a is BUSY. Waiting until it is IDLE.\n")
		y.Write(ctrlC)
		y.Expect("^C\nThe cell was not run.\n>>> ")
	})
	t.Run("a session that is not ready is waited for", func(t *testing.T) {
		f := newFakeSession(t)
		f.change(func() { f.state = hearth.SessionCreated })
		y := openShell(t, f, t.TempDir(), "a")
		y.Expect("Session a is CREATED. Waiting until it is IDLE.\n")
		f.change(func() { f.state = hearth.SessionIdle })
		y.Expect(">>> ")
	})
	t.Run("a session that ends meanwhile ends it", func(t *testing.T) {
		f, y := attached(t)
		y.Write("half a li")
		y.Expect("half a li")
		f.change(func() { f.state, f.reason = hearth.SessionTerminated, "It had nothing to do." })
		y.Expect("\nhearth: Session a is TERMINATED: It had nothing to do.\n")
		y.Leaves(1)
	})
	t.Run("SIGTERM ends it", func(t *testing.T) {
		f := newFakeSession(t)
		y := openShell(t, f, t.TempDir())
		y.Expect(">>> ")
		y.Command.Process.Signal(syscall.SIGTERM)
		y.Leaves(130)
		if f.is() != hearth.SessionTerminated {
			t.Errorf("the session is %s", f.is())
		}
	})
}

func TestShell_runCell(t *testing.T) {
	t.Run("goes on with the server's successor", func(t *testing.T) {
		f := newFakeSession(t)
		var first *httptest.Server
		var gone atomic.Bool
		first = serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
			if gone.Load() {
				panic(http.ErrAbortHandler)
			}
			if !strings.HasSuffix(r.URL.Path, "/stdout") {
				f.serve(w, r)
				return
			}
			io.WriteString(w, "begun\n")
			w.(http.Flusher).Flush()
			first.Listener.Close()
			gone.Store(true)
			f.change(func() {
				c := &f.ran[0]
				c.state, c.stdout, c.stderr = hearth.CalculationCompleted, "begun\nended\n", "and this\n"
			})
			panic(http.ErrAbortHandler)
		})
		second := serveFunc(t, f.serve)
		var stdout, stderr bytes.Buffer
		s := &shell{client: dial(t, first, second), session: "a", stdout: &stdout}
		s.lines, _ = openLines(&Main{Stdin: strings.NewReader(""), Stderr: &stderr})
		defer s.heed(nil)()
		if status, err := s.runCell("hold"); status != 0 || err != nil {
			t.Errorf("%d, %v", status, err)
		}
		if stdout.String() != "begun\nended\n" || stderr.String() != "and this\n" || len(f.codes()) != 1 {
			t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
		}
	})
}

func TestHistory(t *testing.T) {
	t.Run("is made shorter when it has grown", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "history")
		var lines strings.Builder
		for i := range 2 * historyLines {
			fmt.Fprintf(&lines, "line %d\n", i)
		}
		if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := openHistory(file)
		if err != nil || h.Len() != historyLines || h.At(0) != "line 1999" {
			t.Errorf("%d lines, %v", h.Len(), err)
		}
		h.Add("last")
		again, err := openHistory(file)
		if err != nil || len(again.lines) != historyLines+1 || again.Len() != historyLines || again.At(0) != "last" || again.At(1) != "line 1999" {
			t.Errorf("%d lines, %v", len(again.lines), err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("is without repetitions, nothing and what is too long", func(t *testing.T) {
		h := &typed{file: filepath.Join(t.TempDir(), "history")}
		for _, line := range []string{"one", "one", " ", strings.Repeat("x", historyLineLength+1), "two", "one"} {
			h.Add(line)
		}
		if diff := cmp.Diff([]string{"one", "two", "one"}, h.lines); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("that cannot be read is a note, and not the shell's end", func(t *testing.T) {
		h, err := openHistory(t.TempDir())
		if hearth.KindOf(err) != hearth.KindUnavailable {
			t.Error(err)
		}
		h.Add("one")
		if h.Len() != 1 {
			t.Error("a line is lost")
		}
	})
}
