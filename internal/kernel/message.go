package kernel

import "encoding/json"

// Types of Command.
const (
	TypeClaim     = "claim"
	TypeExecute   = "execute"
	TypeInterrupt = "interrupt"
	TypePing      = "ping"
	TypeTrim      = "trim"
	TypeEnd       = "end"
	TypeFiles     = "files"   // also of the answer
	TypeConnect   = "connect" // likewise
	TypeUI        = "ui"      // likewise
)

// Operations of files.
const (
	OpMake   = "make"
	OpDelete = "delete"
	OpRename = "rename"
)

// Command is a message to the kernel.
type Command struct {
	Type        string `json:"type"`
	Calculation string `json:"calculation,omitempty"` // of execute and interrupt
	Code        string `json:"code"`                  // of execute
	Process     string `json:"process,omitempty"`     // of ping
	N           int64  `json:"n"`                     // of ping and files
	Op          string `json:"op,omitempty"`          // of files: what is to be done with Path
	Path        string `json:"path,omitempty"`
	To          string `json:"to,omitempty"` // of a rename

	Properties map[string]string `json:"properties,omitempty"` // of claim: Spark's
}

// Claim has a kernel that was started ahead of its session become ready for it,
// with properties that Spark takes while it runs. What of its warm-up it has not
// begun, it leaves out.
func Claim(properties map[string]string) Command {
	return Command{Type: TypeClaim, Properties: properties}
}

// Execute has the kernel run code. It runs one calculation at a time, in the
// order of the commands.
func Execute(calculation, code string) Command {
	return Command{Type: TypeExecute, Calculation: calculation, Code: code}
}

// Interrupt has the kernel stop a calculation by all means that it has, of
// which killing itself is none. It is ignored when the calculation is over.
func Interrupt(calculation string) Command {
	return Command{Type: TypeInterrupt, Calculation: calculation}
}

// Processes that can be pinged.
const (
	ProcessKernel = "kernel"
	ProcessJVM    = "jvm" // of a ready kernel with Spark
)

// Ping has a process answer with a pong of the same number, also while code
// runs. The kernel passes those to the JVM on, one at a time, and answers its
// own meanwhile.
func Ping(process string, n int64) Command {
	return Command{Type: TypePing, Process: process, N: n}
}

// Trim has the kernel and the JVM give memory that they do not use back to the
// system.
func Trim() Command { return Command{Type: TypeTrim} }

// End has the kernel stop what runs, stop the SparkContext and exit.
func End() Command { return Command{Type: TypeEnd} }

// Connect has the kernel tell where Spark Connect listens, and start it the
// first time.
func Connect() Command { return Command{Type: TypeConnect} }

// UI has the kernel tell where Spark shows its pages.
func UI() Command { return Command{Type: TypeUI} }

// Types of Message.
const (
	TypePhase         = "phase"
	TypeWarm          = "warm" // for a claim, instead of ready, which follows that
	TypeReady         = "ready"
	TypeFailed        = "failed" // to start; the kernel exits
	TypeStarted       = "started"
	TypeDisplayData   = "display_data"
	TypeExecuteResult = "execute_result"
	TypeFinished      = "finished"
	TypePong          = "pong"
)

// Phases of the start, in their order. Without Spark there is the first only.
const (
	PhasePython       = "python"        // Python and its libraries are loaded
	PhaseJVM          = "jvm"           // the JVM answers
	PhaseSparkContext = "spark_context" // there is a Spark session
	PhaseFirstJob     = "first_job"     // a job has run on it
	PhaseWarmUp       = "warm_up"       // so has all that is slow the first time; ahead of a session only
)

// WarmVariable is in the environment of a kernel that is started ahead of its
// session. It is not in os.environ when code comes.
const WarmVariable = "HEARTH_WARM"

// Statuses of a finished calculation.
const (
	StatusOK       = "ok"
	StatusError    = "error"
	StatusCanceled = "canceled"
)

// Message is a message of the kernel.
type Message struct {
	Type string  `json:"type"`
	At   float64 `json:"at"` // in Unix seconds

	Name   string `json:"name"`   // of phase
	Python string `json:"python"` // of ready: the versions
	Spark  string `json:"spark"`  // empty without Spark

	Calculation string   `json:"calculation"`
	Content     *Content `json:"content"` // of display_data and execute_result

	Status     string `json:"status"`      // of finished
	ExitStatus int    `json:"exit_status"` // what a program would have ended with; 130 when canceled
	Progress   string `json:"progress"`    // of the Spark jobs, for people; never empty
	Reason     string `json:"reason"`      // of finished and what is answered, empty when ok, and of failed
	Error      *Error `json:"error"`       // what the code raised, nil if nothing

	N int64 `json:"n"` // of pong and files

	Address string `json:"address"` // of connect and ui: host:port
	Secret  string `json:"secret"`  // of connect: what every call has to carry
}

// Content is a MIME bundle in Jupyter's form.
type Content struct {
	Data     json.RawMessage `json:"data"`
	Metadata json.RawMessage `json:"metadata"`
}

// Error is an exception in Jupyter's form.
type Error struct {
	Name      string   `json:"ename"`
	Value     string   `json:"evalue"`
	Traceback []string `json:"traceback"` // the lines that are on stderr
}
