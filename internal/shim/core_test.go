package shim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hearth/internal/kernel"
)

var testLaunch = Launch{
	IdleTimeoutMS: 60_000, StartTimeoutMS: 120_000, EndGraceMS: 3_000, CancelDeadlineMS: 10_000,
	HeartbeatMS: 5_000, UnresponsiveAfterMS: 30_000, LostAfterMS: 300_000,
	JVM: &Process{},
}

// rig has a core do what it decides, and plays the rest of the world.
type rig struct {
	core  *core
	facts chan fact
	at    time.Time // when the test began
	over  chan struct{}

	mu  sync.Mutex
	did []string // since the last check

	trims []time.Duration // when the kernel was told to give memory back, since the test began
}

// newRig starts the loop inside a bubble of testing/synctest.
func newRig(l Launch) *rig {
	r := &rig{facts: make(chan fact, 100), at: time.Now(), over: make(chan struct{})}
	r.core = newCore(l, time.Now())
	go func() {
		defer close(r.over)
		loop(r.core, r.facts, r.perform)
	}()
	return r
}

func (r *rig) perform(e effect) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.did = append(r.did, fmt.Sprintf("%v %s", time.Since(r.at), describe(e)))
	switch e := e.(type) {
	case tell:
		switch e.command.Type {
		case kernel.TypePing:
			r.facts <- told{kernel.Message{Type: kernel.TypePong, N: e.command.N}}
			r.did = r.did[:len(r.did)-1] // too many to tell
		case kernel.TypeTrim:
			r.trims = append(r.trims, time.Since(r.at))
			r.did = r.did[:len(r.did)-1]
		}
	case answer:
		e.to <- e.reply
	case kill:
		for process := range r.core.alive {
			r.facts <- died{death{process: process, signal: syscall.SIGKILL}}
		}
	}
	return nil
}

func describe(e effect) string {
	switch e := e.(type) {
	case record:
		return strings.TrimSpace("record " + e.event.Type + " " + e.event.Calculation + e.event.Cause + e.event.Step + e.event.Reason)
	case tell:
		return strings.TrimSpace("tell " + e.command.Type + " " + e.command.Process)
	case open:
		return "open " + e.calculation
	case complete:
		return "complete " + e.message.Calculation
	case answer:
		return strings.TrimSpace("answer " + e.refusal)
	case leave:
		return fmt.Sprintf("leave %s: %s", e.event.Cause, e.event.Reason)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", e), "shim.")
}

func (r *rig) say(m kernel.Message) { r.facts <- told{m} }

func (r *rig) ask(op, calculation string) string {
	answer := make(chan reply, 1)
	r.facts <- asked{op: op, calculation: calculation, answer: answer}
	return (<-answer).refusal
}

func (r *rig) check(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.did); diff != "" {
		t.Error(diff)
	}
	r.did = nil
}

// finish ends the loop.
func (r *rig) finish() {
	r.facts <- died{death{process: KernelProcess, signal: syscall.SIGKILL}}
	r.facts <- died{death{process: JVMProcess, signal: syscall.SIGKILL}}
	<-r.over
}

func TestCore_InTime(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *rig){
		"the idle timeout runs from the last calculation's end, and not while one runs": func(t *testing.T, r *rig) {
			time.Sleep(10 * time.Second)
			r.say(kernel.Message{Type: kernel.TypeReady})
			time.Sleep(59 * time.Second)
			r.ask(OpExecute, "a")
			r.say(kernel.Message{Type: kernel.TypeStarted, Calculation: "a"})
			time.Sleep(time.Hour)
			r.say(kernel.Message{Type: kernel.TypeFinished, Calculation: "a"})
			time.Sleep(60*time.Second - 1)
			r.check(t, "10s record ready",
				"1m9s open a", "1m9s record accepted a", "1m9s tell execute", "1m9s answer", "1m9s record started a",
				"1h1m9s complete a", "1h1m9s record finished a")
			time.Sleep(time.Nanosecond)
			r.check(t, "1h2m9s record ending idle", "1h2m9s tell end")
			r.facts <- died{death{process: KernelProcess}}
			r.facts <- died{death{process: JVMProcess}}
			<-r.over
			r.check(t, "1h2m9s closeJVM", "1h2m9s leave idle: The driver ended after 1m0s without a calculation or a call over Spark Connect")
		},
		"an end that takes too long is forced": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.ask(OpEnd, "")
			if refusal := r.ask(OpExecute, "a"); refusal != "the driver is ending" {
				t.Errorf("code is answered %q", refusal)
			}
			r.ask(OpEnd, "")
			<-r.over
			r.check(t, "0s record ready", "0s record ending requested", "0s tell end", "0s answer", "0s answer the driver is ending", "0s answer",
				"1.5s closeJVM", "3s kill", "3s leave requested: The driver ended as requested")
		},
		"a start that takes too long is ended": func(t *testing.T, r *rig) {
			if refusal := r.ask(OpExecute, "a"); refusal != "the driver is still starting" {
				t.Errorf("code is answered %q", refusal)
			}
			<-r.over
			r.check(t, "0s answer the driver is still starting", "2m0s kill", "2m0s leave fault: The driver was not ready after 2m0s, so it was killed")
		},
		"code that does not stop ends the driver": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.ask(OpExecute, "a")
			r.ask(OpInterrupt, "another")
			time.Sleep(time.Second)
			r.ask(OpInterrupt, "a")
			time.Sleep(time.Second)
			r.ask(OpInterrupt, "a") // does not postpone it
			<-r.over
			r.check(t, "0s record ready", "0s open a", "0s record accepted a", "0s tell execute", "0s answer", "0s answer",
				"1s record canceling ainterrupt", "1s tell interrupt", "1s answer", "2s answer", "11s kill", "11s record canceling akill",
				"11s leave fault: The code of calculation a did not stop within 10s of its cancellation, so its driver was killed")
		},
		"code that is to stop when the driver ends gets no deadline of its own": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.ask(OpExecute, "a")
			r.ask(OpEnd, "")
			r.ask(OpInterrupt, "a")
			<-r.over
			r.check(t, "0s record ready", "0s open a", "0s record accepted a", "0s tell execute", "0s answer",
				"0s record ending requested", "0s tell end", "0s answer", "0s answer",
				"1.5s closeJVM", "3s kill", "3s leave requested: The driver ended as requested")
		},
		"code that stops in time does not": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.ask(OpExecute, "a")
			r.ask(OpInterrupt, "a")
			time.Sleep(9 * time.Second)
			r.say(kernel.Message{Type: kernel.TypeFinished, Calculation: "a", Status: kernel.StatusCanceled})
			time.Sleep(30 * time.Second)
			r.check(t, "0s record ready", "0s open a", "0s record accepted a", "0s tell execute", "0s answer",
				"0s record canceling ainterrupt", "0s tell interrupt", "0s answer", "9s complete a", "9s record finished a")
			r.finish()
		},
		"what follows a death is its consequence": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.facts <- died{death{process: JVMProcess, signal: syscall.SIGKILL}}
			r.say(kernel.Message{Type: kernel.TypeFailed, Reason: "the gateway closed"})
			<-r.over
			r.check(t, "0s record ready", "0s kill", "0s leave fault: The driver's Java process was killed by signal 9 (SIGKILL)")
		},
		"a death while ending is no fault": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.ask(OpEnd, "")
			r.finish()
			r.check(t, "0s record ready", "0s record ending requested", "0s tell end", "0s answer", "0s closeJVM", "0s leave requested: The driver ended as requested")
		},
		"a kernel that cannot start says why": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeFailed, Reason: "no module named pyspark"})
			r.facts <- died{death{process: KernelProcess, code: 1}}
			r.facts <- died{death{process: JVMProcess}}
			<-r.over
			r.check(t, "0s closeJVM", "0s closeJVM", "0s leave fault: The driver could not start: no module named pyspark")
		},
		"a kernel that cannot start because Java was killed names that": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeFailed, Reason: "the gateway closed"})
			r.facts <- died{death{process: KernelProcess, code: 1}}
			r.facts <- died{death{process: JVMProcess, signal: syscall.SIGKILL}}
			<-r.over
			r.check(t, "0s closeJVM", "0s closeJVM", "0s leave fault: The driver's Java process was killed by signal 9 (SIGKILL) before Spark was ready")
		},
		"Java that does not go after a failed start is killed": func(t *testing.T, r *rig) {
			r.say(kernel.Message{Type: kernel.TypeFailed, Reason: "no module named pyspark"})
			r.facts <- died{death{process: KernelProcess, code: 1}}
			<-r.over
			r.check(t, "0s closeJVM", "0s closeJVM", "3s kill", "3s leave fault: The driver could not start: no module named pyspark")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newRig(testLaunch)) })
		})
	}
}

func TestCore_Trim(t *testing.T) {
	launch := testLaunch
	launch.IdleTimeoutMS = 0
	ahead := launch
	ahead.Warm = &Warm{Key: "key"}
	for _, test := range []struct {
		name   string
		launch Launch
		script func(*rig)
		want   []time.Duration
	}{
		{"once after the start, and not before", launch, func(r *rig) {
			time.Sleep(time.Minute)
			r.say(kernel.Message{Type: kernel.TypeReady})
			time.Sleep(time.Hour)
		}, []time.Duration{time.Minute + TrimAfter}},
		{"once after a calculation, and not while it runs", launch, func(r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			time.Sleep(TrimAfter - 1)
			r.ask(OpExecute, "a")
			time.Sleep(time.Hour)
			r.say(kernel.Message{Type: kernel.TypeFinished, Calculation: "a"})
			time.Sleep(time.Hour)
		}, []time.Duration{time.Hour + 2*TrimAfter - 1}},
		{"not while operations run, nor while a client asks for something", launch, func(r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			r.stir(stirOperating)
			time.Sleep(time.Hour)
			r.stir(stirRested)
			for range 60 {
				time.Sleep(time.Second)
				r.stir(stirTouched)
			}
			time.Sleep(time.Hour)
		}, []time.Duration{time.Hour + time.Minute + TrimAfter}},
		{"once while it waits for a session, and once after the session's start", ahead, func(r *rig) {
			r.say(kernel.Message{Type: kernel.TypeWarm})
			time.Sleep(time.Hour)
			r.claims()
			r.say(kernel.Message{Type: kernel.TypeReady})
			time.Sleep(time.Hour)
		}, []time.Duration{TrimAfter, time.Hour + TrimAfter}},
		{"not between a claim and the session's start", ahead, func(r *rig) {
			r.say(kernel.Message{Type: kernel.TypeWarm})
			time.Sleep(TrimAfter - 1)
			r.claims()
			time.Sleep(time.Minute)
		}, nil},
		{"not once the end is asked for", launch, func(r *rig) {
			r.say(kernel.Message{Type: kernel.TypeReady})
			time.Sleep(TrimAfter - 1)
			r.ask(OpEnd, "")
			time.Sleep(2 * time.Second)
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(test.launch)
				test.script(r)
				r.finish()
				if !slices.Equal(r.trims, test.want) {
					t.Errorf("memory is given back at %v, want %v", r.trims, test.want)
				}
			})
		})
	}
}

// patient is a core that has been ready since start, and what the processes that
// it pings owe it.
type patient struct {
	*core
	now  time.Time
	owed map[string]int64 // the numbers of unanswered pings
	did  []string
}

func newPatient() *patient {
	launch := testLaunch
	launch.IdleTimeoutMS = 0
	p := &patient{now: time.Unix(1e9, 0), owed: make(map[string]int64)}
	p.core = newCore(launch, p.now)
	p.next(p.now, told{kernel.Message{Type: kernel.TypeReady}})
	p.trimAt = time.Time{} // beats are all that it waits for
	return p
}

// give tells of everything that the core does but of pings, and whom it pinged.
func (p *patient) give(f fact) (pinged []string) {
	for _, e := range p.next(p.now, f) {
		if e, ok := e.(tell); ok && e.command.Type == kernel.TypePing {
			p.owed[e.command.Process] = e.command.N
			pinged = append(pinged, e.command.Process)
			continue
		}
		p.did = append(p.did, describe(e))
	}
	return pinged
}

func (p *patient) beat() (pinged []string) {
	if at := p.wake(); at.After(p.now) {
		p.now = at
	}
	return p.give(tick{})
}

func (p *patient) answer(process string) {
	if n, owes := p.owed[process]; owes {
		delete(p.owed, process)
		p.give(told{kernel.Message{Type: kernel.TypePong, N: n}})
	}
}

// beats has only those answer that are named.
func (p *patient) beats(n int, answering ...string) {
	for range n {
		p.beat()
		for _, process := range answering {
			p.answer(process)
		}
	}
}

func (p *patient) check(t *testing.T, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, p.did); diff != "" {
		t.Errorf("%s: %s", when, diff)
	}
	p.did = nil
}

func TestCore_Heartbeat(t *testing.T) {
	const (
		python = "The driver's Python process has not answered for "
		java   = "The driver's Java process has not answered for "
	)
	t.Run("of the kernel", func(t *testing.T) {
		p := newPatient()
		p.beats(20)
		p.check(t, "nobody answers", "record unresponsive "+python+"30s")
		p.answer(KernelProcess)
		p.check(t, "the kernel answers, and Java has yet to")
		p.answer(JVMProcess)
		p.check(t, "both answer", "record responsive")
		p.beats(1)
		p.now = p.now.Add(time.Hour) // the machine slept, and the processes with it
		p.beats(1)
		p.answer(KernelProcess)
		p.answer(JVMProcess)
		p.check(t, "after a sleep")
		p.beats(61)
		p.check(t, "a lost kernel", "record unresponsive "+python+"30s", "kill")
	})
	t.Run("of Java", func(t *testing.T) {
		p := newPatient()
		p.beats(7, KernelProcess)
		p.check(t, "Java does not answer", "record unresponsive "+java+"30s")
		p.beats(10, KernelProcess)
		p.answer(JVMProcess)
		p.check(t, "it does again", "record responsive")
		p.beats(20, KernelProcess, JVMProcess)
		p.check(t, "and goes on to")
		p.beats(61, KernelProcess)
		p.check(t, "it is lost", "record unresponsive "+java+"30s", "kill")
		p.give(died{death{process: JVMProcess, signal: syscall.SIGKILL}})
		p.give(died{death{process: KernelProcess, signal: syscall.SIGKILL}})
		p.check(t, "the end", "leave fault: "+java+"5m0s, so it was killed")
	})
	t.Run("of Java, which nobody can hear while the kernel is silent", func(t *testing.T) {
		p := newPatient()
		p.beats(60)
		p.check(t, "nobody answers for 295s", "record unresponsive "+python+"30s")
		p.answer(KernelProcess)
		p.beats(59, KernelProcess)
		p.check(t, "Java does not for as long")
		p.beats(1, KernelProcess)
		p.check(t, "it is lost", "kill")
	})
	t.Run("of a driver without Java", func(t *testing.T) {
		p := newPatient()
		light := testLaunch
		light.JVM = nil
		p.core = newCore(light, p.now)
		p.give(told{kernel.Message{Type: kernel.TypeReady}})
		if pinged := p.beat(); !slices.Equal(pinged, []string{KernelProcess}) {
			t.Errorf("it pings %v", pinged)
		}
	})
}

// Whoever stops answering and goes on to, whenever: nobody is pinged who owes an
// answer. A driver is unresponsive once one of its processes has been silent for
// six beats, until all answer; after sixty it is killed; and the one that is
// named is silent. A process whose answer could not have been heard is not.
func TestCore_Silence(t *testing.T) {
	both := []string{KernelProcess, JVMProcess}
	rapid.Check(t, func(r *rapid.T) {
		p := newPatient()
		frozen, silence, unresponsive := map[string]bool{}, map[string]int{}, false
		look := func() {
			for _, did := range p.did {
				names := func(process string, beats int) bool {
					return silence[process] == beats && strings.Contains(did, language(process))
				}
				switch {
				case strings.HasPrefix(did, "record unresponsive ") && !unresponsive && (names(KernelProcess, 6) || names(JVMProcess, 6)):
					unresponsive = true
				case did == "record responsive" && unresponsive:
					unresponsive = false
				case did == "kill" && (silence[KernelProcess] == 60 || silence[JVMProcess] == 60):
				default:
					r.Fatalf("%q after %v beats", did, silence)
				}
			}
			p.did = nil
			switch longest := max(silence[KernelProcess], silence[JVMProcess]); {
			case longest >= 60 && p.phase == serving, longest >= 6 && !unresponsive:
				r.Fatalf("nothing is done after %v beats", silence)
			}
		}
		answers := func() {
			for _, process := range both {
				if !frozen[process] && !frozen[KernelProcess] {
					silence[process] = 0
					p.answer(process)
				}
			}
			look()
			if len(frozen) == 0 && unresponsive {
				r.Fatal("both answer, and it is unresponsive")
			}
		}
		serves := func(r *rapid.T) {
			if p.phase != serving {
				r.Skip("it was killed")
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"freeze": func(r *rapid.T) { frozen[rapid.SampledFrom(both).Draw(r, "process")] = true },
			"thaw": func(r *rapid.T) {
				serves(r)
				delete(frozen, rapid.SampledFrom(both).Draw(r, "process"))
				answers()
			},
			"wait": func(r *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(r, "beats") {
					serves(r)
					owed := maps.Clone(p.owed)
					if i := slices.IndexFunc(both, func(process string) bool { return owed[process] > 0 }); i >= 0 {
						silence[both[i]]++
					}
					for _, process := range p.beat() {
						if owed[process] > 0 {
							r.Fatalf("%s is pinged, and owes an answer", process)
						}
					}
					look()
					if p.phase == serving {
						answers()
					}
				}
			},
			"pong": func(r *rapid.T) { // of a killed process, or of no ping
				p.give(told{kernel.Message{Type: kernel.TypePong, N: p.pings + 1}})
				if p.phase != serving {
					p.answer(rapid.SampledFrom(both).Draw(r, "process"))
				}
				if len(p.did) > 0 {
					r.Fatalf("that has the effects %v", p.did)
				}
			},
		})
	})
}

// Whatever comes in whatever order: one calculation at a time, each taken once
// and finished at most once; each question is answered once; the driver is left
// once, when both processes are dead, and nothing happens after that; and one
// that is to end has a time by which it will.
func TestCore_Always(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		now := time.Unix(1e9, 0)
		c := newCore(testLaunch, now)
		alive := map[string]bool{KernelProcess: true, JVMProcess: true}
		taken := map[string]bool{}
		running, left, killed, isEnding := "", false, false, false
		unanswered := 0
		ids := rapid.SampledFrom([]string{"a", "b", "c", "../d"})

		give := func(f fact) {
			answers := 0
			for _, e := range c.next(now, f) {
				if left {
					if _, ok := e.(answer); !ok {
						r.Fatalf("%s after the end", describe(e))
					}
				}
				switch e := e.(type) {
				case open:
					if running != "" || taken[e.calculation] || killed {
						r.Fatalf("%s is opened while %q runs", e.calculation, running)
					}
					running = e.calculation
					taken[e.calculation] = true
				case complete:
					if e.message.Calculation != running {
						r.Fatalf("%s is complete while %q runs", e.message.Calculation, running)
					}
					running = ""
				case keep:
					if e.message.Calculation != running {
						r.Fatalf("%s displays while %q runs", e.message.Calculation, running)
					}
				case record:
					isEnding = isEnding || e.event.Type == EventEnding
				case kill:
					killed = true
				case answer:
					answers++
				case leave:
					if len(alive) > 0 || e.event.Calculation != running || e.event.Cause == "" || e.event.Reason == "" {
						r.Fatalf("it is left as %+v with %v alive and %q running", e.event, alive, running)
					}
					left = true
				}
			}
			if f, ok := f.(asked); ok {
				if unanswered++; answers == 0 && f.op != OpConnect && f.op != OpUI {
					r.Fatalf("no answer to %v", f)
				}
			}
			if unanswered -= answers; unanswered < 0 || left && unanswered > 0 {
				r.Fatalf("%d answers to %v, and %d are missing", answers, f, unanswered)
			}
			if !left && isEnding && !killed && c.wake().IsZero() {
				r.Fatal("it is to end, and waits for ever")
			}
			if killed && len(alive) == 0 && !left {
				r.Fatal("all are dead, and it is not left")
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"ask": func(r *rapid.T) {
				give(asked{op: rapid.SampledFrom([]string{OpExecute, OpExecute, OpInterrupt, OpConnect, OpUI, OpEnd, "dance"}).Draw(r, "op"), calculation: ids.Draw(r, "id")})
			},
			"tell": func(r *rapid.T) {
				types := []string{
					kernel.TypeReady, kernel.TypePhase, kernel.TypeStarted, kernel.TypeFinished,
					kernel.TypeDisplayData, kernel.TypePong, kernel.TypeConnect, kernel.TypeUI, kernel.TypeFailed, "nonsense",
				}
				give(told{kernel.Message{Type: rapid.SampledFrom(types).Draw(r, "type"), Calculation: ids.Draw(r, "id"), Reason: "said", N: rapid.Int64Range(1, 5).Draw(r, "n")}})
			},
			"die": func(r *rapid.T) {
				process := rapid.SampledFrom([]string{KernelProcess, JVMProcess}).Draw(r, "process")
				if !alive[process] {
					r.Skip("it is dead")
				}
				delete(alive, process)
				give(died{death{process: process, code: 1}})
			},
			"stir": func(r *rapid.T) {
				give(stirred{rapid.SampledFrom([]string{stirOperating, stirRested, stirTouched}).Draw(r, "what")})
			},
			"break": func(*rapid.T) { give(broke{errors.New("the disk is full")}) },
			"wait": func(*rapid.T) {
				if at := c.wake(); !at.IsZero() {
					now = slices.MaxFunc([]time.Time{now, at}, time.Time.Compare)
					give(tick{})
				}
			},
		})
	})
}

func TestLoop_EffectsThatFail(t *testing.T) {
	c := newCore(testLaunch, time.Now())
	c.next(time.Now(), told{kernel.Message{Type: kernel.TypeReady}})
	facts := make(chan fact, 3)
	answer := make(chan reply, 1)
	facts <- asked{op: OpExecute, calculation: "a", answer: answer}
	facts <- died{death{process: KernelProcess, signal: syscall.SIGKILL}}
	facts <- died{death{process: JVMProcess, signal: syscall.SIGKILL}}
	var did []string
	loop(c, facts, func(e effect) error {
		did = append(did, describe(e))
		if _, ok := e.(open); ok {
			return errors.New("the disk is full")
		}
		return nil
	})
	want := []string{"open a", "answer the disk is full", "kill", "leave fault: The driver was killed because the disk is full"}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Error(diff)
	}
}

// A full disk keeps nobody from stopping code that does not stop by itself.
func TestLoop_KillsThoughNothingCanBeRecorded(t *testing.T) {
	launch := testLaunch
	launch.CancelDeadlineMS = 0
	now := time.Now()
	c := newCore(launch, now)
	for _, f := range []fact{
		told{kernel.Message{Type: kernel.TypeReady}},
		asked{op: OpExecute, calculation: "a"},
		asked{op: OpInterrupt, calculation: "a"},
	} {
		c.next(now, f)
	}
	facts := make(chan fact, 2)
	var did []string
	loop(c, facts, func(e effect) error {
		did = append(did, describe(e))
		switch e.(type) {
		case record:
			return errors.New("the disk is full")
		case kill:
			facts <- died{death{process: KernelProcess, signal: syscall.SIGKILL}}
			facts <- died{death{process: JVMProcess, signal: syscall.SIGKILL}}
		}
		return nil
	})
	want := []string{
		"kill", "record canceling akill",
		"leave fault: The code of calculation a did not stop within 0s of its cancellation, so its driver was killed",
	}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Error(diff)
	}
}
