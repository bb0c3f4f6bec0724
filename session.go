package hearth

import (
	"strings"
	"time"
)

// SessionState is where a session is in its life. The names and meanings are
// Athena's (API_SessionStatus).
type SessionState string

// The eight states of a session.
const (
	SessionCreating    SessionState = "CREATING"    // recorded; it waits for its turn, or its driver is being launched
	SessionCreated     SessionState = "CREATED"     // its driver's processes run; Spark is starting
	SessionIdle        SessionState = "IDLE"        // accepts a calculation
	SessionBusy        SessionState = "BUSY"        // runs a calculation, or operations of Spark Connect
	SessionTerminating SessionState = "TERMINATING" // asked to end; the driver is being stopped
	SessionTerminated  SessionState = "TERMINATED"  // ended on request or when idle; nothing of it runs
	SessionDegraded    SessionState = "DEGRADED"    // its driver is held but does not answer
	SessionFailed      SessionState = "FAILED"      // ended by a fault, which StateChangeReason names
)

// SessionTransitions is the session's state machine. It begins with CREATING, or
// with CREATED when the session's driver was launched ahead. Only DEGRADED leads back:
// to IDLE or BUSY, when the driver answers again. A driver that hangs while it
// starts is not DEGRADED: its start has a time limit, after which it is FAILED.
var SessionTransitions = Transitions[SessionState]{
	SessionCreating:    {SessionCreated, SessionTerminating, SessionFailed},
	SessionCreated:     {SessionIdle, SessionTerminating, SessionFailed},
	SessionIdle:        {SessionBusy, SessionDegraded, SessionTerminating, SessionFailed},
	SessionBusy:        {SessionIdle, SessionDegraded, SessionTerminating, SessionFailed},
	SessionDegraded:    {SessionIdle, SessionBusy, SessionTerminating, SessionFailed},
	SessionTerminating: {SessionTerminated, SessionFailed},
	SessionTerminated:  {},
	SessionFailed:      {},
}

// Ended reports whether the session is over.
func (s SessionState) Ended() bool { return SessionTransitions.Final(s) }

// Ready reports whether the session's driver has come up and holds what it took.
func (s SessionState) Ready() bool {
	return s == SessionIdle || s == SessionBusy || s == SessionDegraded
}

// Limits and defaults of a session (Athena's model and user guide).
const (
	DefaultIdleTimeout = 20 * time.Minute
	MinIdleTimeout     = 1 * time.Minute
	MaxIdleTimeout     = 480 * time.Minute
	MaxReasonLength    = 1024 // characters of a StateChangeReason
)

// Reasons that clients or people know from Athena.
const (
	// ReasonTerminated is what Athena gives after a request to end a session
	// and after its idle timeout alike (user guide, troubleshooting sessions).
	ReasonTerminated = "Session was terminated per request"
	// ReasonCalculationEnded is given to a calculation that its session's end
	// stopped.
	ReasonCalculationEnded = "The calculation was canceled because the session was terminated"
)

// Session is one Spark driver's life, as a client sees it.
type Session struct {
	ID          string
	WorkGroup   string
	Description string
	Owner       string // access key id of the principal that started it

	Engine              EngineVersion
	EngineConfiguration EngineConfiguration // as asked for, with defaults filled in
	NotebookID          string              // the notebook that it belongs to; "" is none
	NotebookVersion     string
	Configuration       SessionConfiguration
	Monitoring          *Monitoring // nil when neither it nor its workgroup has any
	Tags                Tags

	State             SessionState
	StateChangeReason string // why it is in State; the real cause when FAILED
	// Waiting is true as long as quotas hold the session back, and when it has
	// ended without its turn. It never had a driver then.
	Waiting    bool
	StartedAt  time.Time
	ModifiedAt time.Time // never goes back
	EndedAt    time.Time // zero until it has ended
	IdleSince  time.Time // zero unless IDLE
	// ResultsRemovedAt is when its results were removed from the built-in store;
	// zero when they were not.
	ResultsRemovedAt time.Time

	DPUMillis int64 // DPUs held × milliseconds of wall time that calculations, or operations of Spark Connect, ran

	// Phases tell where the time of the start went, in order.
	Phases []StartPhase
	// JournalOffset is how far the driver's journal has been acted upon: after
	// a restart the server reads on from here.
	JournalOffset int64
	// EndRequested records a request to end the session, so that a server that
	// starts in the middle carries it out.
	EndRequested bool
}

// SessionConfiguration is what a session was set up with.
type SessionConfiguration struct {
	ExecutionRole    string
	WorkingDirectory string // s3:// location of its calculations' results
	IdleTimeout      time.Duration
	Encryption       *Encryption // of results; nil when not asked for
	Ownership                    // of what is in WorkingDirectory
}

// Object gives a result or a log of the session the form that it is to have.
func (c SessionConfiguration) Object(uri, contentType string) Object {
	o := Object{URI: uri, ContentType: contentType, Encryption: c.Encryption}
	if strings.HasPrefix(uri, c.WorkingDirectory+"/") {
		o.Ownership = c.Ownership // logs may be in another bucket, of somebody else
	}
	return o
}

// StartPhase is one part of a driver's start and what it took.
type StartPhase struct {
	Name  string        `json:"name"` // queue, spawn, python, jvm, spark_context, first_job, warm_up, claim
	Took  time.Duration `json:"took"`
	Ahead bool          `json:"ahead,omitempty"` // before the session was asked for, of a driver that was launched Warm
}

// PhaseQueue is the phase of a start before the driver was launched: the session
// waited for room in the quotas, or for the starts of others.
const PhaseQueue = "queue"

// SessionRequest asks for a session. The zero value of a member means that it
// was not given.
type SessionRequest struct {
	WorkGroup           string
	Description         string
	EngineConfiguration EngineConfiguration
	NotebookVersion     string
	IdleTimeout         time.Duration
	ExecutionRole       string
	Monitoring          *Monitoring
	Tags                []Tag
	OwnTagsOnly         bool   // the workgroup's tags are not copied
	Token               string // ClientRequestToken
}

// SessionChange is one guarded step of a session: it is applied only when To
// may follow the session's state.
type SessionChange struct {
	ID     string
	To     SessionState
	Reason string // replaces StateChangeReason, also when empty
	At     time.Time
	Note   string // what the event log says beside the states; "" is fine

	Phases        []StartPhase // recorded when not nil
	AddDPUMillis  int64
	JournalOffset int64 // recorded when greater than what is
	EndRequested  bool  // recorded when true; never taken back
}

// SessionFilter selects sessions to list. WorkGroup is required at the API;
// the empty one selects all.
type SessionFilter struct {
	WorkGroup  string
	State      SessionState // "" is any
	NotebookID string       // "" is any, and none
}

// NotIdle is the refusal of a calculation by a session that cannot take one.
// Clients match its text to the letter: dbt waits on BUSY and replaces the
// session on the others.
func NotIdle(state SessionState) *Error {
	return Errorf(KindConflict, "Session is in the %s state; needs to be IDLE to accept Calculations.", state)
}

// SessionNotFound says that no such session is known.
func SessionNotFound(id string) *Error {
	return Errorf(KindNotFound, "Session %s is not found.", id)
}

// ClipReason makes text fit for a StateChangeReason: valid, trimmed and at
// most MaxReasonLength characters, keeping the end, where causes stand.
func ClipReason(text string) string {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "�"))
	runes := []rune(text)
	if len(runes) <= MaxReasonLength {
		return text
	}
	return "…" + string(runes[len(runes)-MaxReasonLength+1:])
}
