package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"hearth"
	"hearth/internal/shim"
)

// Follow reads the journal through the shim while it lives and from its file
// when it does not. A shim that is there and does not answer is waited for.
func (d *driver) Follow(ctx context.Context, offset int64, handle func(hearth.DriverEvent) error) error {
	f, err := d.following(offset, handle)
	if err != nil {
		return hearth.Internal(err, "read the journal of session "+d.sessionID)
	}
	for {
		lost := d.followShim(ctx, f)
		if f.refused != nil {
			return f.refused
		}
		if lost == nil {
			return d.clearSoon(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if done, err := d.followFile(f); done || err != nil {
			return errors.Join(err, d.clearSoon(ctx))
		}
		// A shim that is killed loses its connections a moment before its lock.
		if d.unlockedSoon(ctx) {
			return d.followEnd(f)
		}
		if ctx.Err() != nil || errors.Is(lost, errRefused) {
			return errors.Join(ctx.Err(), unreachable(d.sessionID, lost))
		}
		if err := f.missed(); err != nil {
			return err
		}
		if f.silence >= d.config.LostAfter {
			d.config.Log.Warn("a driver is killed, because its shim does not answer", "session", d.sessionID, "for", f.silence, "error", lost)
			if err := d.own(d.kill); err != nil {
				return hearth.Internal(err, "kill the driver of session "+d.sessionID)
			}
		}
	}
}

// followShim returns nil after the exit, and an error when the shim cannot be
// asked or has been silent for too long.
func (d *driver) followShim(ctx context.Context, f *following) error {
	conn, err := d.connect(ctx, shim.Message{From: &f.offset})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := f.heard(); err != nil {
		return err
	}
	return d.hear(conn, f)
}

// hear takes what comes over a connection, and asks the shim when nothing does.
func (d *driver) hear(conn *connection, f *following) error {
	for asked := false; ; {
		m, err := conn.receiveWithin(d.config.Heartbeat)
		last := false
		switch {
		case err == nil:
			asked, err = false, f.heard()
			if err == nil && m.Type == shim.MessageEvent && m.Event != nil { // else it answers a ping, or is newer
				last, err = f.take(*m.Event, m.Next)
			}
		case errors.Is(err, errNothing) && !asked:
			_ = conn.ping() // a shim that has left cannot be asked; its last words may be here all the same
			asked, err, f.asked = true, nil, time.Now()
		case errors.Is(err, errNothing) && f.silence < d.config.LostAfter:
			err = f.missed()
		}
		if last || err != nil {
			return err
		}
	}
}

// followEnd reads what is left when the shim is gone.
func (d *driver) followEnd(f *following) error {
	if err := d.own(d.clear); err != nil {
		return err
	}
	if done, err := d.followFile(f); done || err != nil {
		return err
	}
	var exit shim.Event
	err := d.own(func() (err error) {
		if exit, err = d.missingExit(f.silence); err != nil {
			err = hearth.Internal(err, "find out how the driver of session "+d.sessionID+" ended")
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = f.take(exit, f.offset)
	return err
}

// own does what a driver may do to its own bundle only: where another was launched
// in its place, the files and the processes are that one's.
func (d *driver) own(do func() error) error {
	defer d.launching.lock(d.sessionID)()
	launched, err := launchedAs(d.sessionID, d.bundle)
	if err != nil {
		return err
	}
	if launched.Token != "" && launched.Token != d.token {
		return unreachable(d.sessionID, errReplaced)
	}
	return do()
}

var errReplaced = errors.New("another driver was launched in its place")

// clear removes what a shim that was killed could not.
func (d *driver) clear() error {
	locked, err := shim.Locked(d.bundle)
	if err == nil && !locked {
		err = shim.Clear(d.bundle)
	}
	if err != nil {
		return hearth.Internal(err, "remove what the driver of session "+d.sessionID+" left")
	}
	return nil
}

// clearSoon clears behind a shim that has told its exit, and may be killed yet
// before it has cleared up itself. A server that leaves waits for that, too.
func (d *driver) clearSoon(ctx context.Context) error {
	d.unlockedSoon(context.WithoutCancel(ctx))
	return d.own(d.clear)
}

// followFile reports whether the journal had the exit.
func (d *driver) followFile(f *following) (done bool, err error) {
	down, err := d.wentDown()
	if err != nil {
		return false, hearth.Internal(err, "find out how the driver of session "+d.sessionID+" ended")
	}
	_, err = d.readJournal(f.offset, func(e shim.Event, next int64) error {
		if down && e.Type == shim.EventFinished {
			return nil
		}
		last, err := f.take(e, next)
		done = done || last
		return err
	})
	if err != nil && f.refused == nil {
		err = hearth.Internal(err, "read the journal of session "+d.sessionID)
	}
	return done, err
}

// wentDown reports whether the machine went down under the driver. What the
// journal says to have finished then may have lost output, as a driver syncs that
// when it ends.
func (d *driver) wentDown() (bool, error) {
	identity, found, err := identityOf(d.bundle)
	if err != nil || !found || identity.BootID == shim.BootID() {
		return false, err
	}
	exited, err := d.exited()
	return !exited, err
}

// unlockedSoon waits for a shim that is about to end.
func (d *driver) unlockedSoon(ctx context.Context) bool {
	deadline := time.Now().Add(time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if locked, err := shim.Locked(d.bundle); err == nil && !locked {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

// missingExit gives the exit of a driver whose journal has none: the one that
// was saved beside it, or else one that says that its shim was lost, or was
// killed after a silence that was too long.
func (d *driver) missingExit(silence time.Duration) (shim.Event, error) {
	exit, found, err := d.exit()
	if err != nil || found {
		return exit, err
	}
	identity, found, err := identityOf(d.bundle)
	if err != nil {
		return exit, err
	}
	exit = shim.Event{Type: shim.EventExited, At: shim.Seconds(time.Now()), Cause: shim.CauseFault}
	switch {
	case silence >= d.config.LostAfter:
		exit.Reason = fmt.Sprintf("The driver was killed because the process that supervises it has not answered for %v", silence.Round(time.Second))
	case !found:
		exit.Reason = "The driver is gone without a trace: it has left no record of its processes"
	case identity.BootID != shim.BootID():
		exit.Reason = "The driver was lost because the machine was restarted since"
	default:
		exit.Reason = fmt.Sprintf("The driver was lost because the process that supervises it, %d, was killed; its other processes ended with it", identity.PID)
		if err := identity.KillLeftovers(); err != nil {
			return exit, err
		}
	}
	exit.Calculation, err = d.unfinished()
	return exit, err
}

// unfinished gives the calculation in whose middle the journal ends.
func (d *driver) unfinished() (string, error) {
	running := ""
	err := d.eachEvent(func(e shim.Event) {
		switch e.Type {
		case shim.EventAccepted:
			running = e.Calculation
		case shim.EventFinished:
			running = ""
		}
	})
	return running, err
}

// eachEvent reads the journal's file as far as there is one.
func (d *driver) eachEvent(look func(shim.Event)) error {
	_, err := d.readJournal(0, func(e shim.Event, _ int64) error { look(e); return nil })
	return err
}

func (d *driver) readJournal(from int64, handle func(e shim.Event, next int64) error) (int64, error) {
	journal, err := shim.Open(filepath.Join(d.bundle, shim.JournalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return from, nil
	}
	if err != nil {
		return from, err
	}
	defer journal.Close()
	return shim.ReadJournal(journal, from, handle)
}

// eventOf translates the journal's events; those that only explain what
// happened are for people who read the journal.
func eventOf(e shim.Event, next int64) (hearth.DriverEvent, bool) {
	event := hearth.DriverEvent{
		At: e.Time(), Offset: next, CalculationID: e.Calculation, Reason: e.Reason,
		Ran: time.Duration(e.RanMS) * time.Millisecond, Operated: time.Duration(e.OperatedMS) * time.Millisecond, Operating: e.Operating,
	}
	switch e.Type {
	case shim.EventWarm:
		event.Type = hearth.DriverWarm
	case shim.EventReady:
		event.Type = hearth.DriverReady
		for _, p := range e.Phases {
			event.Phases = append(event.Phases, hearth.StartPhase{Name: p.Name, Took: time.Duration(p.TookMS) * time.Millisecond, Ahead: p.Ahead})
		}
	case shim.EventStarted:
		event.Type = hearth.CalculationStarted
	case shim.EventFinished:
		event.Type = hearth.CalculationEnded
		event.Outcome = hearth.Outcome(e.Status)
		event.ExitStatus, event.Progress = e.ExitStatus, e.Progress
	case shim.EventOperating:
		event.Type = hearth.DriverOperating
	case shim.EventRested:
		event.Type = hearth.DriverRested
	case shim.EventUnresponsive:
		event.Type = hearth.DriverUnresponsive
	case shim.EventResponsive:
		event.Type = hearth.DriverResponsive
	case shim.EventExited:
		event.Type = hearth.DriverExited
		event.Exit = hearth.ExitCause(e.Cause)
	default:
		return event, false
	}
	return event, true
}
