package shim

import (
	"fmt"
	"time"

	"hearth/internal/kernel"
)

// pulse is how one of the processes answers pings.
type pulse struct {
	process  string
	ping     int64 // the number of the last one
	answered bool  // whether that was
	silence  time.Duration
}

// beat sends the next pings, or counts that the last ones are unanswered.
// Silence is counted in beats, not read from the clock: after the whole machine
// was stopped for a while, nobody is to blame. Nor is Java while the kernel is
// silent, through which it is asked.
func (c *core) beat(now time.Time) (effects []effect) {
	c.pingAt = after(now, c.launch.HeartbeatMS)
	for i := range c.pulses {
		p := &c.pulses[i]
		if !p.answered {
			p.silence += millis(c.launch.HeartbeatMS)
			return append(effects, c.onSilence(now, p)...)
		}
		c.pings++
		p.ping, p.answered = c.pings, false
		effects = append(effects, tell{kernel.Ping(p.process, p.ping)})
	}
	return effects
}

func (c *core) onSilence(now time.Time, p *pulse) []effect {
	reason := fmt.Sprintf("The driver's %s process has not answered for %v", language(p.process), p.silence)
	switch {
	case c.launch.LostAfterMS > 0 && p.silence >= millis(c.launch.LostAfterMS):
		return c.fault(now, Event{Process: p.process, Reason: reason + ", so it was killed"})
	case c.launch.UnresponsiveAfterMS > 0 && !c.silent && p.silence >= millis(c.launch.UnresponsiveAfterMS):
		c.silent = true
		return []effect{record{Event{Type: EventUnresponsive, At: Seconds(now), Reason: reason}}}
	}
	return nil
}

// onPong ends the silence only when nobody is silent any more.
func (c *core) onPong(now time.Time, m kernel.Message) []effect {
	all := true
	for i := range c.pulses {
		p := &c.pulses[i]
		if m.N == p.ping {
			p.answered, p.silence = true, 0
		}
		all = all && p.answered
	}
	if !c.silent || !all {
		return nil
	}
	c.silent = false
	return []effect{record{Event{Type: EventResponsive, At: Seconds(now), Operating: c.operations.told}}}
}
