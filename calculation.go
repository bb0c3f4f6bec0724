package hearth

import "time"

// CalculationState is where a calculation is in its life. The names are
// Athena's (API_CalculationStatus).
type CalculationState string

// The eight states of a calculation.
const (
	CalculationCreating  CalculationState = "CREATING"  // recorded
	CalculationCreated   CalculationState = "CREATED"   // its driver has it
	CalculationQueued    CalculationState = "QUEUED"    // waits for the driver's main thread
	CalculationRunning   CalculationState = "RUNNING"   // its code runs
	CalculationCanceling CalculationState = "CANCELING" // a stop was asked for; the code may still run
	CalculationCanceled  CalculationState = "CANCELED"  // the code has really stopped
	CalculationCompleted CalculationState = "COMPLETED" // the code ended, its results are readable
	CalculationFailed    CalculationState = "FAILED"    // the code raised, or its driver was lost
)

// CalculationTransitions is the calculation's state machine. Steps before
// RUNNING may be skipped by a driver that is quick, and RUNNING by code that is.
// Code that ended by itself, or with its driver, while it was being cancelled has
// stopped: it is CANCELED.
// No other state follows CANCELING, so that an answered stop is a promise.
var CalculationTransitions = Transitions[CalculationState]{
	CalculationCreating:  {CalculationCreated, CalculationQueued, CalculationRunning, CalculationCanceling, CalculationCanceled, CalculationCompleted, CalculationFailed},
	CalculationCreated:   {CalculationQueued, CalculationRunning, CalculationCanceling, CalculationCanceled, CalculationCompleted, CalculationFailed},
	CalculationQueued:    {CalculationRunning, CalculationCanceling, CalculationCanceled, CalculationCompleted, CalculationFailed},
	CalculationRunning:   {CalculationCanceling, CalculationCanceled, CalculationCompleted, CalculationFailed},
	CalculationCanceling: {CalculationCanceled},
	CalculationCanceled:  {},
	CalculationCompleted: {},
	CalculationFailed:    {},
}

// Ended reports whether the calculation is over.
func (s CalculationState) Ended() bool { return CalculationTransitions.Final(s) }

// MaxCodeLength is the most characters that a calculation's code may have
// (Athena's user guide; the API's model has the same figure).
const MaxCodeLength = 68000

// ResultType is the media type of a calculation's result document.
const ResultType = "application/vnd.aws.athena.v1+json"

// Calculation is one block of code that a session runs.
type Calculation struct {
	ID          string
	SessionID   string
	Description string
	Code        string

	State             CalculationState
	StateChangeReason string // why it is FAILED or CANCELED; empty when COMPLETED
	SubmittedAt       time.Time
	CompletedAt       time.Time // zero until it has ended

	DPUMillis        int64
	Progress         string // for people: what part of the Spark work is done
	WorkingDirectory string // s3:// location of its files
	ExitStatus       int    // what a program would have ended with: 0, 1, or sys.exit's
}

// StdoutURI is where what the code wrote to stdout is. Like the calculation's
// other files it is readable before the calculation's end is told.
func (c Calculation) StdoutURI() string { return c.WorkingDirectory + "/stdout" }

// StderrURI is where what the code wrote to stderr is, and its error.
func (c Calculation) StderrURI() string { return c.WorkingDirectory + "/stderr" }

// ResultURI is the folder of the result document (result.json): the last
// expression's value and figures as Jupyter MIME bundles.
func (c Calculation) ResultURI() string { return c.WorkingDirectory + "/results/" }

// OutputURI is where what the code wrote to a stream is.
func (c Calculation) OutputURI(stream Stream) string {
	if stream == Stderr {
		return c.StderrURI()
	}
	return c.StdoutURI()
}

// ResultDocumentURI is where the result document is.
func (c Calculation) ResultDocumentURI() string { return c.ResultURI() + "result.json" }

// CalculationRequest asks for a calculation.
type CalculationRequest struct {
	SessionID   string
	Description string
	Code        string
	Token       string // ClientRequestToken
}

// CalculationChange is one guarded step of a calculation.
type CalculationChange struct {
	ID     string
	To     CalculationState
	Reason string // replaces StateChangeReason, also when empty
	At     time.Time
	Note   string // what the event log says beside the states

	AddDPUMillis int64
	Progress     string // recorded when not empty
	ExitStatus   int    // recorded when To is final
}

// CalculationFilter selects calculations of one session.
type CalculationFilter struct {
	SessionID string
	State     CalculationState // "" is any
}

// CalculationNotFound says that no such calculation is known.
func CalculationNotFound(id string) *Error {
	return Errorf(KindNotFound, "Calculation %s is not found.", id)
}
