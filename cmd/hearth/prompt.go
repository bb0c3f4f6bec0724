package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// lines is what a shell reads.
type lines interface {
	// read gives the next line, without its end. pasted says that it was not
	// typed, and more may follow at once. The errors are io.EOF, errInterrupted
	// and those of reading.
	read(prompt string) (line string, pasted bool, err error)
	// rest gives the terminal back as it was, until the next read. Between the
	// lines of a cell it is not: some may be on their way.
	rest()
	// Write writes beside the prompt.
	io.Writer
	// close ends reading, also while somebody waits for a line.
	close()
}

// errInterrupted is Ctrl-C at a prompt.
var errInterrupted = errors.New("interrupted")

// openLines reads from a terminal with editing, from all else as it comes. What
// a shell says about itself goes to stderr, prompts among it, as shells have it.
func openLines(m *Main) (l lines, interactive bool) {
	in, _ := m.Stdin.(*os.File)
	screen, _ := m.Stderr.(*os.File)
	if in != nil && screen != nil && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(screen.Fd())) {
		return newEditor(in, screen), true
	}
	return &piped{bufio.NewReader(m.Stdin), m.Stderr}, false
}

// piped are lines of a file or a program.
type piped struct {
	in *bufio.Reader
	io.Writer
}

func (p *piped) read(string) (string, bool, error) {
	line, err := p.in.ReadString('\n')
	if line != "" && err == io.EOF {
		err = nil // the next read says so
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), false, err
}

func (p *piped) rest()  {}
func (p *piped) close() {}

// editor reads lines from a terminal, which is raw meanwhile: Ctrl-C is a signal
// while code runs, and a character at a prompt.
type editor struct {
	in, screen *os.File
	history    *typed
	resized    chan os.Signal // SIGWINCH

	mu       sync.Mutex
	cooked   *term.State    // while it is raw
	terminal *term.Terminal // has what was typed ahead
	reading  bool
	found    int // in the history, by Ctrl-R
	sought   string
}

func newEditor(in, screen *os.File) *editor {
	e := &editor{in: in, screen: screen, history: &typed{}, resized: make(chan os.Signal, 1)}
	signal.Notify(e.resized, syscall.SIGWINCH)
	go func() {
		for range e.resized {
			e.fit()
		}
	}()
	e.renew()
	return e
}

// renew forgets the line that is being edited.
func (e *editor) renew() {
	e.terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{interruptible{e.in}, e.screen}, "")
	e.terminal.AutoCompleteCallback = e.press
}

// fit tells the width of the window, which decides where a long line wraps.
func (e *editor) fit() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if width, height, err := term.GetSize(int(e.screen.Fd())); err == nil {
		e.terminal.SetSize(cmp.Or(width, 80), cmp.Or(height, 24)) // some terminals do not know theirs
	}
}

func (e *editor) read(prompt string) (line string, pasted bool, err error) {
	e.fit()
	terminal, err := e.prepare(prompt)
	if err != nil {
		return "", false, err
	}
	line, err = terminal.ReadLine()
	pasted = errors.Is(err, term.ErrPasteIndicator)
	if pasted {
		err = nil
	}
	e.mu.Lock()
	e.reading = false
	if err != nil {
		e.renew()
	}
	e.mu.Unlock()
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(e, "^C")
	case err != nil:
		fmt.Fprintln(e)
	}
	return line, pasted, err
}

// prepare makes the terminal raw, unless it is.
func (e *editor) prepare(prompt string) (terminal *term.Terminal, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cooked == nil {
		if e.cooked, err = term.MakeRaw(int(e.in.Fd())); err != nil {
			return nil, err
		}
		e.terminal.SetBracketedPasteMode(true)
	}
	e.terminal.History = e.history
	e.terminal.SetPrompt(prompt)
	e.found, e.sought = -1, ""
	e.reading = true
	return e.terminal, nil
}

func (e *editor) rest() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cooked == nil {
		return
	}
	e.terminal.SetBracketedPasteMode(false)
	term.Restore(int(e.in.Fd()), e.cooked)
	e.cooked = nil
	if e.reading {
		fmt.Fprintln(e.screen) // below the prompt that nobody answers
	}
}

func (e *editor) close() {
	signal.Stop(e.resized)
	close(e.resized)
	e.rest()
}

// Write writes above the prompt, if there is one.
func (e *editor) Write(p []byte) (int, error) {
	e.mu.Lock()
	raw := e.cooked != nil
	terminal := e.terminal
	e.mu.Unlock()
	if raw {
		return terminal.Write(p)
	}
	return e.screen.Write(p)
}

const (
	keyTab   = '\t'
	keyCtrlR = 'R' - '@'
)

// press handles the keys that the terminal does not know: Tab indents, and
// Ctrl-R goes back to the line before that has what was typed.
func (e *editor) press(line string, at int, key rune) (string, int, bool) {
	switch key {
	case keyTab:
		return line[:at] + "    " + line[at:], at + 4, true
	case keyCtrlR:
		if e.found < 0 || line != e.history.At(e.found) {
			e.found, e.sought = -1, line
		}
		i, ok := e.history.before(e.found, e.sought)
		if ok {
			e.found = i
			line = e.history.At(i)
		}
		return line, len(line), ok
	}
	return "", 0, false
}

// interruptible is a terminal's input in which Ctrl-C is an error. What was
// typed before it is dropped by whoever forgets the line; what comes after it in
// one read is, too, as terminals do with what was typed ahead.
type interruptible struct{ io.Reader }

const keyCtrlC = 'C' - '@'

func (r interruptible) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if i := bytes.IndexByte(p[:n], keyCtrlC); i >= 0 {
		return i, errInterrupted
	}
	return n, err
}
