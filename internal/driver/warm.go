package driver

import (
	"context"
	"errors"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
	"hearth/internal/shim"
)

// Warm tells what a driver was launched as that waits for its session.
func (d *Drivers) Warm(_ context.Context, sessionID string) (hearth.Warm, error) {
	bundle, err := d.bundle(sessionID)
	if err != nil {
		return hearth.Warm{}, err
	}
	launched, err := launchedAs(sessionID, bundle)
	if err != nil {
		return hearth.Warm{}, err
	}
	claimed, err := d.driver(sessionID, bundle, launched.Token).has(shim.EventClaimed)
	if err != nil {
		return hearth.Warm{}, err
	}
	if launched.Warm == nil || claimed {
		return hearth.Warm{}, hearth.Errorf(hearth.KindNotFound, "No driver waits for session %s.", sessionID)
	}
	return hearth.Warm{Key: launched.Warm.Key, Age: time.Duration(launched.Warm.AgeMS) * time.Millisecond}, nil
}

// claim makes a driver that was launched ahead the session's. It returns nil when
// there is none, and then nothing of one: whatever ended it, or holds it up, before
// it was ready for a session is no fault of the session's, which gets another
// driver. No code has run in it.
func (d *Drivers) claim(ctx context.Context, launch hearth.Launch, bundle string) (hearth.Driver, error) {
	launched, err := launchedAs(launch.SessionID, bundle)
	if err != nil {
		return nil, err
	}
	if launched.Warm == nil {
		return nil, nil
	}
	found := d.driver(launch.SessionID, bundle, launched.Token)
	faultpoint.At("claim", "to be made")
	refusal := found.claim(ctx, launch)
	faultpoint.At("claim", "made")
	if refusal == nil || ctx.Err() != nil {
		return found, ctx.Err()
	}
	if ready, err := found.has(shim.EventReady); ready || err != nil { // its end is the session's
		return found, err
	}
	d.config.Log.Warn("a driver could not be claimed, and another one is started in its place", "session", launch.SessionID, "error", refusal)
	if err := d.giveUp(found); err != nil {
		return nil, hearth.Internal(err, "end the driver that session "+launch.SessionID+" could not claim")
	}
	return nil, nil
}

// has reports whether the driver's journal has an event of a type.
func (d *driver) has(event string) (found bool, err error) {
	err = d.eachEvent(func(e shim.Event) { found = found || e.Type == event })
	if err != nil {
		err = hearth.Internal(err, "read the journal of session "+d.sessionID)
	}
	return found, err
}

// claim returns nil when the driver is ready for the session, or still starting.
func (d *driver) claim(ctx context.Context, launch hearth.Launch) error {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	reply, err := d.request(ctx, shim.Message{Op: shim.OpClaim, Claim: &shim.Claim{
		At:            shim.Seconds(launch.StartedAt),
		IdleTimeoutMS: launch.IdleTimeout.Milliseconds(),
		Properties:    launch.RuntimeProperties(),
		Session:       known(launch),
	}})
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	return err
}

// claimTimeout is for a shim, a Python or a Java that is stopped or starved: a claim
// takes a warm driver milliseconds, and another driver is ready sooner than one may
// have to wait for this one.
const claimTimeout = 5 * time.Second

// giveUp kills what is left of a driver and removes its bundle.
func (d *Drivers) giveUp(found *driver) error {
	locked, err := shim.Locked(found.bundle)
	if err == nil && locked {
		err = found.kill()
	}
	if err != nil {
		return err
	}
	found.unlockedSoon(context.Background())
	return d.remove(found.sessionID)
}
