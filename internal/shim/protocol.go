package shim

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"hearth/internal/kernel"
)

// Protocol is the version of the bundle's files and of what is spoken over the
// socket. A server meets shims that an older server started, so that a change
// of meaning needs a new number, and a server that still knows the old one.
const Protocol = 1

// Launch is all that a shim is told, in LaunchFile.
type Launch struct {
	Protocol int     `json:"protocol"`
	Session  string  `json:"session"`
	Token    string  `json:"token"` // opens this driver, and no other
	At       float64 `json:"at"`    // when the launch began, in Unix seconds

	Kernel Process  `json:"kernel"`
	JVM    *Process `json:"jvm"` // nil for a driver without Spark

	Catalog string `json:"catalog,omitempty"` // the file that the catalog of the JVM is in; "" is none

	Warm *Warm `json:"warm,omitempty"` // nil for a session that is there already

	MemoryLimit int64 `json:"memory_limit,omitempty"` // bytes that the processes may use; 0 is no limit

	IdleTimeoutMS       int64 `json:"idle_timeout_ms"`       // without a calculation or a call over Spark Connect; 0 is never
	StartTimeoutMS      int64 `json:"start_timeout_ms"`      // until ready; 0 is never
	EndGraceMS          int64 `json:"end_grace_ms"`          // from the request to end to the kill
	CancelDeadlineMS    int64 `json:"cancel_deadline_ms"`    // from the interrupt to the kill
	HeartbeatMS         int64 `json:"heartbeat_ms"`          // between pings of each process; 0 is none
	UnresponsiveAfterMS int64 `json:"unresponsive_after_ms"` // without an answer
	LostAfterMS         int64 `json:"lost_after_ms"`         // without an answer, until the kill
}

// Warm is of a driver that is launched ahead of its session, which claims it.
type Warm struct {
	Key   string `json:"key"`    // the server's affair
	AgeMS int64  `json:"age_ms"` // from the launch until it ends, if nobody claims it; 0 is never
}

// Claim is what a driver that was launched ahead is told of its session.
type Claim struct {
	At            float64           `json:"at"` // when the session was asked for, in Unix seconds
	IdleTimeoutMS int64             `json:"idle_timeout_ms"`
	Properties    map[string]string `json:"properties"` // Spark's, to be set
	Session       kernel.Session    `json:"session"`
}

// Process is a program to run. Env is its whole environment.
type Process struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
}

// Identity tells a driver's processes from others that may get their numbers
// later: by the boot of the machine and the times they started at, in the
// kernel's own unit.
type Identity struct {
	Protocol        int     `json:"protocol"`
	BootID          string  `json:"boot_id"`
	PID             int     `json:"pid"` // of the shim, and of the session that all its processes are in
	StartTime       uint64  `json:"start_time"`
	KernelPID       int     `json:"kernel_pid"`
	KernelStartTime uint64  `json:"kernel_start_time"`
	JVMPID          int     `json:"jvm_pid,omitempty"`
	JVMStartTime    uint64  `json:"jvm_start_time,omitempty"`
	At              float64 `json:"at"`

	Group string `json:"group,omitempty"` // the directory of the processes' control group, if they have one of their own
}

// Started is the one line that a shim writes to its standard output: that it
// serves, or why it does not.
type Started struct {
	Error string `json:"error"`
}

// Types of Event, in their usual order.
const (
	EventSpawned      = "spawned"
	EventPhase        = "phase"
	EventWarm         = "warm"    // instead of ready, which follows the claim
	EventClaimed      = "claimed" // by the session
	EventReady        = "ready"
	EventAccepted     = "accepted"
	EventStarted      = "started"
	EventCanceling    = "canceling"
	EventFinished     = "finished"
	EventOperating    = "operating"
	EventRested       = "rested"
	EventUnresponsive = "unresponsive"
	EventResponsive   = "responsive"
	EventEnding       = "ending"
	EventExited       = "exited"
)

// Causes of an end.
const (
	CauseRequested = "requested"
	CauseIdle      = "idle"
	CauseAge       = "age" // of a driver that nobody has claimed
	CauseFault     = "fault"
)

// Steps of a cancellation that the shim takes. What the kernel does between
// them to stop the code is its own affair.
const (
	StepInterrupt = "interrupt"
	StepKill      = "kill"
)

// Names of the two processes.
const (
	KernelProcess = kernel.ProcessKernel
	JVMProcess    = kernel.ProcessJVM
)

// Event is a line of the journal.
type Event struct {
	Type string  `json:"type"`
	At   float64 `json:"at"` // Unix seconds

	KernelPID int `json:"kernel_pid,omitempty"` // of spawned
	JVMPID    int `json:"jvm_pid,omitempty"`

	Name   string  `json:"name,omitempty"` // of phase
	TookMS int64   `json:"took_ms,omitempty"`
	Phases []Phase `json:"phases,omitempty"` // of warm and ready

	Calculation string `json:"calculation,omitempty"`
	Step        string `json:"step,omitempty"`   // of canceling
	Status      string `json:"status,omitempty"` // of finished: the kernel's
	ExitStatus  int    `json:"exit_status,omitempty"`
	Progress    string `json:"progress,omitempty"`
	RanMS       int64  `json:"ran_ms,omitempty"` // of finished, and of exited in the middle of a calculation

	Operating  bool  `json:"operating,omitempty"`   // of finished and responsive: operations of Spark Connect run
	OperatedMS int64 `json:"operated_ms,omitempty"` // of rested, and of exited in the middle: how long they ran while no calculation did

	Cause   string `json:"cause,omitempty"`   // of ending and exited
	Reason  string `json:"reason,omitempty"`  // for people
	Process string `json:"process,omitempty"` // of exited: which one died first, when that is the cause
	Code    int    `json:"code,omitempty"`    // its exit status
	Signal  int    `json:"signal,omitempty"`  // or the signal that killed it
}

// Time gives the event's time.
func (e Event) Time() time.Time { return fromSeconds(e.At) }

// Phase is a part of the start and what it took.
type Phase struct {
	Name   string `json:"name"`
	TookMS int64  `json:"took_ms"`
	Ahead  bool   `json:"ahead,omitempty"` // before the claim
}

// Result is the result document of a calculation. Outputs are in the form of a
// notebook's.
type Result struct {
	Status     string            `json:"status"`
	ExitStatus int               `json:"exit_status"`
	Reason     string            `json:"reason"`
	Error      *kernel.Error     `json:"error"`
	Outputs    []json.RawMessage `json:"outputs"` // each an Output
}

// Output is one thing that the code displayed, a line of OutputsFile.
type Output struct {
	OutputType     string          `json:"output_type"` // display_data or execute_result
	Data           json.RawMessage `json:"data"`
	Metadata       json.RawMessage `json:"metadata"`
	ExecutionCount json.RawMessage `json:"execution_count,omitempty"` // null with execute_result, as a notebook must have it
}

// Types of Message. A client says hello and is welcomed or refused; then it may
// send requests, each of which gets a reply, while the shim sends events and
// outputs as asked for in the hello.
const (
	MessageHello   = "hello"
	MessageWelcome = "welcome"
	MessageRefused = "refused"
	MessageRequest = "request"
	MessageReply   = "reply"
	MessageEvent   = "event"
	MessageOutput  = "output"
)

// Operations of a request. A ping does nothing but to be answered; so is it by
// a shim that does not know it.
const (
	OpPing      = "ping"
	OpClaim     = "claim" // makes a driver that was launched ahead its session's
	OpExecute   = "execute"
	OpInterrupt = "interrupt"
	OpEnd       = "end"
	OpConnect   = "connect" // gives where Spark Connect listens
	OpUI        = "ui"      // gives where Spark shows its pages
)

// Unknown is the refusal of an operation that a shim does not know, because it is
// older than whoever asks.
func Unknown(op string) string { return fmt.Sprintf("the driver does not know how to %q", op) }

// Message is a frame on the socket, either way.
type Message struct {
	Type string `json:"type"`

	Protocol int    `json:"protocol,omitempty"` // of hello and welcome
	Token    string `json:"token,omitempty"`    // of hello
	From     *int64 `json:"from,omitempty"`     // of hello: the offset to send events from; nil asks for none
	PID      int    `json:"pid,omitempty"`      // of welcome: the shim's

	// Calculation is, of hello, the one to send outputs of; of welcome, the one
	// that runs; of a request, the one that it is about.
	Calculation string `json:"calculation,omitempty"`

	ID    int64  `json:"id,omitempty"` // of request and reply
	Op    string `json:"op,omitempty"` // of request
	Code  string `json:"code,omitempty"`
	Claim *Claim `json:"claim,omitempty"` // of claim
	Error string `json:"error,omitempty"` // of reply and refused

	Address string `json:"address,omitempty"` // of the reply to connect and ui: host:port
	Secret  string `json:"secret,omitempty"`  // likewise: what has to come with every call; empty is none

	Next  int64  `json:"next,omitempty"` // of event: where the journal goes on
	Event *Event `json:"event,omitempty"`

	// Of output: how much the files hold. Sizes in between are left out when
	// they grow quickly.
	Stdout int64 `json:"stdout,omitempty"`
	Stderr int64 `json:"stderr,omitempty"`
	Ended  bool  `json:"ended,omitempty"` // the files are complete
}

// Seconds gives a time as the files and messages have it.
func Seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func fromSeconds(s float64) time.Time { return time.UnixMicro(int64(math.Round(s * 1e6))) }
