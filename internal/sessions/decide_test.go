package sessions

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hearth"
)

// record is a session and its calculations as a store would keep them: it
// applies a change under the guards of the tables and fails on any other.
type record struct {
	t            *rapid.T
	now          time.Time
	session      hearth.Session
	calculations []hearth.Calculation
	operating    bool // what Spark Connect does, as the driver knows
}

func (r *record) live() *hearth.Calculation {
	for i := range r.calculations {
		if !r.calculations[i].State.Ended() {
			return &r.calculations[i]
		}
	}
	return nil
}

func (r *record) facts() facts {
	f := facts{session: r.session, now: r.now}
	if c := r.live(); c != nil {
		copied := *c
		f.calculation = &copied
	}
	return f
}

func (r *record) apply(s step) {
	for _, change := range s.changes {
		if c := change.Session; c != nil {
			if c.To != r.session.State && !hearth.SessionTransitions.Allows(r.session.State, c.To) {
				r.t.Fatalf("decided %s → %s, which the table does not have", r.session.State, c.To)
			}
			if (c.To.Ended() || change.Session != s.changes[len(s.changes)-1].Session) != (s.log != nil) {
				r.t.Fatalf("decided %s and to keep the log at %v", c.To, s.log)
			}
			if r.session.State.Ended() {
				r.t.Fatalf("decided to change an ended session to %s", c.To)
			}
			r.session.State, r.session.StateChangeReason = c.To, c.Reason
			r.session.EndRequested = r.session.EndRequested || c.EndRequested
			if c.Phases != nil {
				r.session.Phases = c.Phases
			}
			if c.AddDPUMillis < 0 {
				r.t.Fatalf("decided to take %d DPU milliseconds back", -c.AddDPUMillis)
			}
			r.session.DPUMillis += c.AddDPUMillis
		}
		if c := change.Calculation; c != nil {
			live := r.live()
			if live == nil || live.ID != c.ID {
				r.t.Fatalf("decided to change calculation %s, which is not live", c.ID)
			}
			if c.To != live.State && !hearth.CalculationTransitions.Allows(live.State, c.To) {
				r.t.Fatalf("decided %s → %s, which the table does not have", live.State, c.To)
			}
			if c.To.Ended() && c.To != hearth.CalculationCompleted && c.Reason == "" {
				r.t.Fatalf("a calculation ends as %s without a reason", c.To)
			}
			if c.To == hearth.CalculationCompleted && c.Reason != "" {
				r.t.Fatalf("a COMPLETED calculation has the reason %q", c.Reason)
			}
			if c.To.Ended() && c.AddDPUMillis <= 0 {
				r.t.Fatalf("a calculation ends without having cost anything")
			}
			if c.To.Ended() && !s.publish {
				r.t.Fatalf("a calculation ends as %s before its files are published", c.To)
			}
			live.State = c.To
		}
	}
}

func (r *record) check() {
	busy := r.session.State == hearth.SessionBusy
	switch live := r.live(); {
	case busy && live == nil && !r.operating:
		r.t.Fatal("BUSY without a calculation or an operation")
	case r.session.State == hearth.SessionIdle && live != nil:
		r.t.Fatalf("IDLE with a calculation that is %s", live.State)
	case r.session.State == hearth.SessionIdle && r.operating:
		r.t.Fatal("IDLE while operations run")
	case r.session.State.Ended() && live != nil:
		r.t.Fatalf("%s with a calculation that is %s", r.session.State, live.State)
	case r.session.State == hearth.SessionFailed && r.session.StateChangeReason == "":
		r.t.Fatal("FAILED without a reason")
	case r.session.State == hearth.SessionTerminated && r.session.StateChangeReason != hearth.ReasonTerminated:
		r.t.Fatalf("TERMINATED with the reason %q", r.session.StateChangeReason)
	case r.session.EndRequested && !r.session.State.Ended() && r.session.State != hearth.SessionTerminating:
		r.t.Fatalf("%s although its end was asked for", r.session.State)
	}
}

// Whatever clients ask for and drivers tell, in whatever order and however
// often, each decision is one that the tables have, and the record stays true.
func TestDecisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &record{t: t, now: time.Unix(1_700_000_000, 0), session: hearth.Session{
			ID: "s", State: hearth.SessionCreating,
			EngineConfiguration: hearth.EngineConfiguration{}.WithDefaults(hearth.EngineVersion{}, hearth.EngineConfiguration{}),
		}}
		event := func(kind hearth.DriverEventType) hearth.DriverEvent {
			e := hearth.DriverEvent{Type: kind, At: r.now, Reason: "because", Ran: time.Duration(rapid.IntRange(0, 9000).Draw(t, "ran")) * time.Millisecond}
			e.Operated = time.Duration(rapid.IntRange(0, 9000).Draw(t, "operated")) * time.Millisecond
			e.Operating = r.operating
			e.Phases = []hearth.StartPhase{{Name: "spawn"}}
			e.Outcome = rapid.SampledFrom([]hearth.Outcome{hearth.OutcomeOK, hearth.OutcomeError, hearth.OutcomeCanceled}).Draw(t, "outcome")
			e.Exit = rapid.SampledFrom([]hearth.ExitCause{hearth.ExitFault, hearth.ExitIdle, hearth.ExitRequested}).Draw(t, "exit")
			if len(r.calculations) > 0 { // mostly the last, sometimes one that was acted upon before
				e.CalculationID = rapid.SampledFrom(r.calculations).Draw(t, "calculation").ID
			}
			return e
		}
		from := func(kind hearth.DriverEventType) func(*rapid.T) {
			return func(*rapid.T) { r.apply(onEvent(r.facts(), event(kind))) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"launched":  func(*rapid.T) { r.apply(onLaunched(r.facts())) },
			"terminate": func(*rapid.T) { r.apply(onTerminate(r.facts())) },
			"cancel":    func(*rapid.T) { r.apply(onCancel(r.facts())) },
			"ready":     from(hearth.DriverReady),
			"started":   from(hearth.CalculationStarted),
			"finished":  from(hearth.CalculationEnded),
			"operating": func(t *rapid.T) {
				if s := r.session.State; s != hearth.SessionCreating && s != hearth.SessionCreated { // else there is no Spark yet
					r.operating = true
					r.apply(onEvent(r.facts(), event(hearth.DriverOperating)))
				}
			},
			"rested": func(t *rapid.T) {
				r.operating = false
				before, e := r.session, event(hearth.DriverRested)
				r.apply(onEvent(r.facts(), e))
				want := before.DPUMillis
				if s := before.State; !s.Ended() && s != hearth.SessionCreating && s != hearth.SessionCreated {
					want += e.Operated.Milliseconds() * int64(before.EngineConfiguration.DPUs())
				}
				if r.session.DPUMillis != want {
					t.Fatalf("operations of %v in a session that is %s take it from %d to %d DPU milliseconds", e.Operated, before.State, before.DPUMillis, r.session.DPUMillis)
				}
			},
			"unresponsive": from(hearth.DriverUnresponsive),
			"responsive":   from(hearth.DriverResponsive),
			"exited": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "rarely") == 0 {
					r.apply(onEvent(r.facts(), event(hearth.DriverExited)))
				}
			},
			"submit": func(*rapid.T) {
				if r.session.State == hearth.SessionIdle {
					r.session.State = hearth.SessionBusy
					r.calculations = append(r.calculations, hearth.Calculation{
						ID: strconv.Itoa(len(r.calculations)), State: hearth.CalculationCreating,
					})
				}
			},
			"": func(*rapid.T) { r.check() },
		})
	})
}

func TestOnExited(t *testing.T) {
	session := func(state hearth.SessionState) hearth.Session { return hearth.Session{ID: "s", State: state} }
	running := &hearth.Calculation{ID: "c", State: hearth.CalculationRunning}
	killed := hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "killed by signal 9"}

	t.Run("a fault fails the session and what ran in it, with the cause", func(t *testing.T) {
		last := onEvent(facts{session: session(hearth.SessionBusy), calculation: running}, killed).changes[0]
		if last.Session.To != hearth.SessionFailed || last.Session.Reason != "killed by signal 9" {
			t.Errorf("session goes to %s (%q)", last.Session.To, last.Session.Reason)
		}
		if last.Calculation.To != hearth.CalculationFailed || last.Calculation.Reason != "killed by signal 9" {
			t.Errorf("calculation goes to %s (%q)", last.Calculation.To, last.Calculation.Reason)
		}
	})
	t.Run("an idle end looks like one on request and the event log tells them apart", func(t *testing.T) {
		idle := hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle, Reason: "idle for 20 minutes"}
		changes := onEvent(facts{session: session(hearth.SessionIdle)}, idle).changes
		if len(changes) != 2 || changes[0].Session.To != hearth.SessionTerminating || changes[1].Session.To != hearth.SessionTerminated {
			t.Fatalf("changes are %+v", changes)
		}
		if changes[1].Session.Reason != hearth.ReasonTerminated || changes[1].Session.Note != "idle for 20 minutes" {
			t.Errorf("reason %q, note %q", changes[1].Session.Reason, changes[1].Session.Note)
		}
	})
	t.Run("a driver killed to stop a calculation leaves it CANCELED and the session FAILED", func(t *testing.T) {
		canceling := &hearth.Calculation{ID: "c", State: hearth.CalculationCanceling}
		last := onEvent(facts{session: session(hearth.SessionBusy), calculation: canceling}, killed).changes[0]
		if last.Calculation.To != hearth.CalculationCanceled || last.Session.To != hearth.SessionFailed {
			t.Errorf("calculation goes to %s, session to %s", last.Calculation.To, last.Session.To)
		}
		if last.Calculation.ExitStatus != 130 {
			t.Errorf("exit status %d", last.Calculation.ExitStatus)
		}
	})
	t.Run("what operations cost until then is accounted", func(t *testing.T) {
		f := facts{session: session(hearth.SessionBusy), calculation: running}
		f.session.EngineConfiguration = f.session.EngineConfiguration.WithDefaults(hearth.EngineVersion{}, hearth.EngineConfiguration{})
		e := killed
		e.Ran, e.Operated = 3*time.Second, 4*time.Second
		dpus := int64(f.session.EngineConfiguration.DPUs())
		last := onEvent(f, e).changes[0]
		if last.Session.AddDPUMillis != 7000*dpus || last.Calculation.AddDPUMillis != 3000*dpus {
			t.Errorf("the session is accounted %d, the calculation %d", last.Session.AddDPUMillis, last.Calculation.AddDPUMillis)
		}
	})
	t.Run("a driver that dies while it is being ended has ended", func(t *testing.T) {
		last := onEvent(facts{session: session(hearth.SessionTerminating)}, killed).changes[0]
		if last.Session.To != hearth.SessionTerminated {
			t.Errorf("session goes to %s", last.Session.To)
		}
	})
}

func TestOnReady_Queue(t *testing.T) {
	asked := time.Unix(1_700_000_000, 0)
	driver := []hearth.StartPhase{{Name: "spawn", Took: time.Second}, {Name: "python", Took: 2 * time.Second}}
	ahead := []hearth.StartPhase{{Name: "spawn", Took: time.Second, Ahead: true}, {Name: "claim", Took: time.Millisecond}}
	for name, c := range map[string]struct {
		took   time.Duration
		phases []hearth.StartPhase
		want   []hearth.StartPhase
	}{
		"a wait before the launch is the first phase": {8*time.Second + time.Microsecond, driver, append([]hearth.StartPhase{{Name: hearth.PhaseQueue, Took: 5 * time.Second}}, driver...)},
		"a moment is none":                               {3*time.Second + leastQueue - 1, driver, driver},
		"nor is a clock that was set back":               {-time.Hour, driver, driver},
		"who got a driver that was there has not waited": {8 * time.Second, ahead, ahead},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts{session: hearth.Session{State: hearth.SessionCreated, StartedAt: asked}}
			got := onReady(f, hearth.DriverEvent{Type: hearth.DriverReady, At: asked.Add(c.took), Phases: c.phases}).changes[0].Session.Phases
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
