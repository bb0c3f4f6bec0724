// Command hearth runs Amazon Athena for Apache Spark's sessions on this
// machine, and speaks to the server that does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"hearth/internal/spark"
)

func main() {
	os.Exit(NewMain().Run(os.Args[1:]))
}

// Exit statuses beside those of a program that was run.
const (
	statusError       = 1
	statusUsage       = 2
	statusInterrupted = 130 // 128 + SIGINT, as shells have it
)

// Main is the program on its streams and signals.
type Main struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	// Signals brings what asks the program to stop.
	Signals <-chan os.Signal
}

// NewMain is the program on the process's own streams and signals.
func NewMain() *Main {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	return &Main{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals}
}

// Run does what the command line asks and gives the exit status. Asking for
// help or the version ends the process.
func (m *Main) Run(args []string) int {
	var line commandLine
	parser, err := kong.New(&line,
		kong.Name("hearth"),
		kong.Description(description),
		kong.Writers(m.Stdout, m.Stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": version(), "engine": spark.DefaultVersion, "engines": strings.Join(spark.Versions(), " or ")},
		kong.Bind(m, &line.globals),
	)
	if err != nil {
		panic(err) // the command line's own description is wrong
	}
	command, err := parser.Parse(args)
	if err != nil {
		return m.fail(usageError{err})
	}
	return m.fail(command.Run())
}

// interruptible is a context that ends with the first signal.
func (m *Main) interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-m.Signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (m *Main) fail(err error) int {
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	if errors.Is(err, context.Canceled) {
		return statusInterrupted
	}
	fmt.Fprintln(m.Stderr, "hearth:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintln(m.Stderr, "See hearth --help, or hearth COMMAND --help.")
		return statusUsage
	}
	return statusError
}

// exitStatus ends the program without a message: what happened was shown.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a command line that says nothing that can be done.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}
