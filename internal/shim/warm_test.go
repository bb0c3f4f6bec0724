package shim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth/internal/kernel"
)

// claims asks for the driver, for a session that is asked for now.
func (r *rig) claims() (answer chan reply) {
	answer = make(chan reply, 1)
	r.facts <- asked{op: OpClaim, claim: &Claim{At: Seconds(time.Now()), IdleTimeoutMS: 60_000}, answer: answer}
	return answer
}

func TestCore_Warm(t *testing.T) {
	launch := testLaunch
	launch.Warm = &Warm{Key: "key", AgeMS: 3_600_000}
	launch.IdleTimeoutMS = 0
	for name, test := range map[string]func(*testing.T, *rig){
		"it waits, is claimed once, and the idle timeout is its session's": func(t *testing.T, r *rig) {
			time.Sleep(10 * time.Second)
			r.say(kernel.Message{Type: kernel.TypeWarm})
			time.Sleep(30 * time.Minute)
			if refusal := r.ask(OpExecute, "a"); refusal != "the driver is still starting" {
				t.Errorf("code is answered %q", refusal)
			}
			r.claims()
			r.claims()
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.claims()
			time.Sleep(time.Minute - time.Nanosecond)
			r.check(t, "10s record warm", "30m10s answer the driver is still starting",
				"30m10s record claimed", "30m10s know", "30m10s tell claim", "30m10s record ready", "30m10s answer", "30m10s answer", "30m10s answer")
			time.Sleep(time.Nanosecond)
			r.check(t, "31m10s record ending idle", "31m10s tell end")
		},
		"one that nobody claims ends": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeWarm})
			time.Sleep(time.Hour - time.Nanosecond)
			r.check(t, "0s record warm")
			time.Sleep(time.Nanosecond)
			if refusal := (<-r.claims()).refusal; refusal != "the driver is ending" {
				t.Errorf("a claim is answered %q", refusal)
			}
			r.facts <- died{death{process: KernelProcess}}
			r.facts <- died{death{process: JVMProcess}}
			<-r.over
			r.check(t, "1h0m0s record ending age", "1h0m0s tell end", "1h0m0s answer the driver is ending",
				"1h0m0s closeJVM", "1h0m0s leave age: The driver ended because no session has claimed it for 1h0m0s")
		},
		"one that is claimed while it starts is ready without having waited": func(t *testing.T, r *rig) {
			time.Sleep(time.Second)
			r.claims()
			time.Sleep(time.Second)
			r.say(kernel.Message{Type: kernel.TypeWarm}) // it was under way
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.check(t, "1s record claimed", "1s know", "1s tell claim", "1s answer", "2s record ready")
		},
		"one that is not ready for too long after its claim is killed": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeWarm})
			time.Sleep(30 * time.Minute)
			r.claims()
			time.Sleep(2 * time.Minute)
			<-r.over
			r.check(t, "0s record warm", "30m0s record claimed", "30m0s know", "30m0s tell claim", "32m0s kill",
				"32m0s answer The driver was not ready after 2m0s, so it was killed",
				"32m0s leave fault: The driver was not ready after 2m0s, so it was killed")
		},
		"one that dies of its claim, or before, refuses it": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeWarm})
			r.claims()
			r.say(kernel.Message{Type: kernel.TypeFailed, Reason: "it cannot"})
			r.facts <- died{death{process: KernelProcess, code: 1}}
			r.facts <- died{death{process: JVMProcess}}
			<-r.over
			r.check(t, "0s record warm", "0s record claimed", "0s know", "0s tell claim", "0s closeJVM", "0s closeJVM",
				"0s answer The driver could not start: it cannot", "0s leave fault: The driver could not start: it cannot")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(launch)
				test(t, r)
				r.finish()
			})
		})
	}
	t.Run("a claim of a driver that was launched for its session changes nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(testLaunch)
			r.claims()
			r.check(t, "0s answer")
			r.finish()
		})
	})
	t.Run("its processes are asked whether they live", func(t *testing.T) {
		now := time.Unix(1000, 0)
		c := newCore(launch, now)
		c.next(now, told{kernel.Message{Type: kernel.TypeWarm}})
		now = c.wake()
		var pinged []string
		for _, e := range c.next(now, tick{}) {
			pinged = append(pinged, e.(tell).command.Process)
		}
		if diff := cmp.Diff([]string{KernelProcess, JVMProcess}, pinged); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what came before the claim is told apart in the start", func(t *testing.T) {
		now := time.Unix(1000, 0)
		l := launch
		l.At = Seconds(now)
		c := newCore(l, now)
		at := func(seconds int, f fact) (effects []effect) {
			return c.next(now.Add(time.Duration(seconds)*time.Second), f)
		}
		phase := func(seconds int, name string) {
			at(seconds, told{kernel.Message{Type: kernel.TypePhase, Name: name, At: Seconds(now) + float64(seconds)}})
		}
		phase(2, "python")
		phase(5, "jvm")
		at(7, asked{op: OpClaim, claim: &Claim{At: Seconds(now) + 6}, answer: make(chan reply, 1)})
		phase(9, "spark_context")
		ready := at(10, told{kernel.Message{Type: kernel.TypeReady, At: Seconds(now) + 10}})
		want := []Phase{{"spawn", 0, true}, {"python", 2000, true}, {"jvm", 3000, true}, {"spark_context", 3000, false}, {"claim", 1000, false}}
		if diff := cmp.Diff(want, ready[0].(record).event.Phases); diff != "" {
			t.Error(diff)
		}
	})
}
