package shim

import (
	"time"

	"hearth/internal/kernel"
)

// PhaseClaim is what a driver that was launched ahead takes of its session's
// start, from the request on. All phases before it were ahead, or were not over
// when it was claimed.
const PhaseClaim = "claim"

// onWarm makes nothing of a kernel that was claimed meanwhile: it has been told.
func (c *core) onWarm(now time.Time, m kernel.Message) []effect {
	if c.phase != starting || c.claim != nil {
		return nil
	}
	c.phase = warm
	c.startAt = time.Time{}
	c.trimAt = now.Add(TrimAfter)
	c.pingAt = after(now, c.launch.HeartbeatMS)
	return []effect{record{Event{Type: EventWarm, At: m.At, Phases: c.phases}}}
}

// onClaim makes the driver its session's, once: a server that was restarted in
// the middle does not know whether it was. One that is still starting is ready as
// soon as it may be, and the answer does not wait for that. One that is warm has
// to show first that it lives: the answer is that it is ready.
func (c *core) onClaim(now time.Time, a asked) []effect {
	switch {
	case c.phase >= ending:
		return []effect{refuse(a.answer, "the driver is ending")}
	case c.phase == warm && c.claim != nil:
		c.claimants = append(c.claimants, a.answer)
		return nil
	case c.launch.Warm == nil || c.claim != nil:
		return []effect{answer{to: a.answer}}
	case a.claim == nil:
		return []effect{refuse(a.answer, "a claim says for which session")}
	}
	c.claim = a.claim
	c.launch.IdleTimeoutMS = a.claim.IdleTimeoutMS
	for i := range c.phases {
		c.phases[i].Ahead = true
	}
	c.phaseAt = max(c.phaseAt, a.claim.At)
	c.ageAt, c.trimAt = time.Time{}, time.Time{}
	c.startAt = after(now, c.launch.StartTimeoutMS)
	effects := []effect{
		record{Event{Type: EventClaimed, At: Seconds(now)}},
		know{a.claim.Session},
		tell{kernel.Claim(a.claim.Properties)},
	}
	if c.phase == starting {
		return append(effects, answer{to: a.answer})
	}
	c.claimants = append(c.claimants, a.answer)
	return effects
}

// answerClaimants says that the driver is ready, or why it never will be.
func (c *core) answerClaimants(refusal string) (effects []effect) {
	for _, to := range c.claimants {
		effects = append(effects, refuse(to, refusal))
	}
	c.claimants = nil
	return effects
}
