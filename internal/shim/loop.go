package shim

import "time"

// loop gives facts and the passing of time to the core and has its effects
// performed, until it leaves. An effect that cannot be performed is a fact
// itself; what was to follow it is left out, except for an answer, which then
// says so.
func loop(c *core, facts <-chan fact, perform func(effect) error) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Stop()
		if at := c.wake(); !at.IsZero() {
			timer.Reset(time.Until(at))
		}
		var f fact
		select {
		case f = <-facts:
		case <-timer.C:
			f = tick{}
		}
		effects := c.next(time.Now(), f)
		if err := performAll(effects, perform); err != nil {
			effects = c.next(time.Now(), broke{err})
			_ = performAll(effects, perform) // the driver is being killed for the same reason already
		}
		if c.phase == over {
			return
		}
	}
}

func performAll(effects []effect, perform func(effect) error) error {
	var failed error
	for _, e := range effects {
		if a, ok := e.(answer); ok && failed != nil {
			a.reply = reply{refusal: failed.Error()}
			e = a
		} else if failed != nil {
			continue
		}
		if err := perform(e); err != nil {
			failed = err
		}
	}
	return failed
}
