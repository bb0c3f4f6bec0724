package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth"
	"hearth/internal/shim"
)

// Recover finds the driver that an earlier server launched, in five cases.
//
// Alive: the bundle's lock is held, which only a living shim does, and what
// holds it answers to the driver's token with the number in shim.json. A number
// alone proves nothing: it may be another process's by now.
//
// ExitedAway: the lock is free, and the journal or exit.json has the exit.
//
// NeverLaunched: the lock is free, and there is no shim.json: a shim writes it
// as soon as it has started processes, and those die with it. At most the
// intent is there, and is carried out by launching again.
//
// Gone: the lock is free, and a shim was there but left no exit: it was killed,
// or the machine went down. Its processes died with it; whatever they had
// started themselves and left behind is killed, known by the shim's session,
// the boot, and having started after the shim.
//
// A shim whose launch.json is lost opens to nobody any more: it is killed, and has
// exited while we were away.
//
// Silent: the lock is held, and what holds it does not answer in time. It may be
// stopped, or the machine be short of breath: whoever follows it waits.
//
// A shim that answers and refuses us is none of these, but KindUnavailable.
func (d *Drivers) Recover(ctx context.Context, sessionID string) (hearth.Driver, hearth.Adoption, error) {
	defer d.launching.lock(sessionID)()
	return d.recover(ctx, sessionID)
}

func (d *Drivers) recover(ctx context.Context, sessionID string) (hearth.Driver, hearth.Adoption, error) {
	bundle, err := d.bundle(sessionID)
	if err != nil {
		return nil, "", err
	}
	unreadable := func(err error) (hearth.Driver, hearth.Adoption, error) {
		return nil, "", hearth.Internal(err, "look for the driver of session "+sessionID)
	}
	launch, err := launchedAs(sessionID, bundle)
	if err != nil {
		return nil, "", err
	}
	found := d.driver(sessionID, bundle, launch.Token)

	locked, err := shim.Locked(bundle)
	if err != nil {
		return unreadable(err)
	}
	if locked && launch.Token == "" {
		if err := found.abandon(); err != nil {
			return unreadable(err)
		}
		locked = false
	}
	if locked {
		silent := found.greet(ctx)
		if silent == nil {
			return found, hearth.Alive, nil
		}
		// A shim that is leaving has its exit on record, and its lock a moment
		// longer.
		switch exited, err := found.exited(); {
		case err != nil:
			return unreadable(err)
		case !exited && errors.Is(silent, errRefused):
			return nil, "", unreachable(sessionID, silent)
		case !exited && ctx.Err() != nil:
			return nil, "", ctx.Err()
		case !exited:
			return found, hearth.Silent, nil
		}
	}
	exited, err := found.exited()
	if err != nil {
		return unreadable(err)
	}
	if exited {
		return found, hearth.ExitedAway, found.clear()
	}
	identity, spawned, err := identityOf(bundle)
	if err != nil {
		return unreadable(err)
	}
	if !spawned {
		return nil, hearth.NeverLaunched, nil
	}
	if err := identity.KillLeftovers(); err != nil {
		return unreadable(err)
	}
	return found, hearth.Gone, found.clear()
}

// greet asks the shim whether it is this driver's. A shim that has the lock is
// at its socket a moment later.
func (d *driver) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	for {
		conn, err := d.connect(ctx, shim.Message{})
		if err == nil {
			defer conn.Close()
			if identity, found, err := identityOf(d.bundle); err != nil || found && identity.PID != conn.pid {
				return errors.Join(err, fmt.Errorf("%w: process %d answers for process %d", errRefused, conn.pid, identity.PID))
			}
			return nil
		}
		if !errors.Is(err, errNoSocket) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(greetPause):
		}
	}
}

const (
	greetTimeout = 5 * time.Second
	greetPause   = 20 * time.Millisecond
)

// launchedAs reads what a driver was launched as; the zero value is of one that
// was not, and of a file that was damaged.
func launchedAs(sessionID, bundle string) (shim.Launch, error) {
	var launch shim.Launch
	if _, err := shim.Load(bundle, shim.LaunchFile, &launch); err != nil {
		return launch, hearth.Internal(err, "look for the driver of session "+sessionID)
	}
	return launch, nil
}

// identityOf reads who a bundle's processes are. It reports false when they have
// not been started, or the file was damaged.
func identityOf(bundle string) (shim.Identity, bool, error) {
	var id shim.Identity
	_, err := shim.Load(bundle, shim.IdentityFile, &id)
	return id, id.PID > 0, err
}

// abandon kills a driver that nobody can open, and says so in its place.
func (d *driver) abandon() error {
	if err := d.kill(); err != nil {
		return err
	}
	exited, err := d.exited()
	if err != nil || exited {
		return err
	}
	unfinished, err := d.unfinished()
	if err != nil {
		return err
	}
	d.config.Log.Warn("a driver is killed, because its launch.json is lost", "session", d.sessionID)
	return shim.Save(d.bundle, shim.ExitFile, shim.Event{
		Type: shim.EventExited, At: shim.Seconds(time.Now()), Cause: shim.CauseFault, Calculation: unfinished,
		Reason: "The driver was killed because its file " + shim.LaunchFile + " was damaged or removed: without it no server can reach the driver",
	})
}

// exit reads the exit that a shim saved beside its journal, if it did.
func (d *driver) exit() (exit shim.Event, found bool, err error) {
	_, err = shim.Load(d.bundle, shim.ExitFile, &exit)
	return exit, exit.Type == shim.EventExited, err
}

// exited reports whether the driver's exit is on record.
func (d *driver) exited() (bool, error) {
	if _, found, err := d.exit(); err != nil || found {
		return found, err
	}
	found := false
	err := d.eachEvent(func(e shim.Event) { found = e.Type == shim.EventExited })
	return found, err
}
