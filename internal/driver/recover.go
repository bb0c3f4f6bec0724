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
// Silent: the lock is held, and what holds it does not answer in time. It may be
// stopped, or the machine be short of breath: whoever follows it waits.
//
// A shim that answers and refuses us is none of these, but KindUnavailable.
func (d *Drivers) Recover(ctx context.Context, sessionID string) (hearth.Driver, hearth.Adoption, error) {
	bundle, err := d.bundle(sessionID)
	if err != nil {
		return nil, "", err
	}
	unreadable := func(err error) (hearth.Driver, hearth.Adoption, error) {
		return nil, "", hearth.Internal(err, "look for the driver of session "+sessionID)
	}
	var launch shim.Launch
	var identity shim.Identity
	intended, err := shim.Load(bundle, shim.LaunchFile, &launch)
	if err != nil {
		return unreadable(err)
	}
	found := d.driver(sessionID, bundle, launch.Token)

	locked, err := shim.Locked(bundle)
	if err != nil {
		return unreadable(err)
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
	spawned, err := shim.Load(bundle, shim.IdentityFile, &identity)
	if err != nil {
		return unreadable(err)
	}
	if !intended || !spawned {
		return nil, hearth.NeverLaunched, nil
	}
	exited, err := found.exited()
	if err != nil {
		return unreadable(err)
	}
	if exited {
		return found, hearth.ExitedAway, found.clear()
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
			var identity shim.Identity
			if found, err := shim.Load(d.bundle, shim.IdentityFile, &identity); err != nil || found && identity.PID != conn.pid {
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

// exited reports whether the driver's exit is on record.
func (d *driver) exited() (bool, error) {
	var exit shim.Event
	if found, err := shim.Load(d.bundle, shim.ExitFile, &exit); err != nil || found {
		return found, err
	}
	found := false
	err := d.eachEvent(func(e shim.Event) { found = e.Type == shim.EventExited })
	return found, err
}
