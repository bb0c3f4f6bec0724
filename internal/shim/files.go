package shim

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"hearth/internal/kernel"
)

// Catalog serves the catalog in a file to the driver of a bundle, and says what
// the Java process needs in its environment to reach it. It is closed when the
// driver's processes have ended.
type Catalog func(path, bundle string, files *Files, log *slog.Logger) (catalog io.Closer, environment []string, err error)

// Files has the driver do something with files, by the file systems of its own
// Spark and with its session's rights: no other process has these.
type Files struct {
	mu   sync.Mutex
	say  func(kernel.Command) error // nil before the driver's processes run
	last int64
	open map[int64]chan<- string // of what the kernel was asked and has not answered
}

// begin has the kernel be told by say from now on.
func (f *Files) begin(say func(kernel.Command) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.say = say
}

// errNotYet is for who asks before the kernel was started.
var errNotYet = errors.New("the driver has not started yet: try again")

// Make makes a directory and those above it. One that is there is no error.
func (f *Files) Make(ctx context.Context, path string) error {
	return f.ask(ctx, kernel.Command{Op: kernel.OpMake, Path: path})
}

// Delete deletes a path and all below it. Nothing there is no error.
func (f *Files) Delete(ctx context.Context, path string) error {
	return f.ask(ctx, kernel.Command{Op: kernel.OpDelete, Path: path})
}

// Rename refuses when there is something at to. Nothing at from is no error.
func (f *Files) Rename(ctx context.Context, from, to string) error {
	return f.ask(ctx, kernel.Command{Op: kernel.OpRename, Path: from, To: to})
}

func (f *Files) ask(ctx context.Context, command kernel.Command) error {
	answer := make(chan string, 1)
	f.mu.Lock()
	say := f.say
	if say == nil {
		f.mu.Unlock()
		return errNotYet
	}
	f.last++
	command.Type, command.N = kernel.TypeFiles, f.last
	if f.open == nil {
		f.open = make(map[int64]chan<- string)
	}
	f.open[command.N] = answer
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.open, command.N)
		f.mu.Unlock()
	}()
	if err := say(command); err != nil {
		return err
	}
	select {
	case reason := <-answer:
		if reason != "" {
			return errors.New(reason)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answered takes the kernel's answer. Nobody waits for one that came too late.
func (f *Files) answered(m kernel.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer := f.open[m.N]; answer != nil {
		delete(f.open, m.N)
		answer <- m.Reason
	}
}
