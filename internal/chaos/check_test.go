package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/internal/rest"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

// told is a history that breaks no promise: in one session, code that
// completed, code that raised, code that was stopped and code that was refused;
// in another, code whose kernel was killed.
type told struct {
	*history
	good, lost                *session
	done, raised, stopped, no *calculation
	killed                    *calculation
}

func newTold() *told {
	t := &told{
		done: &calculation{
			thing:   thing{Token: "t-done", IDs: []string{"done", "done"}, Made: []string{"done"}, Seen: sightingsOf("RUNNING", "COMPLETED", "")},
			Program: program{Kind: quick, Stdout: "0\n1\n", Stderr: "warned\n", Value: "'v'"},
			Began:   1, Came: 1, LastRan: at(2.5), Stdout: "0\n1\n", Stderr: "warned\n",
			Result: `{"status":"ok","outputs":[{"output_type":"execute_result","data":{"text/plain":"'v'"}}]}`,
		},
		raised: &calculation{
			thing:   thing{Token: "t-raised", IDs: []string{"raised"}, Made: []string{"raised"}, Seen: sightingsOf("RUNNING", "FAILED", "ValueError: x")},
			Program: program{Kind: raising, Stdout: "0\n"},
			Began:   1, Came: 1, LastRan: at(2.5), Stdout: "0\n", Stderr: "File \"<stdin>\", line 1\nValueError: x\n", Result: `{"status":"error","exit_status":1}`,
		},
		stopped: &calculation{
			thing: thing{
				Token: "t-stopped", IDs: []string{"stopped"}, Made: []string{"stopped"}, StopAsked: at(2), StopState: "CANCELING",
				Seen: sightingsOf("CANCELING", "CANCELED", "per request"),
			},
			Program: program{Kind: stubborn, Stdout: "0\n"},
			Began:   1, LastRan: at(2.9), Stdout: "0\n", Stderr: "KeyboardInterrupt\n", Result: `{"status":"canceled"}`,
		},
		no: &calculation{thing: thing{Token: "t-no", Refused: "Session is in the BUSY state"}},
		killed: &calculation{
			thing:   thing{Token: "t-killed", IDs: []string{"killed"}, Made: []string{"killed"}, Seen: sightingsOf("RUNNING", "FAILED", killedReason)},
			Program: program{Kind: slow, Stdout: "0\n1\n"},
			Began:   1, LastRan: at(2.5), Stdout: "0\n", Stderr: killedReason + "\n", Result: `{"status":"error"}`,
		},
	}
	t.good = &session{
		thing:        thing{Token: "t-good", IDs: []string{"good", "good"}, Made: []string{"good"}, StopAsked: at(8), StopState: "TERMINATING", Seen: sightingsOf("IDLE", "TERMINATED", "per request")},
		Calculations: []*calculation{t.done, t.raised, t.stopped, t.no},
		Events: append(append(append(append(path(0, "", "CREATING", "CREATED", "IDLE", "BUSY", "IDLE", "BUSY"),
			path(1, "done", "CREATING", "RUNNING", "COMPLETED")...),
			path(2, "raised", "CREATING", "RUNNING", "FAILED")...),
			path(3, "stopped", "CREATING", "RUNNING", "CANCELING", "CANCELED")...),
			step(9, "", "BUSY", "TERMINATING"), step(9, "", "TERMINATING", "TERMINATED")),
	}
	t.lost = &session{
		thing:        thing{Token: "t-lost", IDs: []string{"lost"}, Made: []string{"lost"}, Seen: sightingsOf("BUSY", "FAILED", killedReason)},
		Calculations: []*calculation{t.killed},
		Events:       append(append(path(0, "", "CREATING", "CREATED", "IDLE", "BUSY"), path(1, "killed", "CREATING", "RUNNING", "FAILED")...), step(3, "", "BUSY", "FAILED")),
	}
	t.history = &history{
		sessions: []*session{t.good, t.lost},
		faults:   []fault{{At: at(0.5), Victim: aServer}, {At: at(2.6), Victim: aKernel, Session: "lost"}},
	}
	return t
}

const killedReason = "The driver's Python process was killed by signal 9 (SIGKILL)"

// sightingsOf are two answers about a thing, the last one of its end.
func sightingsOf(first, last, reason string) []status {
	return []status{
		{At: at(2), State: first, Began: at(1), Changed: at(1)},
		{At: at(3.1), State: last, Reason: reason, Began: at(1), Changed: at(3), Ended: at(3), Whole: last + reason},
	}
}

func step(seconds float64, calculation, from, to string) rest.Event {
	return rest.Event{At: at(seconds), CalculationID: calculation, From: from, To: to}
}

// path is the event log of something that goes through the states.
func path(seconds float64, calculation string, states ...string) []rest.Event {
	var events []rest.Event
	from := ""
	for _, to := range states {
		events = append(events, step(seconds, calculation, from, to))
		from = to
	}
	return events
}

func TestCheck(t *testing.T) {
	limits := limits{Lost: 8 * time.Second, Canceled: 6 * time.Second}
	if found := check(newTold().history, limits); len(found) > 0 {
		t.Fatalf("in what is good it finds %v", found)
	}
	last := func(t *thing) *status { return &t.Seen[len(t.Seen)-1] }

	for name, c := range map[string]struct {
		spoil func(*told)
		want  string
	}{
		"a session that is not on record":     {func(h *told) { h.good.Made = nil }, "on record are []"},
		"a session that was made twice":       {func(h *told) { h.good.Made = []string{"good", "other"} }, "on record are [good other]"},
		"a token with two answers":            {func(h *told) { h.good.IDs[1] = "other" }, "answered with different ids"},
		"a start that was never answered":     {func(h *told) { h.good.IDs = nil }, "its start was never answered"},
		"a session that was refused":          {func(h *told) { h.good.IDs, h.good.Made, h.good.Refused = nil, nil, "no" }, "its start was refused"},
		"a calculation that was made twice":   {func(h *told) { h.done.Made = []string{"done", "other"} }, "on record are [done other]"},
		"a refused one that was made":         {func(h *told) { h.no.Made = []string{"no"} }, "it was refused"},
		"a refused one that ran":              {func(h *told) { h.no.Began = 1 }, "its code ran though it was refused"},
		"one that was never seen":             {func(h *told) { h.done.Seen = nil }, "it was never seen"},
		"a calculation that goes on for ever": {func(h *told) { *last(&h.done.thing) = status{State: "RUNNING", Began: at(1)} }, "it has not ended: it is RUNNING"},
		"a session that goes on for ever":     {func(h *told) { *last(&h.good.thing) = status{State: "TERMINATING", Began: at(1), Changed: at(3)} }, "it has not ended: it is TERMINATING"},

		"an end that changed": {func(h *told) {
			again := *last(&h.done.thing)
			again.Whole = "another"
			h.done.Seen = append(h.done.Seen, again)
		}, "its end changed"},
		"a state that no path leads to": {func(h *told) { h.done.Seen[0].State = "FAILED" }, "its end changed"},
		"a state that goes back":        {func(h *told) { h.good.Seen = append([]status{{State: "TERMINATING", Began: at(1)}}, h.good.Seen...) }, "which no path allows"},
		"an end before the beginning":   {func(h *told) { last(&h.done.thing).Ended = at(.5) }, "before it began"},
		"a beginning that moves":        {func(h *told) { h.done.Seen[0].Began = at(.5) }, "it began at"},
		"a change that moves back":      {func(h *told) { h.good.Seen[0].Changed = at(4) }, "it was last changed at"},

		"no events":                   {func(h *told) { h.lost.Events = h.lost.Events[:4] }, "the event log has nothing of it"},
		"events without a beginning":  {func(h *told) { h.lost.Events = h.lost.Events[1:] }, "its event log begins with CREATED"},
		"events with a gap":           {func(h *told) { h.lost.Events[2].From = "IDLE" }, "goes on from IDLE"},
		"events on a forbidden path":  {func(h *told) { h.lost.Events = append(h.lost.Events, step(4, "killed", "FAILED", "COMPLETED")) }, "goes from FAILED to COMPLETED"},
		"events after the end":        {func(h *told) { h.lost.Events = append(h.lost.Events, step(4, "killed", "FAILED", "FAILED")) }, "goes from FAILED to FAILED"},
		"events that go back in time": {func(h *told) { h.lost.Events[0].At = at(1) }, "goes back in time"},
		"events that end elsewhere":   {func(h *told) { h.lost.Events = h.lost.Events[:7] }, "its event log ends with BUSY"},
		"two calculations at once": {func(h *told) {
			h.lost.Events = append(h.lost.Events, step(1, "a", "", "CREATING"), step(1, "b", "", "CREATING"))
		}, "was taken while a had not ended"},
		"a fault that nobody caused":        {func(h *told) { h.faults = h.faults[:1] }, "which is none of what was done to its driver: nothing"},
		"a fault of another session":        {func(h *told) { h.faults[1].Session = "good" }, "which is none of what was done"},
		"a cause that comes after":          {func(h *told) { h.faults[1].At = at(4) }, "which is none of what was done"},
		"a reason that names another cause": {func(h *told) { h.faults[1].Victim = aShim }, "which is none of what was done to its driver: shim killed"},
		"a freeze that is too short to kill": {func(h *told) {
			h.faults[1].Frozen = time.Second
			last(&h.killed.thing).Reason = "The driver's Python process has not answered for 8s, so it was killed"
		}, "kernel frozen for 1s"},
		"a freeze that another process is blamed for": {func(h *told) {
			h.faults[1] = fault{At: at(2.6), Victim: aJVM, Session: "lost", Frozen: 10 * time.Second}
			last(&h.killed.thing).Reason = "The driver's Python process has not answered for 8s, so it was killed"
		}, "JVM frozen for 10s"},
		"a failure without an exception":  {func(h *told) { last(&h.raised.thing).Reason = "KeyError" }, "which is none of what was done"},
		"an end that nobody asked for":    {func(h *told) { h.good.StopAsked = time.Time{} }, "it is TERMINATED, and nobody asked for its end"},
		"a cancel that nobody asked for":  {func(h *told) { h.stopped.StopAsked, h.good.StopAsked = time.Time{}, time.Time{} }, "it is CANCELED, and nobody asked for its end"},
		"a stop that was forgotten":       {func(h *told) { h.done.StopAsked, h.done.StopState = at(2), "CANCELING" }, "the answer to its stop was CANCELING, and it ended COMPLETED"},
		"code that ran after its end":     {func(h *told) { h.stopped.LastRan = at(4) }, "its code ran at"},
		"code that ran twice":             {func(h *told) { h.killed.Began = 2 }, "its code began 2 times"},
		"COMPLETED without having run":    {func(h *told) { h.done.Began, h.done.Came = 0, 0 }, "its code began 0 times"},
		"COMPLETED in the middle":         {func(h *told) { h.done.Came = 0 }, "came to its end 0 times"},
		"COMPLETED without all output":    {func(h *told) { h.done.Stdout = "0\n" }, "its stdout is not what was printed: 2 bytes, wanted 4"},
		"COMPLETED with too much":         {func(h *told) { h.done.Stdout += "1\n" }, "its stdout is not what was printed"},
		"COMPLETED with other warnings":   {func(h *told) { h.done.Stderr = "" }, "its stderr is not what was printed"},
		"COMPLETED without a value":       {func(h *told) { h.done.Result = `{"status":"ok","outputs":[]}` }, "it is COMPLETED, and its result is"},
		"COMPLETED without a result":      {func(h *told) { h.done.Result = "" }, "its result cannot be read"},
		"COMPLETED though it raises":      {func(h *told) { h.done.Program.Kind = raising }, "its code is raising"},
		"an exception without its text":   {func(h *told) { h.raised.Stderr = "" }, "its stderr has no exception"},
		"an exception without its output": {func(h *told) { h.raised.Stdout = "" }, "its stdout is not what was printed"},
		"cut output that is another":      {func(h *told) { h.killed.Stdout = "1\n" }, "its stdout is not the beginning of what was printed"},
		"cut stderr that goes on":         {func(h *told) { h.killed.Stderr = "noise" }, "its stderr goes on with"},
		"a lost calculation that is ok":   {func(h *told) { h.killed.Result = `{"status":"ok"}` }, "it is FAILED, and its result is"},
		"a trouble on the way":            {func(h *told) { h.trouble("a file was left") }, "a file was left"},
	} {
		t.Run("finds "+name, func(t *testing.T) {
			h := newTold()
			c.spoil(h)
			found := check(h.history, limits)
			for _, v := range found {
				if strings.Contains(v.What, c.want) {
					return
				}
			}
			t.Errorf("it finds %v, and not %q", found, c.want)
		})
	}

	for frozen, name := range map[victim]string{aKernel: "Python", aJVM: "Java"} {
		t.Run(fmt.Sprintf("takes a freeze of the %s for a cause when it was long enough", frozen), func(t *testing.T) {
			h := newTold()
			h.faults[1] = fault{At: at(2.6), Victim: frozen, Session: "lost", Frozen: 10 * time.Second}
			reason := "The driver's " + name + " process has not answered for 8s, so it was killed"
			for _, thing := range []*thing{&h.lost.thing, &h.killed.thing} {
				last(thing).Reason = reason
			}
			h.lost.Events = append(h.lost.Events[:len(h.lost.Events)-1], step(2.8, "", "BUSY", "DEGRADED"), step(3, "", "DEGRADED", "FAILED"))
			h.killed.Stderr = reason + "\n"
			if found := check(h.history, limits); len(found) > 0 {
				t.Errorf("it finds %v", found)
			}
		})
	}
	t.Run("tells the story in the order of time", func(t *testing.T) {
		h := newTold()
		h.killed.Stdout = "1\n"
		found := check(h.history, limits)
		if len(found) != 1 {
			t.Fatalf("it finds %v", found)
		}
		told := found[0].String()
		order := []string{"calculation killed of session lost", "recorded: session  → CREATING", "seen: session BUSY", "done: kernel killed", "seen: session FAILED " + killedReason}
		for _, text := range order {
			_, rest, ok := strings.Cut(told, text)
			if !ok {
				t.Errorf("the story lacks %q, there or at all:\n%s", text, found[0])
			}
			told = rest
		}
	})
	t.Run("of a run that was cut short judges the ends only", func(t *testing.T) {
		h := newTold()
		h.cut = true
		h.done.Stdout = ""
		if found := check(h.history, limits); len(found) > 0 {
			t.Errorf("it finds %v", found)
		}
		h.done.Seen = h.done.Seen[:1]
		if found := check(h.history, limits); len(found) != 1 || !strings.Contains(found[0].What, "it has not ended") {
			t.Errorf("it finds %v", found)
		}
	})
}
