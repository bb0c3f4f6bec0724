// Package driver runs Spark drivers on this machine. Each is a bundle directory
// and a shim process that outlives the server (see package shim); the package
// launches them, finds them again after a restart, and speaks to them over
// their sockets. It keeps nothing in memory that it could not lose: a bundle is
// all there is to a driver.
package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
	"hearth/internal/shim"
)

// Config is what Drivers need. Durations have defaults; a shim is told them at
// its launch, so that a change is for new drivers.
type Config struct {
	// Dir has the bundles, one directory a driver. It is made when needed.
	Dir string
	// Shim is the command that runs a shim; the bundle's path is appended.
	Shim []string
	// Prepare puts what the processes need into the bundle and says what they
	// are; jvm is nil for a driver without Spark. The kernel's program is there
	// already, as shim.KernelFile; the launch's WorkingDirectory is never empty. Its
	// errors are for the user.
	Prepare func(ctx context.Context, launch hearth.Launch, bundle string) (kernel shim.Process, jvm *shim.Process, err error)

	// Catalog is the file of the catalog that drivers with Spark share; "" is none.
	Catalog string
	// LimitMemory holds each driver to its launch's Memory.
	LimitMemory bool

	StartTimeout      time.Duration // until ready, then it is killed; 10 minutes
	EndGrace          time.Duration // from the request to end until it is killed; 3 seconds
	CancelDeadline    time.Duration // from the interrupt until the driver is killed; 10 seconds
	Heartbeat         time.Duration // between questions whether a process lives; 5 seconds
	UnresponsiveAfter time.Duration // without an answer it counts as unresponsive; 30 seconds
	LostAfter         time.Duration // without an answer it is killed; 5 minutes

	Log *slog.Logger // nil discards
}

const (
	removedPrefix = ".removed-" // a bundle that is being deleted
)

// Drivers implements hearth.Drivers.
type Drivers struct {
	config    Config
	launching locks
}

// New makes the adapter. It starts nothing.
func New(c Config) *Drivers {
	for value, standard := range map[*time.Duration]time.Duration{
		&c.StartTimeout:      10 * time.Minute,
		&c.EndGrace:          3 * time.Second,
		&c.CancelDeadline:    10 * time.Second,
		&c.Heartbeat:         5 * time.Second,
		&c.UnresponsiveAfter: 30 * time.Second,
		&c.LostAfter:         5 * time.Minute,
	} {
		if *value == 0 {
			*value = standard
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if dir, err := filepath.Abs(c.Dir); err == nil { // shims run elsewhere
		c.Dir = dir
	}
	return &Drivers{config: c}
}

// bundle gives the path of a driver's bundle.
func (d *Drivers) bundle(sessionID string) (string, error) {
	if sessionID == "" || sessionID[0] == '.' || sessionID != filepath.Base(sessionID) {
		return "", hearth.Errorf(hearth.KindInvalid, "%q is no id of a session.", sessionID)
	}
	return filepath.Join(d.config.Dir, sessionID), nil
}

// Known lists the ids of all drivers that left a bundle, or a part of one that
// a crash kept from being removed.
func (d *Drivers) Known(context.Context) ([]string, error) {
	entries, err := os.ReadDir(d.config.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, hearth.Internal(err, "list the drivers")
	}
	var ids []string
	for _, e := range entries {
		if id := strings.TrimPrefix(e.Name(), removedPrefix); e.IsDir() && !strings.HasPrefix(id, ".") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Remove deletes the bundle of an ended driver. It is renamed first, so that
// what a crash leaves of it is nobody's driver, but is still known; the next
// removal, of whichever driver, takes that with it.
func (d *Drivers) Remove(_ context.Context, sessionID string) error {
	defer d.launching.lock(sessionID)()
	return d.remove(sessionID)
}

func (d *Drivers) remove(sessionID string) error {
	bundle, err := d.bundle(sessionID)
	if err != nil {
		return err
	}
	switch locked, err := shim.Locked(bundle); {
	case err != nil:
		return hearth.Internal(err, "look for the driver of session "+sessionID)
	case locked:
		return hearth.Errorf(hearth.KindConflict, "The driver of session %s is running. End the session first.", sessionID)
	}
	if err := killLeftovers(bundle); err != nil {
		return hearth.Internal(err, "end what is left of the driver of session "+sessionID)
	}
	err = os.Rename(bundle, filepath.Join(d.config.Dir, removedPrefix+sessionID))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return hearth.Internal(err, "remove the driver of session "+sessionID)
	}
	faultpoint.At("bundle", "given up")
	removed, err := filepath.Glob(filepath.Join(d.config.Dir, removedPrefix+"*"))
	for _, path := range removed {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return hearth.Internal(err, "remove the driver of session "+sessionID)
	}
	return nil
}

// killLeftovers ends processes that a shim left when it was killed.
func killLeftovers(bundle string) error {
	id, found, err := identityOf(bundle)
	if err != nil || !found {
		return err
	}
	return id.KillLeftovers()
}

// kill ends a driver whose shim does not answer. Before the shim has started
// processes, only its lock tells who it is.
func (d *driver) kill() error {
	id, found, err := identityOf(d.bundle)
	if err == nil && !found {
		_, err = shim.Load(d.bundle, shim.LockFile, &id)
		found = id.PID > 0
	}
	if err == nil && !found {
		err = errors.New("nothing tells which process its shim is")
	}
	if err != nil {
		return err
	}
	return id.Kill()
}

// unreachable says that a driver's shim does not answer.
func unreachable(sessionID string, err error) *hearth.Error {
	return &hearth.Error{
		Kind:    hearth.KindUnavailable,
		Message: fmt.Sprintf("The driver of session %s cannot be reached.", sessionID),
		Err:     err,
	}
}
