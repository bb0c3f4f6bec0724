package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"hearth"
)

type shellCommand struct {
	Session string `arg:"" optional:"" help:"Id of the session. (default: one of its own)"`
	Keep    bool   `help:"Do not end its own session at exit."`
	sessionFlags
}

// Help is kong's long help.
func (shellCommand) Help() string {
	return `Runs what is typed in a session, as Python's own prompt does: each cell is a calculation.

  hearth shell
  hearth shell 0f31e8c0-2bd1-4c6e-9d0a-6f6f3bd5f2b1
  hearth shell --conf spark.sql.shuffle.partitions=8 --keep
  echo 'spark.range(10).count()' | hearth shell

Without an id it starts a session, and ends it at exit. With one it waits until that session is ready,
and leaves it as it is. While another client's calculation runs in it, a cell waits for that.

A cell goes on while a bracket or a string is open, and after a backslash. A line that ends with a
colon, a decorator, and a cell magic such as %%sql open a cell that lasts until an empty line. What is
pasted runs when Enter is pressed after it. Tab indents; the arrow keys and Ctrl-R go back to what was
typed before, which is kept in the data directory.

Ctrl-C cancels the calculation, or forgets the line; a second one, when the calculation does not stop,
leaves. Ctrl-D, exit and quit leave.

Where standard input is no terminal there are no prompts, empty lines do not end blocks, and the first
cell that fails is the last: its exit status is the shell's.

The server that serves the data directory is used; where there is none, the shell brings its own. A
session that the shell starts works in the directory that it is called in, so it is none of those
that the server has started ahead.`
}

func (c *shellCommand) check(g *globals) error {
	if c.Session != "" && (c.Keep || c.Workgroup != hearth.WorkGroupPrimary || c.Description != "" || c.IdleTimeout != 0 || len(c.Conf) > 0) {
		return usagef("%s is there already: --keep and the flags of a session are for one that the shell starts", c.Session)
	}
	if g.json() {
		return usagef("hearth shell is for people: hearth run --output json gives programs a document")
	}
	return c.sessionFlags.check()
}

// Run carries the command out.
func (c *shellCommand) Run(m *Main, g *globals) error {
	if err := c.check(g); err != nil {
		return err
	}
	directory, err := os.Getwd()
	if err != nil {
		return err
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // is an error of writing, as in hearth run

	s := &shell{stdout: m.Stdout}
	s.lines, s.interactive = openLines(m)
	defer s.lines.close()
	beside := *m
	if s.interactive {
		beside.Stderr = s.lines
	}
	host, err := openHost(&beside, g)
	if err != nil {
		return err
	}
	defer host.close()
	s.client = host.client
	if e, ok := s.lines.(*editor); ok {
		if e.history, err = openHistory(host.at.historyFile()); err != nil {
			fmt.Fprintln(s.lines, err)
		}
	}
	defer s.heed(m.Signals)()

	if c.Session != "" {
		return s.attach(c.Session)
	}
	if c.Description == "" {
		c.Description = "hearth shell"
	}
	return s.own(c.sessionFlags, directory, c.Keep)
}

// shell is a prompt on a session.
type shell struct {
	client      *client
	lines       lines
	interactive bool
	stdout      io.Writer
	session     string // its id

	// quit is done when the shell is to end, leave when there is no time to
	// wait for anything.
	quit, leave       context.Context
	quitNow, leaveNow context.CancelFunc

	mu     sync.Mutex
	cancel func() // what Ctrl-C does, nil at a prompt

	ahead *string // a line that was read and is the next cell's
}

// heed makes signals stop what is under way, and then the shell, until the
// function that it gives is called.
func (s *shell) heed(signals <-chan os.Signal) (ignore func()) {
	s.leave, s.leaveNow = context.WithCancel(context.Background())
	s.quit, s.quitNow = context.WithCancel(s.leave)
	go func() {
		for {
			select {
			case <-s.leave.Done():
				return
			case asked := <-signals:
				switch {
				case s.quit.Err() != nil:
					s.leaveNow()
				case asked == os.Interrupt:
					s.interrupt()
				default:
					s.quitNow()
				}
			}
		}
	}()
	return s.leaveNow
}

// interrupt is Ctrl-C. At a prompt it comes as a character; a signal then is a
// moment too late for the code that it was meant for.
func (s *shell) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cancel != nil:
		if s.interactive {
			fmt.Fprintln(s.lines) // the terminal has shown ^C
		}
		s.cancel()
	case !s.interactive:
		s.quitNow()
	}
}

// cancelable begins something in the session that Ctrl-C stops; a second one
// leaves.
func (s *shell) cancelable() (r *run, done func()) {
	stop, stopNow := context.WithCancelCause(s.quit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = func() {
		if stop.Err() != nil {
			s.leaveNow()
		}
		stopNow(nil)
	}
	r = &run{
		client: s.client, began: time.Now(), sessionID: s.session,
		stdout: s.stdout, stderr: s.lines, notes: s.lines,
		stop: stop, stopNow: stopNow, leave: s.leave,
	}
	return r, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cancel = nil
		stopNow(nil)
	}
}

// attach runs cells in a session that is there.
func (s *shell) attach(id string) error {
	s.session = id
	r, done := s.cancelable()
	session, _, err := s.client.session(r.stop, id, "")
	if err == nil && stateOf(session) != hearth.SessionIdle && !stateOf(session).Ended() {
		s.tellState(stateOf(session))
	}
	if err == nil {
		_, _, err = ready(s.client.awaitSession(r.stop, id, hearth.SessionIdle))
	}
	done()
	if err != nil {
		return err
	}
	return s.loop()
}

// own runs cells in a session that it starts, and ends it unless it is to be
// kept.
func (s *shell) own(flags sessionFlags, directory string, keep bool) error {
	r, done := s.cancelable()
	err := r.begin(flags, directory)
	s.session = r.sessionID
	done()
	if err == nil {
		err = s.loop()
		if keep {
			fmt.Fprintf(s.lines, "To go on with session %s: hearth shell %[1]s\n", s.session)
			return err
		}
	}
	s.quitNow() // a signal does not wait for what follows
	err = errors.Join(err, r.end())
	if s.leave.Err() != nil {
		r.abandon()
	}
	return err
}

func (s *shell) tellState(state hearth.SessionState) {
	fmt.Fprintf(s.lines, "Session %s is %s. Waiting until it is IDLE.\n", s.session, state)
}

// loop runs cells until there are no more, the session has ended or, without a
// prompt, a cell has failed.
func (s *shell) loop() error {
	if s.interactive {
		fmt.Fprintf(s.lines, "Session %s is IDLE. Ctrl-D leaves.\n", s.session)
	}
	ended := s.watch()
	for {
		code, err := s.readCell(ended)
		s.lines.rest()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch strings.TrimSpace(code) {
		case "exit", "quit", "exit()", "quit()":
			return nil
		}
		status, err := s.runCell(code)
		if err != nil {
			return err
		}
		if !s.interactive && status != 0 {
			return exitStatus(status)
		}
	}
}

// watch brings the reason once the session has ended.
func (s *shell) watch() <-chan error {
	ended := make(chan error, 1)
	go func() {
		for s.quit.Err() == nil {
			_, _, err := ready(s.client.awaitSession(s.quit, s.session, hearth.SessionTerminated))
			if hearth.KindOf(err) == hearth.KindConflict {
				ended <- err
				return
			}
			select { // a server that is gone for long may come back yet
			case <-s.quit.Done():
			case <-time.After(hostPatience):
			}
		}
	}()
	return ended
}

// readCell gives the next cell that has code.
func (s *shell) readCell(ended <-chan error) (string, error) {
	var c cell
	for {
		line, pasted, err := s.readLine(len(c.lines) > 0, ended)
		switch {
		case errors.Is(err, errInterrupted):
			c = cell{}
			continue
		case err == io.EOF && c.code:
			return c.text(), nil
		case err != nil:
			return "", err
		case len(c.lines) == 0 && blank(line):
			continue
		case !s.interactive && c.left(line):
			s.ahead = &line
			return c.text(), nil
		}
		c.add(line)
		switch {
		case pasted || !c.complete(line, s.interactive):
		case c.code:
			return c.text(), nil
		default:
			c = cell{} // comments
		}
	}
}

// readLine waits for a line, the session's end or the shell's.
func (s *shell) readLine(more bool, ended <-chan error) (string, bool, error) {
	if line := s.ahead; line != nil {
		s.ahead = nil
		return *line, false, nil
	}
	prompt := ">>> "
	if more {
		prompt = "... "
	}
	type result struct {
		line   string
		pasted bool
		err    error
	}
	read := make(chan result, 1)
	go func() {
		line, pasted, err := s.lines.read(prompt)
		read <- result{line, pasted, err}
	}()
	select {
	case r := <-read:
		return r.line, r.pasted, r.err
	case err := <-ended:
		return "", false, err
	case <-s.quit.Done():
		return "", false, s.quit.Err()
	}
}

// runCell runs a cell and tells how it ended. An error is one that the shell
// cannot go on after.
func (s *shell) runCell(code string) (status int, err error) {
	r, done := s.cancelable()
	defer done()
	cell := program{name: "The cell", code: code}
	if err = cell.check(); err == nil {
		err = s.execute(r, cell)
	}
	if s.quit.Err() != nil {
		return 0, s.quit.Err()
	}
	stopped := r.stop.Err() != nil
	if cause := context.Cause(r.stop); stopped && !errors.Is(cause, context.Canceled) {
		return 0, fmt.Errorf("the cell was stopped because its output could not be passed on: %w", cause)
	}
	end := value(r.calculation.Status)
	state := hearth.CalculationState(value(end.State))
	if err != nil && !stopped || state == hearth.CalculationFailed {
		if _, _, err := ready(s.client.session(s.quit, s.session, "")); hearth.KindOf(err) == hearth.KindConflict {
			return 0, err
		}
	}
	switch {
	case err != nil && stopped:
		fmt.Fprintln(s.lines, "The cell was not run.")
		return statusInterrupted, nil
	case err != nil:
		fmt.Fprintln(s.lines, "hearth:", err)
		return statusError, nil
	case state == hearth.CalculationCanceled:
		fmt.Fprintln(s.lines, state)
		return statusInterrupted, nil
	case state == hearth.CalculationFailed:
		if raised := r.result.Error; raised == nil || raised.Name == "SystemExit" { // has printed nothing
			fmt.Fprintf(s.lines, "%s: %s\n", state, value(end.StateChangeReason))
		}
		return cmp.Or(r.result.ExitStatus, statusError), nil
	}
	return r.result.ExitStatus, nil
}

// execute is a run's, in a session that others use, too.
func (s *shell) execute(r *run, p program) error {
	for told := false; ; {
		if err := r.stop.Err(); err != nil {
			return err
		}
		started, _, err := s.client.startCalculation(s.leave, s.session, "hearth shell", p.code)
		if err == nil {
			return r.attend(value(started.CalculationExecutionID), s.stdout, s.lines)
		}
		state, refused := notIdle(err)
		if !refused {
			return err
		}
		if !told && !state.Ended() {
			s.tellState(state)
			told = true
		}
		if _, _, err := ready(s.client.awaitSession(r.stop, s.session, hearth.SessionIdle)); err != nil {
			return err
		}
	}
}

// notIdle tells the state of a session that refused a calculation because of it.
func notIdle(err error) (state hearth.SessionState, refused bool) {
	refusal, ok := errors.AsType[*apiError](err)
	if !ok {
		return "", false
	}
	for state := range hearth.SessionTransitions {
		if refusal.Message == hearth.MessageOf(hearth.NotIdle(state)) {
			return state, true
		}
	}
	return "", false
}
