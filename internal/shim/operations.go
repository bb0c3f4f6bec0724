package shim

import "time"

// operations is what is known of those of Spark Connect.
type operations struct {
	run       bool          // as Java says
	told      bool          // as the journal says
	ran       time.Duration // since that was told, while no calculation did
	accounted time.Time     // when ran was added to last
	restAt    time.Time     // when it is told that they do not run any more
}

// What Java says.
const (
	stirOperating = "operating" // the first of them runs
	stirRested    = "rested"    // the last of them has ended
	stirTouched   = "touched"   // a client has asked for something that takes no time
)

// restAfter is how long no operation has run before that is told: a client that
// asks for one small thing after the other keeps a driver busy.
const restAfter = 100 * time.Millisecond

func (c *core) onStirred(now time.Time, what string) []effect {
	if c.phase != serving {
		return nil
	}
	o := &c.operations
	switch what {
	case stirOperating:
		c.account(now)
		o.run, o.restAt = true, time.Time{}
		c.busy()
		if !o.told {
			o.told, o.ran = true, 0
			return []effect{record{Event{Type: EventOperating, At: Seconds(now)}}}
		}
	case stirRested:
		c.account(now)
		o.run = false
		if o.told {
			o.restAt = now.Add(restAfter)
		}
	case stirTouched:
		c.rest(now)
	}
	return nil
}

func (c *core) onRested(now time.Time) []effect {
	o := &c.operations
	o.told, o.restAt = false, time.Time{}
	c.rest(now)
	return []effect{record{Event{Type: EventRested, At: Seconds(now), OperatedMS: o.ran.Milliseconds()}}}
}

// account adds the time that operations ran and code of a calculation did not.
// It is called before either changes.
func (c *core) account(now time.Time) {
	o := &c.operations
	if o.run && (c.running == nil || c.running.started.IsZero()) {
		o.ran += now.Sub(o.accounted)
	}
	o.accounted = now
}

// TrimAfter is how long a driver has had nothing to do before it gives memory
// back. For Java that is a pause, which is not to meet somebody who works step by
// step, and the compilers in Java let go of theirs some seconds after their work.
const TrimAfter = 30 * time.Second

// rest begins the idle timeout anew, unless something runs.
func (c *core) rest(now time.Time) {
	if c.phase == serving && c.running == nil && !c.operations.told {
		c.idleAt = after(now, c.launch.IdleTimeoutMS)
		c.trimAt = now.Add(TrimAfter)
	}
}

// busy ends the rest.
func (c *core) busy() { c.idleAt, c.trimAt = time.Time{}, time.Time{} }
