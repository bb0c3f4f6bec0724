package sessions

import (
	"strings"
	"time"

	"hearth"
)

// facts are all that a decision may look at.
type facts struct {
	session     hearth.Session
	calculation *hearth.Calculation // the one that has not ended, if there is one
	now         time.Time
}

// step is a decision: the transactions to make, in order, and what has to be
// done before the first.
type step struct {
	changes []hearth.Change
	publish bool     // the calculation's files are at the output location
	log     []string // the driver's log is at these URIs
}

func (s step) idle() bool { return len(s.changes) == 0 }

// to is the state that the step leads the session to; "" is none.
func (s step) to() hearth.SessionState {
	if last := s.changes[len(s.changes)-1].Session; last != nil {
		return last.To
	}
	return ""
}

// ending is how a step that publishes ends the calculation.
func (s step) ending() hearth.CalculationChange { return *s.changes[len(s.changes)-1].Calculation }

// publishing is the same step, which has files on record that were placed.
func (s step) publishing(placed []hearth.Unsynced) step {
	s.changes[len(s.changes)-1].Unsynced = placed
	return s
}

// placed are the files that the step has on record.
func (s step) placed() []hearth.Unsynced { return s.changes[len(s.changes)-1].Unsynced }

func one(change hearth.Change) step { return step{changes: []hearth.Change{change}} }

// onLaunched: the driver's processes run.
func onLaunched(f facts) step {
	if f.session.State != hearth.SessionCreating {
		return step{}
	}
	return one(hearth.Change{Session: f.sessionTo(hearth.SessionCreated, "", f.now)})
}

// onLaunchRefused: there is no driver and there will be none.
func onLaunchRefused(f facts, reason string) step {
	return onExited(f, hearth.DriverEvent{Type: hearth.DriverExited, At: f.now, Exit: hearth.ExitFault, Reason: reason})
}

// onTerminate: somebody asks for the session's end. Asking again, or after the
// end, changes nothing.
func onTerminate(f facts) step {
	if f.session.State.Ended() || f.session.State == hearth.SessionTerminating {
		return step{}
	}
	change := f.sessionTo(hearth.SessionTerminating, hearth.ReasonTerminated, f.now)
	change.EndRequested = true
	return one(hearth.Change{Session: change})
}

// onCancel: somebody asks for the calculation's stop.
func onCancel(f facts) step {
	if f.calculation == nil || f.calculation.State == hearth.CalculationCanceling {
		return step{}
	}
	return one(hearth.Change{Calculation: &hearth.CalculationChange{
		ID: f.calculation.ID, To: hearth.CalculationCanceling, At: f.now,
	}})
}

// onEvent: the driver's journal tells something. Events of a calculation that
// has ended in the record were acted upon before; they change nothing.
func onEvent(f facts, e hearth.DriverEvent) step {
	if f.session.State.Ended() {
		return step{}
	}
	switch e.Type {
	case hearth.DriverReady:
		return onReady(f, e)
	case hearth.CalculationStarted:
		return onStarted(f, e)
	case hearth.CalculationEnded:
		return onFinished(f, e)
	case hearth.DriverOperating:
		return onOperating(f, e)
	case hearth.DriverRested:
		return onRested(f, e)
	case hearth.DriverUnresponsive:
		return onUnresponsive(f, e)
	case hearth.DriverResponsive:
		return onResponsive(f, e)
	case hearth.DriverExited:
		return onExited(f, e)
	}
	return step{}
}

func onReady(f facts, e hearth.DriverEvent) step {
	if f.session.State != hearth.SessionCreated {
		return step{}
	}
	change := f.sessionTo(hearth.SessionIdle, "", e.At)
	change.Phases = f.phases(e)
	change.JournalOffset = e.Offset
	return one(hearth.Change{Session: change})
}

// leastQueue is the shortest wait that is told as a phase: recording a session
// takes a moment, too.
const leastQueue = 100 * time.Millisecond

// phases are those of the driver's start, and before them what the session has
// waited for its launch: the time that no phase explains. One that got a driver
// which was there has not waited.
func (f facts) phases(ready hearth.DriverEvent) []hearth.StartPhase {
	queued := ready.At.Sub(f.session.StartedAt)
	for _, p := range ready.Phases {
		if p.Ahead {
			return ready.Phases
		}
		queued -= p.Took
	}
	if queued < leastQueue {
		return ready.Phases
	}
	queue := hearth.StartPhase{Name: hearth.PhaseQueue, Took: queued.Truncate(time.Millisecond)}
	return append([]hearth.StartPhase{queue}, ready.Phases...)
}

func onStarted(f facts, e hearth.DriverEvent) step {
	if !f.runs(e.CalculationID) || !hearth.CalculationTransitions.Allows(f.calculation.State, hearth.CalculationRunning) {
		return step{}
	}
	return one(hearth.Change{Calculation: &hearth.CalculationChange{
		ID: e.CalculationID, To: hearth.CalculationRunning, At: e.At,
	}})
}

// onFinished ends the calculation and frees the session in one transaction,
// so that nobody sees a COMPLETED calculation in a BUSY session.
func onFinished(f facts, e hearth.DriverEvent) step {
	if !f.runs(e.CalculationID) {
		return step{}
	}
	dpu := f.dpuMillis(e.Ran)
	calculation := &hearth.CalculationChange{
		ID: e.CalculationID, At: e.At, AddDPUMillis: dpu, Progress: e.Progress, ExitStatus: e.ExitStatus,
	}
	switch {
	case f.calculation.State == hearth.CalculationCanceling:
		calculation.To, calculation.Reason = hearth.CalculationCanceled, "The calculation was canceled per request"
	case e.Outcome == hearth.OutcomeOK:
		calculation.To = hearth.CalculationCompleted
	case e.Outcome == hearth.OutcomeCanceled && f.session.State == hearth.SessionTerminating:
		calculation.To, calculation.Reason = hearth.CalculationCanceled, hearth.ReasonCalculationEnded
	case e.Outcome == hearth.OutcomeCanceled:
		calculation.To, calculation.Reason = hearth.CalculationCanceled, e.Reason
	default:
		calculation.To, calculation.Reason = hearth.CalculationFailed, hearth.ClipReason(e.Reason)
	}
	session := f.sessionTo(f.session.State, f.session.StateChangeReason, e.At)
	if f.session.State == hearth.SessionBusy && !e.Operating {
		session = f.sessionTo(hearth.SessionIdle, "", e.At)
	}
	session.AddDPUMillis = dpu
	session.JournalOffset = e.Offset
	return step{changes: []hearth.Change{{Session: session, Calculation: calculation}}, publish: true}
}

// onOperating: a session works for Spark Connect, and takes no calculation
// meanwhile. One that a calculation runs in is BUSY already.
func onOperating(f facts, e hearth.DriverEvent) step {
	if f.session.State != hearth.SessionIdle {
		return step{}
	}
	change := f.sessionTo(hearth.SessionBusy, "", e.At)
	change.JournalOffset = e.Offset
	return one(hearth.Change{Session: change})
}

// onRested frees the session, unless a calculation runs in it or it is not BUSY:
// what is DEGRADED or about to end is so for another reason.
func onRested(f facts, e hearth.DriverEvent) step {
	if f.session.State == hearth.SessionCreating || f.session.State == hearth.SessionCreated {
		return step{}
	}
	change := f.sessionTo(f.session.State, f.session.StateChangeReason, e.At)
	if f.session.State == hearth.SessionBusy && f.calculation == nil {
		change = f.sessionTo(hearth.SessionIdle, "", e.At)
	}
	change.AddDPUMillis = f.dpuMillisOperated(e)
	change.JournalOffset = e.Offset
	return one(hearth.Change{Session: change})
}

// unpublished is the same end of a calculation whose files the output location
// refuses for good: code without readable results has not COMPLETED.
func (s step) unpublished(why string) step {
	why = "The calculation's files could not be written to its output location: " + why
	for _, change := range s.changes {
		switch c := change.Calculation; {
		case c == nil:
		case c.To == hearth.CalculationCompleted:
			c.To, c.Reason, c.ExitStatus = hearth.CalculationFailed, hearth.ClipReason(why), 1
		default:
			c.Reason = hearth.ClipReason(c.Reason + ". " + why)
		}
	}
	return s
}

// unlogged is the same end of a session of whose log a place refuses a copy for
// good. The event log says so; the session has ended as it has.
func (s step) unlogged(uri, why string) step {
	last := s.changes[len(s.changes)-1].Session
	last.Note = strings.TrimPrefix(last.Note+". ", ". ") + "The log could not be copied to " + uri + ": " + why
	return s
}

func onUnresponsive(f facts, e hearth.DriverEvent) step {
	if !hearth.SessionTransitions.Allows(f.session.State, hearth.SessionDegraded) {
		return step{}
	}
	change := f.sessionTo(hearth.SessionDegraded, hearth.ClipReason(e.Reason), e.At)
	change.JournalOffset = e.Offset // or a restart would show it once more, long after it was over
	return one(hearth.Change{Session: change})
}

func onResponsive(f facts, e hearth.DriverEvent) step {
	if f.session.State != hearth.SessionDegraded {
		return step{}
	}
	to := hearth.SessionIdle
	if f.calculation != nil || e.Operating {
		to = hearth.SessionBusy
	}
	change := f.sessionTo(to, "", e.At)
	change.JournalOffset = e.Offset
	return one(hearth.Change{Session: change})
}

// exitCanceled is the exit status of code that was stopped, as shells have it
// for SIGINT.
const exitCanceled = 130

// onExited ends the session and what ran in it. An end that was asked for, or
// that the idle timeout brought, goes through TERMINATING like any other, and
// has the reason that Athena gives to both; the event log tells them apart.
func onExited(f facts, e hearth.DriverEvent) step {
	wanted := f.session.State == hearth.SessionTerminating || e.Exit != hearth.ExitFault
	dpu := int64(0)
	var calculation *hearth.CalculationChange
	if f.calculation != nil {
		dpu = f.dpuMillis(e.Ran)
		calculation = &hearth.CalculationChange{
			ID: f.calculation.ID, To: hearth.CalculationFailed, Reason: hearth.ClipReason(e.Reason),
			At: e.At, AddDPUMillis: dpu, ExitStatus: 1,
		}
		switch {
		case wanted:
			calculation.To, calculation.Reason = hearth.CalculationCanceled, hearth.ReasonCalculationEnded
		case f.calculation.State == hearth.CalculationCanceling:
			calculation.To = hearth.CalculationCanceled
		}
		if calculation.To == hearth.CalculationCanceled {
			calculation.ExitStatus = exitCanceled
		}
	}

	last := f.sessionTo(hearth.SessionFailed, hearth.ClipReason(e.Reason), e.At)
	if wanted {
		last = f.sessionTo(hearth.SessionTerminated, hearth.ReasonTerminated, e.At)
		last.Note = e.Reason
	}
	last.AddDPUMillis = dpu + f.dpuMillisOperated(e)
	last.JournalOffset = e.Offset

	end := step{publish: calculation != nil, log: f.session.Logs().Copies}
	if wanted && f.session.State != hearth.SessionTerminating {
		first := f.sessionTo(hearth.SessionTerminating, hearth.ReasonTerminated, e.At)
		first.Note = e.Reason
		end.changes = append(end.changes, hearth.Change{Session: first})
	}
	end.changes = append(end.changes, hearth.Change{Session: last, Calculation: calculation})
	return end
}

func (f facts) sessionTo(to hearth.SessionState, reason string, at time.Time) *hearth.SessionChange {
	return &hearth.SessionChange{ID: f.session.ID, To: to, Reason: reason, At: at}
}

// runs reports whether the record has the calculation as not ended.
func (f facts) runs(calculationID string) bool {
	return f.calculation != nil && f.calculation.ID == calculationID
}

// dpuMillis is what a run is accounted as. Whatever ran has run for at least
// one millisecond.
func (f facts) dpuMillis(ran time.Duration) int64 {
	return max(1, ran.Milliseconds()) * int64(f.session.EngineConfiguration.DPUs())
}

// dpuMillisOperated is what operations of Spark Connect are accounted as. What ran
// in the time of a calculation is in that one's.
func (f facts) dpuMillisOperated(e hearth.DriverEvent) int64 {
	return e.Operated.Milliseconds() * int64(f.session.EngineConfiguration.DPUs())
}
