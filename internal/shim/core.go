package shim

import (
	"fmt"
	"time"

	"hearth/internal/kernel"
)

// core decides what the shim does: facts go in, effects come out. It does
// nothing itself.
//
//	starting ──ready──▶ serving ──end, idle──▶ ending ──both gone──▶ over
//	    └────────────────┴──fault────────────────┘
type core struct {
	launch Launch

	phase   phase
	phases  []Phase
	phaseAt float64 // when the last phase of the start was complete

	running *run
	taken   map[string]bool // every calculation that was ever accepted

	idleAt  time.Time // when the idle timeout passes; zero while busy
	startAt time.Time // when the start has taken too long
	pingAt  time.Time
	closeAt time.Time // when Java is told to go, though the kernel is there yet
	killAt  time.Time // when patience ends

	pings  int64
	pulses []pulse // of the kernel, then of Java
	silent bool    // unresponsive was told

	exit  Event           // what will have been the cause
	alive map[string]bool // of the two processes
}

type phase int

const (
	starting phase = iota
	serving
	ending // asked to leave, or failed to start
	dying  // killed
	over
)

// run is the calculation that the kernel has.
type run struct {
	id       string
	started  time.Time // zero until it is
	stopping bool      // an interrupt was asked for
	killAt   time.Time
}

// Facts.
type (
	// told is a message of the kernel.
	told struct{ message kernel.Message }
	// asked is a request of a client, which gets the answer on the channel.
	asked struct {
		op, calculation, code string
		answer                chan<- string
	}
	// died is the end of a process.
	died struct{ death death }
	// broke is something that the driver cannot go on without, like the disk.
	broke struct{ err error }
	// tick is the passing of time.
	tick struct{}
)

// Effects, carried out in order.
type (
	// record appends to the journal.
	record struct{ event Event }
	// tell sends to the kernel.
	tell struct{ command kernel.Command }
	// open makes a calculation's files and has output go there.
	open struct{ calculation, code string }
	// keep appends to a calculation's outputs.
	keep struct{ message kernel.Message }
	// complete takes what is left of the output, closes the files and writes
	// the result.
	complete struct{ message kernel.Message }
	// answer answers a request.
	answer struct {
		to   chan<- string
		text string
	}
	// closeJVM ends Java's standard input, which ends Java.
	closeJVM struct{}
	// kill kills all processes.
	kill struct{}
	// leave makes the exit known and ends the shim.
	leave struct{ event Event }
)

type (
	fact   any
	effect any
)

// newCore begins with both processes spawned at now.
func newCore(l Launch, now time.Time) *core {
	c := &core{
		launch:  l,
		taken:   make(map[string]bool),
		alive:   map[string]bool{KernelProcess: true},
		pulses:  []pulse{{process: KernelProcess, answered: true}},
		phaseAt: Seconds(now),
		startAt: after(now, l.StartTimeoutMS),
	}
	if l.JVM != nil {
		c.alive[JVMProcess] = true
		c.pulses = append(c.pulses, pulse{process: JVMProcess, answered: true})
	}
	c.phases = []Phase{{Name: "spawn", TookMS: millisBetween(l.At, c.phaseAt)}}
	return c
}

// next takes a fact and says what to do about it.
func (c *core) next(now time.Time, f fact) []effect {
	if c.phase == over {
		if f, ok := f.(asked); ok {
			return []effect{answer{f.answer, "the driver has ended"}}
		}
		return nil
	}
	switch f := f.(type) {
	case told:
		return c.onTold(now, f.message)
	case asked:
		return c.onAsked(now, f)
	case died:
		return c.onDied(now, f.death)
	case broke:
		return c.fault(now, Event{Reason: fmt.Sprintf("The driver was killed because %v", f.err)})
	case tick:
		return c.onTick(now)
	}
	return nil
}

// wake says when the next tick is due; the zero time means never.
func (c *core) wake() time.Time {
	times := []time.Time{c.idleAt, c.startAt, c.pingAt, c.closeAt, c.killAt}
	if c.running != nil {
		times = append(times, c.running.killAt)
	}
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func (c *core) onTold(now time.Time, m kernel.Message) []effect {
	switch m.Type {
	case kernel.TypePhase:
		p := Phase{Name: m.Name, TookMS: millisBetween(c.phaseAt, m.At)}
		c.phaseAt = max(c.phaseAt, m.At)
		c.phases = append(c.phases, p)
		return []effect{record{Event{Type: EventPhase, At: m.At, Name: p.Name, TookMS: p.TookMS}}}
	case kernel.TypeReady:
		return c.onReady(now, m)
	case kernel.TypeFailed:
		return c.onFailed(now, m)
	case kernel.TypePong:
		return c.onPong(now, m)
	}
	if c.running == nil || c.running.id != m.Calculation {
		return nil // of a thread that an earlier calculation left behind
	}
	switch m.Type {
	case kernel.TypeStarted:
		c.running.started = now
		return []effect{record{Event{Type: EventStarted, At: m.At, Calculation: m.Calculation}}}
	case kernel.TypeDisplayData, kernel.TypeExecuteResult:
		return []effect{keep{m}}
	case kernel.TypeFinished:
		return c.onFinished(now, m)
	}
	return nil
}

func (c *core) onReady(now time.Time, m kernel.Message) []effect {
	if c.phase != starting {
		return nil
	}
	c.phase = serving
	c.startAt = time.Time{}
	c.idleAt = after(now, c.launch.IdleTimeoutMS)
	c.pingAt = after(now, c.launch.HeartbeatMS)
	return []effect{record{Event{Type: EventReady, At: m.At, Phases: c.phases}}}
}

// onFailed lets both processes go by themselves: that Java died may be what made
// the kernel fail, and the news of it may come after.
func (c *core) onFailed(now time.Time, m kernel.Message) []effect {
	if c.phase >= ending {
		return nil
	}
	c.phase = ending
	c.exit = Event{Cause: CauseFault, Reason: "The driver could not start: " + quote(m.Reason), Process: KernelProcess, Code: 1}
	c.quiet()
	c.killAt = now.Add(millis(c.launch.EndGraceMS))
	return []effect{closeJVM{}}
}

func (c *core) onFinished(now time.Time, m kernel.Message) []effect {
	ran := c.ran(now)
	c.running = nil
	if c.phase == serving {
		c.idleAt = after(now, c.launch.IdleTimeoutMS)
	}
	return []effect{complete{m}, record{Event{
		Type: EventFinished, At: m.At, Calculation: m.Calculation,
		Status: m.Status, ExitStatus: m.ExitStatus, Reason: m.Reason, Progress: m.Progress, RanMS: ran,
	}}}
}

func (c *core) onAsked(now time.Time, a asked) []effect {
	switch a.op {
	case OpPing:
		return []effect{answer{a.answer, ""}}
	case OpExecute:
		return c.onExecute(now, a)
	case OpInterrupt:
		return append(c.onInterrupt(now, a.calculation), answer{a.answer, ""})
	case OpEnd:
		return append(c.end(now, CauseRequested), answer{a.answer, ""})
	}
	return []effect{answer{a.answer, fmt.Sprintf("the driver does not know how to %q", a.op)}}
}

// onExecute takes a calculation once, however often it is handed over: a server
// that was restarted in the middle does not know whether it was taken.
func (c *core) onExecute(now time.Time, a asked) []effect {
	refusal := ""
	_, nameless := CalculationDir("", a.calculation)
	switch {
	case c.taken[a.calculation]:
		return []effect{answer{a.answer, ""}}
	case nameless != nil:
		refusal = nameless.Error()
	case c.phase == starting:
		refusal = "the driver is still starting"
	case c.phase != serving:
		refusal = "the driver is ending"
	case c.running != nil:
		refusal = fmt.Sprintf("the driver is busy with calculation %s", c.running.id)
	}
	if refusal != "" {
		return []effect{answer{a.answer, refusal}}
	}
	c.taken[a.calculation] = true
	c.running = &run{id: a.calculation}
	c.idleAt = time.Time{}
	return []effect{
		open{a.calculation, a.code},
		record{Event{Type: EventAccepted, At: Seconds(now), Calculation: a.calculation}},
		tell{kernel.Execute(a.calculation, a.code)},
		answer{a.answer, ""},
	}
}

func (c *core) onInterrupt(now time.Time, calculation string) []effect {
	if c.phase != serving || c.running == nil || c.running.id != calculation || c.running.stopping {
		return nil // an end that is under way stops the code too
	}
	c.running.stopping = true
	c.running.killAt = now.Add(millis(c.launch.CancelDeadlineMS))
	return []effect{
		record{Event{Type: EventCanceling, At: Seconds(now), Calculation: calculation, Step: StepInterrupt}},
		tell{kernel.Interrupt(calculation)},
	}
}

// end asks the driver to leave. The kernel stops Spark through Java, so Java is
// told to go only when the kernel went, or took half of the grace without.
func (c *core) end(now time.Time, cause string) []effect {
	if c.phase >= ending {
		return nil
	}
	c.phase = ending
	c.exit.Cause = cause
	c.quiet()
	grace := millis(c.launch.EndGraceMS)
	c.closeAt = now.Add(grace / 2)
	c.killAt = now.Add(grace)
	return []effect{
		record{Event{Type: EventEnding, At: Seconds(now), Cause: cause}},
		tell{kernel.End()},
	}
}

// fault kills what is left of the driver. The first cause is the one that
// counts, and an end that was wanted stays one: what follows is its consequence.
func (c *core) fault(now time.Time, cause Event) []effect {
	if c.phase == dying {
		return nil
	}
	if c.phase != ending {
		cause.Cause = CauseFault
		c.exit = cause
	}
	c.phase = dying
	c.quiet()
	c.closeAt, c.killAt = time.Time{}, time.Time{}
	return append([]effect{kill{}}, c.leaveWhenGone(now)...)
}

// quiet stops all that waits for the driver to do or not do something.
func (c *core) quiet() {
	c.idleAt, c.startAt, c.pingAt = time.Time{}, time.Time{}, time.Time{}
	c.silent = false // that it answers is no news any more
	if c.running != nil {
		c.running.killAt = time.Time{}
	}
}

func (c *core) onDied(now time.Time, d death) []effect {
	delete(c.alive, d.process)
	if c.phase == starting || c.phase == serving {
		return c.fault(now, d.cause(c.phase == starting))
	}
	if c.phase == ending && c.exit.Cause == CauseFault && d.process == JVMProcess && (d.signal != 0 || d.code != 0) {
		c.exit = d.cause(true)
		c.exit.Cause = CauseFault
	}
	var effects []effect
	if d.process == KernelProcess && c.phase == ending {
		c.closeAt = time.Time{}
		effects = append(effects, closeJVM{})
	}
	return append(effects, c.leaveWhenGone(now)...)
}

func (c *core) leaveWhenGone(now time.Time) []effect {
	if len(c.alive) > 0 {
		return nil
	}
	c.phase = over
	c.closeAt, c.killAt = time.Time{}, time.Time{}
	c.exit.Type, c.exit.At = EventExited, Seconds(now)
	if c.exit.Reason == "" {
		switch c.exit.Cause {
		case CauseIdle:
			c.exit.Reason = fmt.Sprintf("The driver ended after %v without a calculation", millis(c.launch.IdleTimeoutMS))
		case CauseRequested:
			c.exit.Reason = "The driver ended as requested"
		}
	}
	if c.running != nil {
		c.exit.Calculation, c.exit.RanMS = c.running.id, c.ran(now)
		c.running = nil
	}
	return []effect{leave{c.exit}}
}

func (c *core) onTick(now time.Time) []effect {
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case due(c.killAt):
		c.phase = dying
		c.closeAt, c.killAt = time.Time{}, time.Time{}
		return []effect{kill{}}
	case due(c.closeAt):
		c.closeAt = time.Time{}
		return []effect{closeJVM{}}
	case c.running != nil && due(c.running.killAt):
		id := c.running.id
		// Killing goes first: on a full disk the record fails, and what follows
		// it is left out.
		return append(c.fault(now, Event{Reason: fmt.Sprintf(
			"The code of calculation %s did not stop within %v of its cancellation, so its driver was killed", id, millis(c.launch.CancelDeadlineMS))}),
			record{Event{Type: EventCanceling, At: Seconds(now), Calculation: id, Step: StepKill}})
	case due(c.startAt):
		return c.fault(now, Event{Reason: fmt.Sprintf("The driver was not ready after %v, so it was killed", millis(c.launch.StartTimeoutMS))})
	case due(c.idleAt):
		return c.end(now, CauseIdle)
	case due(c.pingAt):
		return c.beat(now)
	}
	return nil
}

// ran is how long the calculation's code has been running.
func (c *core) ran(now time.Time) int64 {
	if c.running == nil || c.running.started.IsZero() {
		return 0
	}
	return now.Sub(c.running.started).Milliseconds()
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// after gives the time that many milliseconds after now, and the zero time,
// never, for none.
func after(now time.Time, ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return now.Add(millis(ms))
}

func millisBetween(from, to float64) int64 { return max(0, int64((to-from)*1000)) }
