package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/internal/athena"
	"hearth/internal/objects"
	"hearth/internal/rest"
	"hearth/internal/shim"
)

type runCommand struct {
	File string `arg:"" optional:"" help:"Python program, or notebook (.ipynb); - is standard input."`
	Code string `short:"c" help:"Run this code instead of a file." placeholder:"CODE"`
	sessionFlags
}

// Help is kong's long help.
func (runCommand) Help() string {
	return `Starts a Spark session, runs the program in it and ends the session.

  hearth run program.py
  hearth run -c 'spark.range(10).count()'
  hearth run --conf spark.sql.shuffle.partitions=8 program.py
  hearth run notebook.ipynb

The session has spark and sc, as on Athena. What the program prints appears as it is printed; what it
shows as a notebook would, the value of its last expression among it, follows at the end; and then a
summary on stderr. With --output json there is one document at the end instead.

A notebook's code cells run one after the other, up to the first that fails, in the notebook's own
directory. Their outputs are written into the file, in place of those it had.

The exit status is the program's, or that of the cell that failed. Ctrl-C stops the program and ends the session; a second Ctrl-C does
not wait for that.

The server that serves the data directory is used; where there is none, the run is its own. The
session works in the directory that it is called in, so it is none of those that the server has
started ahead. The first run installs Spark.`
}

// Run carries the command out.
func (c *runCommand) Run(m *Main, g *globals) error {
	work, err := c.read(m.Stdin)
	if err := errors.Join(err, c.check()); err != nil {
		return err
	}
	if c.Description == "" {
		c.Description = "hearth run " + work.name
	}

	// The first signal asks to stop, the second to leave at once.
	stop, stopped := context.WithCancelCause(context.Background())
	leave, left := context.WithCancel(context.Background())
	defer stopped(nil)
	defer left()
	go func() {
		select {
		case <-m.Signals:
			fmt.Fprintln(m.Stderr, "Stopping. Another Ctrl-C does not wait for it.")
			stopped(nil)
		case <-stop.Done():
		}
		select {
		case <-m.Signals:
			left()
		case <-leave.Done():
		}
	}()

	// A reader of the output that is gone is an error of writing then, and the
	// session is ended; by default it would end this process on the spot.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	host, err := openHost(m, g)
	if err != nil {
		return err
	}
	defer host.close()
	if _, err := host.client.find(stop, ""); err != nil {
		return err
	}
	r := &run{
		client: host.client, began: time.Now(), part: "program",
		stdout: m.Stdout, stderr: m.Stderr, notes: m.Stderr,
		stop: stop, stopNow: stopped, leave: leave,
	}
	if g.json() {
		r.stdout, r.stderr = &r.captured.stdout, &r.captured.stderr
	}
	err = r.do(c.sessionFlags, work)
	switch {
	case leave.Err() != nil:
		r.abandon()
		return exitStatus(statusInterrupted)
	case r.calculation.CalculationExecutionID == nil && err != nil:
		return err
	case g.json():
		err = errors.Join(err, printJSON(m.Stdout, r.document()))
	default:
		err = errors.Join(err, r.summarize(m.Stderr, host.at))
	}
	if stop.Err() != nil {
		if cause := context.Cause(stop); !errors.Is(cause, context.Canceled) && !errors.Is(cause, syscall.EPIPE) {
			return fmt.Errorf("the program was stopped because its output could not be passed on: %w", cause)
		}
		return exitStatus(statusInterrupted)
	}
	if err == nil && r.result.ExitStatus != 0 {
		return exitStatus(r.result.ExitStatus)
	}
	return err
}

// work is what to run in a session.
type work struct {
	name      string
	directory string // that relative paths start from
	execute   func(*run) error
}

// read gives the work of the command line.
func (c *runCommand) read(stdin io.Reader) (work, error) {
	if filepath.Ext(c.File) == notebookExtension && c.Code == "" {
		n, err := readNotebook(c.File)
		if err != nil {
			return work{}, err
		}
		directory, err := n.directory()
		return work{n.name, directory, func(r *run) error { return r.executeNotebook(n) }}, err
	}
	p, err := readProgram(c.File, c.Code, stdin)
	if err != nil {
		return work{}, err
	}
	directory, err := os.Getwd()
	return work{p.name, directory, func(r *run) error { return r.execute(p, r.stdout, r.stderr) }}, err
}

// run is code that runs in a session: a program or a notebook in one of its own,
// or a cell of a shell.
type run struct {
	client         *client
	began          time.Time
	stdout, stderr io.Writer // the program's
	notes          io.Writer // ours

	stop    context.Context // done when the program is to stop
	stopNow context.CancelCauseFunc
	leave   context.Context // done when there is no time to wait for anything

	sessionID   string
	session     athena.GetSessionResponse
	phases      []rest.Phase
	part        string        // what ran last
	ran         time.Duration // what ran in all
	calculation athena.GetCalculationExecutionResponse
	result      shim.Result
	cells       []ranCell // of a notebook

	raw      struct{ session, calculation, result json.RawMessage }
	captured struct{ stdout, stderr bytes.Buffer }
}

// do starts a session, does the work in it as soon as it is ready, and ends it,
// whatever became of the work.
func (r *run) do(flags sessionFlags, w work) error {
	err := r.begin(flags, w.directory)
	if err == nil {
		err = w.execute(r)
	}
	return errors.Join(err, r.end())
}

// begin starts a session and waits until it is ready.
func (r *run) begin(flags sessionFlags, directory string) error {
	if err := r.stop.Err(); err != nil {
		return err
	}
	started, _, err := r.client.startSession(r.leave, flags, directory)
	if err != nil {
		return err
	}
	r.sessionID = value(started.SessionID)
	fmt.Fprintln(r.notes, "Starting session", r.sessionID)
	if err := r.tellWaiting(value(started.State)); err != nil {
		return err
	}
	_, _, err = ready(r.client.awaitSession(r.stop, r.sessionID, hearth.SessionIdle))
	return err
}

// tellWaiting says what a session waits for that does not start at once.
func (r *run) tellWaiting(state string) error {
	if hearth.SessionState(state) != hearth.SessionCreating {
		return nil
	}
	session, _, err := r.client.session(r.leave, r.sessionID, "")
	if reason := value(value(session.Status).StateChangeReason); err == nil && stateOf(session) == hearth.SessionCreating && reason != "" {
		fmt.Fprintln(r.notes, reason)
	}
	return err
}

// execute runs a program and copies what it prints.
func (r *run) execute(p program, stdout, stderr io.Writer) error {
	r.calculation, r.result, r.raw.calculation, r.raw.result = athena.GetCalculationExecutionResponse{}, shim.Result{}, nil, nil
	started, _, err := r.client.startCalculation(r.leave, r.sessionID, p.name, p.code)
	if err != nil {
		return err
	}
	return r.attend(value(started.CalculationExecutionID), stdout, stderr)
}

// attend copies what a calculation prints until it has ended.
func (r *run) attend(id string, stdout, stderr io.Writer) error {
	defer context.AfterFunc(r.stop, func() { r.client.stopCalculation(r.leave, id) })()

	var copying errgroup.Group
	for stream, w := range map[hearth.Stream]io.Writer{hearth.Stdout: stdout, hearth.Stderr: stderr} {
		copying.Go(func() error {
			err := r.client.copyOutput(r.leave, id, stream, w)
			if err != nil {
				r.stopNow(err) // nobody reads what the program prints
			}
			return err
		})
	}
	printed := copying.Wait()
	var err error
	r.calculation, r.raw.calculation, err = r.client.awaitCalculation(r.leave, id)
	if err == nil {
		ran := value(r.calculation.Status)
		r.ran += ran.CompletionDateTime.Sub(ran.SubmissionDateTime.Time)
		err = r.show()
	}
	return errors.Join(printed, err)
}

// show prints what the program showed: the value of its last expression among
// it, and a line of text for each figure.
func (r *run) show() error {
	document, err := r.client.result(r.leave, value(r.calculation.CalculationExecutionID))
	if err != nil {
		return err
	}
	r.raw.result = document
	if err := json.Unmarshal(document, &r.result); err != nil {
		return err
	}
	for _, output := range r.result.Outputs {
		var shown struct {
			Data struct {
				Text string `json:"text/plain"`
			}
		}
		if json.Unmarshal(output, &shown) == nil && shown.Data.Text != "" {
			if _, err := fmt.Fprintln(r.stdout, shown.Data.Text); err != nil {
				return err
			}
		}
	}
	return nil
}

// end ends the session, if there is one, and waits until it has ended.
func (r *run) end() error {
	if r.sessionID == "" {
		return nil
	}
	_, err := r.client.terminate(r.leave, r.sessionID)
	if err != nil {
		return err
	}
	r.session, r.raw.session, err = r.client.awaitSession(r.leave, r.sessionID, hearth.SessionTerminated)
	if err != nil {
		return err
	}
	story, err := r.client.story(r.leave, r.sessionID)
	r.phases = story.Phases
	return err
}

// abandonPatience is how long somebody waits who asked for the second time. It
// is enough for the driver to hear that it shall end, where the server is ours
// and leaves with us.
const abandonPatience = time.Second

// abandon asks for the session's end and does not wait until it has come.
func (r *run) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), abandonPatience)
	defer cancel()
	if _, err := r.client.terminate(ctx, r.sessionID); err == nil {
		r.client.session(ctx, r.sessionID, hearth.SessionTerminating)
	}
}

// document is the whole run as JSON, the answers of the API as they came.
func (r *run) document() any {
	return struct {
		Session              json.RawMessage
		CalculationExecution json.RawMessage
		StartPhases          []rest.Phase
		Stdout, Stderr       string
		Result               json.RawMessage
		Cells                []ranCell `json:",omitempty"` // of a notebook; the last is also CalculationExecution and Result
		ExitStatus           int
	}{r.raw.session, r.raw.calculation, r.phases, r.captured.stdout.String(), r.captured.stderr.String(), r.raw.result, r.cells, r.result.ExitStatus}
}

// summarize tells what became of the program and what it took.
func (r *run) summarize(w io.Writer, at home) error {
	status, ran := value(r.session.Status), value(r.calculation.Status)
	fmt.Fprintln(w)
	t := newTable(w)
	t.field("session", r.sessionID+" "+value(status.State))
	t.field("start", phased(r.phases))
	t.field(r.part, strings.TrimSuffix(value(ran.State)+": "+value(ran.StateChangeReason), ": "))
	t.field("ran", seconds(r.ran)+" of "+seconds(time.Since(r.began))+" in all, "+
		dpuTime(value(value(r.session.Statistics).DPUExecutionInMillis)))
	results := value(r.calculation.WorkingDirectory)
	if r.cells != nil {
		results = value(value(r.session.SessionConfiguration).WorkingDirectory)
	}
	t.field("results", results)
	// A server that was named with --endpoint may keep them elsewhere, and
	// nobody can read files that are encrypted.
	folder := objects.Folder(at.objectsDir(), results)
	encrypted := value(r.session.SessionConfiguration).EncryptionConfiguration != nil
	if _, err := os.Stat(folder); err == nil && !encrypted {
		t.row("", folder)
	}
	return t.flush()
}
