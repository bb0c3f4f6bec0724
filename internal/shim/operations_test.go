package shim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/internal/kernel"
)

func (r *rig) stir(what string) { r.facts <- stirred{what} }

func TestOperations(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *rig){
		"the idle timeout runs from the last one's end, and not while one runs": func(t *testing.T, r *rig) {
			time.Sleep(59 * time.Second)
			r.stir(stirOperating)
			time.Sleep(time.Hour)
			r.stir(stirRested)
			time.Sleep(restAfter)
			r.check(t, "0s record ready", "59s record operating", "1h0m59.1s record rested")
			time.Sleep(60 * time.Second)
			r.check(t, "1h1m59.1s record ending idle", "1h1m59.1s tell end")
			r.finish()
		},
		"the idle timeout runs from what clients ask for": func(t *testing.T, r *rig) {
			for range 10 {
				time.Sleep(59 * time.Second)
				r.stir(stirTouched)
			}
			time.Sleep(60*time.Second - 1)
			r.check(t, "0s record ready")
			time.Sleep(time.Nanosecond)
			r.check(t, "10m50s record ending idle", "10m50s tell end")
			r.finish()
		},
		"what a client asks for does not start it while code runs": func(t *testing.T, r *rig) {
			r.ask(OpExecute, "a")
			r.stir(stirTouched)
			r.stir(stirOperating)
			r.stir(stirRested)
			time.Sleep(time.Hour)
			r.check(t, "0s record ready", "0s open a", "0s record accepted a", "0s tell execute", "0s answer",
				"0s record operating", "100ms record rested")
			r.finish()
		},
		"one after the other they are told once": func(t *testing.T, r *rig) {
			for range 100 {
				r.stir(stirOperating)
				time.Sleep(restAfter)
				r.stir(stirRested)
				time.Sleep(restAfter / 2)
			}
			time.Sleep(restAfter)
			r.check(t, "0s record ready", "0s record operating", "15.05s record rested")
			r.finish()
		},
		"an end does not wait for them": func(t *testing.T, r *rig) {
			r.stir(stirOperating)
			r.ask(OpEnd, "")
			r.stir(stirRested)
			r.stir("nonsense")
			<-r.over
			r.check(t, "0s record ready", "0s record operating", "0s record ending requested", "0s tell end", "0s answer",
				"1.5s closeJVM", "3s kill", "3s leave requested: The driver ended as requested")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(testLaunch)
				r.say(kernel.Message{Type: kernel.TypeReady})
				synctest.Wait()
				test(t, r)
			})
		})
	}
}

// TestOperations_Account tells what is accounted of operations and calculations
// that overlap.
func TestOperations_Account(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := newCore(testLaunch, now)
	var journal []Event
	after := func(d time.Duration, facts ...fact) {
		now = now.Add(d)
		for _, f := range facts {
			for _, e := range c.next(now, f) {
				switch e := e.(type) {
				case record:
					journal = append(journal, Event{Type: e.event.Type, Operating: e.event.Operating, RanMS: e.event.RanMS, OperatedMS: e.event.OperatedMS})
				case leave:
					journal = append(journal, Event{Type: e.event.Type, RanMS: e.event.RanMS, OperatedMS: e.event.OperatedMS})
				}
			}
		}
	}
	kernelSays := func(kind, calculation string) fact {
		return told{kernel.Message{Type: kind, Calculation: calculation}}
	}
	after(0, kernelSays(kernel.TypeReady, ""))
	after(0, stirred{stirOperating})
	after(time.Second, asked{op: OpExecute, calculation: "a"})
	after(time.Second, kernelSays(kernel.TypeStarted, "a")) // 2 s of the operation's own
	after(3*time.Second, kernelSays(kernel.TypeFinished, "a"))
	after(4*time.Second, stirred{stirRested}) // and 4
	after(restAfter, tick{})
	after(time.Minute/2, asked{op: OpExecute, calculation: "b"}, kernelSays(kernel.TypeStarted, "b"), stirred{stirOperating})
	after(5*time.Second, stirred{stirRested}) // in the calculation's time
	after(restAfter, tick{})
	after(0, kernelSays(kernel.TypeFinished, "b"))
	after(time.Second, stirred{stirOperating})
	after(6*time.Second, died{death{process: JVMProcess}}, died{death{process: KernelProcess}})
	want := []Event{
		{Type: EventReady},
		{Type: EventOperating},
		{Type: EventAccepted},
		{Type: EventStarted},
		{Type: EventFinished, RanMS: 3000, Operating: true},
		{Type: EventRested, OperatedMS: 6000},
		{Type: EventAccepted},
		{Type: EventStarted},
		{Type: EventOperating},
		{Type: EventRested},
		{Type: EventFinished, RanMS: 5100},
		{Type: EventOperating},
		{Type: EventExited, OperatedMS: 6000},
	}
	if diff := cmp.Diff(want, journal); diff != "" {
		t.Error(diff)
	}
}
