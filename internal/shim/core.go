package shim

import (
	"fmt"
	"slices"
	"time"

	"hearth/internal/kernel"
)

// core decides what the shim does: facts go in, effects come out. It does
// nothing itself.
//
//	starting ──ready──▶ serving ──end, idle──▶ ending ──both gone──▶ over
//	    └────────────────┴──fault────────────────┘
//
// A driver that is launched ahead of its session is warm between the first two,
// until it is claimed (see warm.go).
type core struct {
	launch Launch

	phase   phase
	phases  []Phase
	phaseAt float64 // when the last phase of the start was complete

	claim     *Claim         // of a driver that was launched ahead, as soon as a session has claimed it
	claimants []chan<- reply // who have claimed it when it was warm, until it is ready

	running *run
	taken   map[string]bool // every calculation that was ever accepted

	ageAt   time.Time // when a driver that nobody has claimed ends
	idleAt  time.Time // when the idle timeout passes; zero while busy
	trimAt  time.Time // when memory is given back; zero while busy, and once it was
	startAt time.Time // when the start has taken too long
	pingAt  time.Time
	closeAt time.Time // when Java is told to go, though the kernel is there yet
	killAt  time.Time // when patience ends

	pings  int64
	pulses []pulse // of the kernel, then of Java
	silent bool    // unresponsive was told

	operations operations
	connect    reply                     // where Spark Connect listens, once it is known
	waiting    map[string][]chan<- reply // for what the kernel is asked, by its type

	exit  Event           // what will have been the cause
	alive map[string]bool // of the two processes
}

type phase int

const (
	starting phase = iota
	warm           // waits for a claim
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
		claim                 *Claim
		answer                chan<- reply
	}
	// stirred is what Java says of Spark Connect.
	stirred struct{ what string }
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
	// know keeps what is to be known of the session.
	know struct{ session kernel.Session }
	// open makes a calculation's files and has output go there.
	open struct{ calculation, code string }
	// keep appends to a calculation's outputs.
	keep struct{ message kernel.Message }
	// complete takes what is left of the output, closes the files and writes
	// the result.
	complete struct{ message kernel.Message }
	// answer answers a request.
	answer struct {
		to chan<- reply
		reply
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

// reply is the answer to a request.
type reply struct{ refusal, address, secret string }

// refuse is a reply that says no. Without a text it is a yes.
func refuse(to chan<- reply, why string) answer { return answer{to, reply{refusal: why}} }

// newCore begins with both processes spawned at now.
func newCore(l Launch, now time.Time) *core {
	c := &core{
		launch:  l,
		taken:   make(map[string]bool),
		waiting: make(map[string][]chan<- reply),
		alive:   map[string]bool{KernelProcess: true},
		pulses:  []pulse{{process: KernelProcess, answered: true}},
		phaseAt: Seconds(now),
		startAt: after(now, l.StartTimeoutMS),
	}
	if l.Warm != nil {
		c.ageAt = after(now, l.Warm.AgeMS)
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
			return []effect{refuse(f.answer, driverEnded)}
		}
		return nil
	}
	switch f := f.(type) {
	case told:
		return c.onTold(now, f.message)
	case asked:
		return c.onAsked(now, f)
	case stirred:
		return c.onStirred(now, f.what)
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
	times := []time.Time{c.ageAt, c.idleAt, c.trimAt, c.startAt, c.pingAt, c.closeAt, c.killAt, c.operations.restAt}
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
	case kernel.TypeWarm:
		return c.onWarm(now, m)
	case kernel.TypeReady:
		return c.onReady(now, m)
	case kernel.TypeFailed:
		return c.onFailed(now, m)
	case kernel.TypePong:
		return c.onPong(now, m)
	case kernel.TypeConnect, kernel.TypeUI:
		return c.onEndpoint(m)
	}
	if c.running == nil || c.running.id != m.Calculation {
		return nil // of a thread that an earlier calculation left behind
	}
	switch m.Type {
	case kernel.TypeStarted:
		c.account(now)
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
	if c.phase >= serving {
		return nil
	}
	if c.phase == starting {
		c.pingAt = after(now, c.launch.HeartbeatMS)
	}
	if c.claim != nil {
		c.phases = append(c.phases, Phase{Name: PhaseClaim, TookMS: millisBetween(c.phaseAt, m.At)})
	}
	c.phase = serving
	c.startAt = time.Time{}
	c.rest(now)
	return append([]effect{record{Event{Type: EventReady, At: m.At, Phases: c.phases}}}, c.answerClaimants("")...)
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
	c.account(now)
	ran := c.ran(now)
	c.running = nil
	c.rest(now)
	return []effect{complete{m}, record{Event{
		Type: EventFinished, At: m.At, Calculation: m.Calculation,
		Status: m.Status, ExitStatus: m.ExitStatus, Reason: m.Reason, Progress: m.Progress, RanMS: ran, Operating: c.operations.told,
	}}}
}

func (c *core) onAsked(now time.Time, a asked) []effect {
	switch a.op {
	case OpPing:
		return []effect{answer{to: a.answer}}
	case OpClaim:
		return c.onClaim(now, a)
	case OpExecute:
		return c.onExecute(now, a)
	case OpInterrupt:
		return append(c.onInterrupt(now, a.calculation), answer{to: a.answer})
	case OpConnect, OpUI:
		return c.onAskedEndpoint(a)
	case OpEnd:
		return append(c.end(now, CauseRequested), answer{to: a.answer})
	}
	return []effect{refuse(a.answer, Unknown(a.op))}
}

// onExecute takes a calculation once, however often it is handed over: a server
// that was restarted in the middle does not know whether it was taken.
func (c *core) onExecute(now time.Time, a asked) []effect {
	refusal := ""
	_, nameless := CalculationDir("", a.calculation)
	switch {
	case c.taken[a.calculation]:
		return []effect{answer{to: a.answer}}
	case nameless != nil:
		refusal = nameless.Error()
	case c.phase < serving:
		refusal = "the driver is still starting"
	case c.phase != serving:
		refusal = "the driver is ending"
	case c.running != nil:
		refusal = fmt.Sprintf("the driver is busy with calculation %s", c.running.id)
	}
	if refusal != "" {
		return []effect{refuse(a.answer, refusal)}
	}
	c.taken[a.calculation] = true
	c.running = &run{id: a.calculation}
	c.busy()
	return []effect{
		open{a.calculation, a.code},
		record{Event{Type: EventAccepted, At: Seconds(now), Calculation: a.calculation}},
		tell{kernel.Execute(a.calculation, a.code)},
		answer{to: a.answer},
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
	c.busy()
	c.ageAt, c.startAt, c.pingAt = time.Time{}, time.Time{}, time.Time{}
	c.operations.restAt = time.Time{}
	c.silent = false // that it answers is no news any more
	if c.running != nil {
		c.running.killAt = time.Time{}
	}
}

func (c *core) onDied(now time.Time, d death) []effect {
	delete(c.alive, d.process)
	if c.phase <= serving {
		return c.fault(now, d.cause(c.phase < serving))
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
		case CauseAge:
			c.exit.Reason = fmt.Sprintf("The driver ended because no session has claimed it for %v", millis(c.launch.Warm.AgeMS))
		case CauseIdle:
			c.exit.Reason = fmt.Sprintf("The driver ended after %v without a calculation or a call over Spark Connect", millis(c.launch.IdleTimeoutMS))
		case CauseRequested:
			c.exit.Reason = "The driver ended as requested"
		}
	}
	c.account(now)
	if c.operations.told {
		c.exit.OperatedMS = c.operations.ran.Milliseconds()
	}
	if c.running != nil {
		c.exit.Calculation, c.exit.RanMS = c.running.id, c.ran(now)
		c.running = nil
	}
	return slices.Concat(c.answerClaimants(c.exit.Reason), c.refuseWaiting(), []effect{leave{c.exit}})
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
	case due(c.operations.restAt):
		return c.onRested(now)
	case due(c.ageAt):
		return c.end(now, CauseAge)
	case due(c.idleAt):
		return c.end(now, CauseIdle)
	case due(c.trimAt):
		c.trimAt = time.Time{}
		return []effect{tell{kernel.Trim()}}
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
