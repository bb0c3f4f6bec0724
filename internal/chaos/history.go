package main

import (
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/internal/rest"
)

// history is all that the run did and saw. The checker reads nothing else.
type history struct {
	mu       sync.Mutex
	sessions []*session
	faults   []fault
	troubles []trouble
	cut      bool // not everything came to its end in time, nor was looked at
}

// A thing is a session or a calculation, as a client knows it. Its token is
// its description, too, so that whatever was made for it can be found.
type thing struct {
	Token     string
	IDs       []string  // the one in each answer to the token
	Refused   string    // why it was not made, if that was the answer
	StopAsked time.Time // when a stop, or an end, was first sent; zero is never
	StopState string    // the state in the answer to it, which the server is bound to
	Seen      []status  // in the order in which they were seen
	Made      []string  // the ids on record at the end under its token
	Log       []line    // what was asked and answered
}

// id is what the thing was called first.
func (t *thing) id() string {
	if len(t.IDs) == 0 {
		return ""
	}
	return t.IDs[0]
}

// last is what was seen last.
func (t *thing) last() status {
	if len(t.Seen) == 0 {
		return status{}
	}
	return t.Seen[len(t.Seen)-1]
}

// status is a thing as it was answered once. Times that it did not have are
// zero.
type status struct {
	At      time.Time // when the answer came
	State   string
	Reason  string
	Began   time.Time // StartDateTime, SubmissionDateTime
	Changed time.Time // LastModifiedDateTime of a session
	Ended   time.Time // EndDateTime, CompletionDateTime
	Whole   string    // the whole answer
}

type session struct {
	thing
	Calculations []*calculation
	Events       []rest.Event // at the end
}

type calculation struct {
	thing
	Program program
	Began   int       // how often its code began
	Came    int       // how often its code came to its end
	LastRan time.Time // when its code last gave a sign of life
	Stdout  string    // as published; so are the others
	Stderr  string
	Result  string
}

// fault is what was done to a process.
type fault struct {
	At      time.Time
	Victim  victim
	Session string        // whose process it was; "" for the server
	Frozen  time.Duration // for how long it was stopped; 0 when it was killed
}

// victim is the role of a process.
type victim string

const (
	aServer victim = "server"
	aShim   victim = "shim"
	aKernel victim = "kernel"
	aJVM    victim = "JVM"
)

// trouble is a violation that was met on the way.
type trouble struct {
	At      time.Time
	What    string
	Session string // whose it is, when it is some session's
}

// line is something for a story.
type line struct {
	At   time.Time
	Text string
}

func (h *history) add(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions = append(h.sessions, s)
}

func (h *history) inflict(f fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, f)
}

func (h *history) trouble(what string) { h.troubleOf("", what) }

func (h *history) troubleOf(session, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.troubles = append(h.troubles, trouble{time.Now(), what, session})
}

// frozen reports whether some process of the role was stopped in between.
func (h *history) frozen(v victim, from, to time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.faults, func(f fault) bool {
		return f.Victim == v && f.Frozen > 0 && f.At.Before(to) && f.At.Add(f.Frozen).After(from)
	})
}

// known tells which sessions have been answered for and not been seen to end.
func (h *history) known() map[string]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := make(map[string]bool)
	for _, s := range h.sessions {
		for _, id := range s.IDs {
			ids[id] = !hearth.SessionState(s.last().State).Ended()
		}
	}
	return ids
}
