package testenv

import (
	"io"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// Terminal is one that a command runs in, and the person before it.
type Terminal struct {
	Command *exec.Cmd

	t        *testing.T
	terminal *os.File
	before   *term.State

	mu    sync.Mutex
	came  *sync.Cond
	shown string // and not expected yet
	over  bool   // no more comes, or none in time
}

// Type starts a command in a terminal. The test's end kills it.
func Type(t *testing.T, command *exec.Cmd) *Terminal {
	t.Helper()
	y := &Terminal{Command: command, t: t}
	y.came = sync.NewCond(&y.mu)
	terminal, program, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	y.terminal = terminal
	if y.before, err = term.GetState(int(program.Fd())); err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	command.Stdin, command.Stdout, command.Stderr = program, program, program
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = command.Start()
	program.Close()
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		y.read()
	}()
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		<-read
		terminal.Close()
	})
	return y
}

func (y *Terminal) read() {
	for content := make([]byte, 4096); ; {
		n, err := y.terminal.Read(content)
		y.mu.Lock()
		y.shown += string(content[:n])
		y.over = y.over || err != nil // once nobody has the other side
		y.came.Broadcast()
		y.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// control is what moves the cursor or colors text.
var control = regexp.MustCompile(`\x1b\[[?\d;]*[A-Za-z]|\r`)

// Expect waits until text is shown, and gives what was shown before it.
func (y *Terminal) Expect(text string) (before string) {
	y.t.Helper()
	late := time.AfterFunc(3*time.Minute, func() {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.over = true
		y.came.Broadcast()
	})
	defer late.Stop()
	y.mu.Lock()
	defer y.mu.Unlock()
	for {
		if before, after, ok := strings.Cut(control.ReplaceAllString(y.shown, ""), text); ok {
			y.shown = after
			return before
		}
		if y.over {
			y.t.Fatalf("%q was not shown, but %q", text, y.shown)
		}
		y.came.Wait()
	}
}

// Write presses keys.
func (y *Terminal) Write(keys string) {
	y.t.Helper()
	if _, err := io.WriteString(y.terminal, keys); err != nil {
		y.t.Fatal(err)
	}
}

// Leaves waits for the command's exit status, and checks that the terminal is
// as it was before.
func (y *Terminal) Leaves(want int) {
	y.t.Helper()
	y.Command.Wait()
	y.mu.Lock()
	defer y.mu.Unlock()
	if status := y.Command.ProcessState.ExitCode(); status != want {
		y.t.Errorf("exit status %d, and not %d: %q", status, want, y.shown)
	}
	after, err := term.GetState(int(y.terminal.Fd()))
	if err != nil || !reflect.DeepEqual(y.before, after) {
		y.t.Errorf("the terminal was %+v and is %+v, %v", y.before, after, err)
	}
}
