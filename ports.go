package hearth

import (
	"context"
	"io"
	"time"
)

// Store keeps what the service has answered for. Every method is one
// transaction that is on disk when the method returns. Methods return an Error
// of the kinds named with them, or of KindInternal or KindUnavailable when the
// store itself fails. Times are kept to the microsecond and come back in UTC;
// reasons are kept as ClipReason makes them. A listing refuses a malformed
// cursor, and one that it gave for another filter (MalformedCursor).
type Store interface {
	// CreateWorkGroup returns KindExists when the name is taken.
	CreateWorkGroup(ctx context.Context, g WorkGroup) error
	// WorkGroup returns KindNotFound (WorkGroupNotFound).
	WorkGroup(ctx context.Context, name string) (WorkGroup, error)
	// WorkGroups lists by name. It returns KindInvalid (MalformedCursor).
	WorkGroups(ctx context.Context, page Page) ([]WorkGroup, Cursor, error)
	// UpdateWorkGroup replaces the workgroup that has g's name, but for its
	// tags and its CreatedAt, and counts its revision up. It returns
	// KindNotFound, and KindConflict when the revision on record is not g's.
	UpdateWorkGroup(ctx context.Context, g WorkGroup) error
	// DeleteWorkGroup removes a workgroup, with its notebooks or, without
	// these, when it has none. Its sessions stay on record. It returns
	// KindNotFound, and KindConflict (WorkGroupNotEmpty) also when some of its
	// sessions have not ended.
	DeleteWorkGroup(ctx context.Context, name string, withNotebooks bool) error
	// Tag sets tags of a workgroup or a session and removes some keys. It
	// returns KindNotFound, also for a session of another workgroup, and
	// KindInvalid when there would be more than MaxTags.
	Tag(ctx context.Context, r Resource, set Tags, remove []string) error

	// CreateSession records a new session. With a token that was used before
	// it changes nothing and returns the session of then, and false. It
	// returns KindIdempotencyMismatch when the token came with another digest.
	// Quotas decide (Quotas.Enter, whose errors it returns) whether the session,
	// which is CREATING then, is Waiting; a token that was used before wins over
	// them. It returns KindNotFound (WorkGroupNotFound) when the session's
	// workgroup is gone. For a session of a notebook it returns KindNotFound
	// (NotebookNotFound) when the workgroup has no such notebook, and KindExists
	// (NotebookSessionExists) when a session of the notebook has not ended.
	CreateSession(ctx context.Context, s Session, quotas Quotas, token *Token) (session Session, created bool, err error)
	// AdmitSessions ends the waiting of all sessions whose turn has come
	// (Quotas.Admit), each with an event, and gives their ids, oldest first.
	AdmitSessions(ctx context.Context, quotas Quotas, at time.Time) (ids []string, err error)
	// Claims lists what sessions that have not ended take of quotas, oldest
	// first. One that was Waiting when its end was asked for takes nothing.
	Claims(ctx context.Context) ([]Claim, error)
	// SessionOfToken gives the session that was created with a token. It returns
	// KindNotFound when there is none and KindIdempotencyMismatch.
	SessionOfToken(ctx context.Context, token Token) (Session, error)
	// Session returns KindNotFound (SessionNotFound).
	Session(ctx context.Context, id string) (Session, error)
	// Sessions lists newest first; sessions added meanwhile never shift a
	// page. It returns KindInvalid (MalformedCursor).
	Sessions(ctx context.Context, filter SessionFilter, page Page) ([]Session, Cursor, error)
	// LiveSessions lists all sessions that have not ended, oldest first.
	LiveSessions(ctx context.Context) ([]Session, error)
	// DeleteEnded removes sessions that ended before a time, at most limit of
	// them, the first to end first, each with its calculations, its events and
	// its and their tokens. It returns how many it removed.
	DeleteEnded(ctx context.Context, before time.Time, limit int) (int, error)

	// EndedResults lists sessions that have ended and whose results are not noted
	// as removed, the first to end first.
	EndedResults(ctx context.Context) ([]EndedResults, error)
	// NoteRemovedResults records that the results of an ended session are removed:
	// in its ResultsRemovedAt, in an event, and in the reasons of its calculations,
	// which why is added to. Once is enough: it changes nothing for a session whose
	// results are noted as removed, that has not ended, or that is not on record.
	NoteRemovedResults(ctx context.Context, sessionID string, at time.Time, why string) error

	// CreateCalculation records a new calculation and takes its session from
	// IDLE to BUSY. One whose SubmittedAt is before the session's last step is
	// recorded at that one's time. It returns KindNotFound (SessionNotFound) and KindConflict
	// (NotIdle); a session with a calculation that has not ended counts as BUSY,
	// whatever its state. A token that was used before wins over the session's
	// state: the answer is the calculation of then, and false. It returns
	// KindIdempotencyMismatch when the token came with another digest.
	CreateCalculation(ctx context.Context, c Calculation, token *Token) (calculation Calculation, created bool, err error)
	// Calculation returns KindNotFound (CalculationNotFound).
	Calculation(ctx context.Context, id string) (Calculation, error)
	// Calculations lists newest first; calculations added meanwhile never
	// shift a page. It returns KindInvalid (MalformedCursor).
	Calculations(ctx context.Context, filter CalculationFilter, page Page) ([]Calculation, Cursor, error)
	// LiveCalculation gives the one calculation of the session that has not
	// ended. It returns KindNotFound when there is none.
	LiveCalculation(ctx context.Context, sessionID string) (Calculation, error)

	// Apply makes all the steps of a change, or none of them: each is a write
	// guarded by the states that may lead to its To, and one row in the event
	// log. A step to the state that is already there changes reason, times and
	// figures only; a final state takes none. Each step of a session but those
	// to its end ends its Waiting. It returns KindNotFound, and KindConflict when
	// a guard refuses, or when a session would end without its calculation, which
	// may have been submitted since the change was decided. Recorded times never
	// go back: a step whose At is before the last one's is recorded at the last
	// one's.
	Apply(ctx context.Context, change Change) error
	// Events gives the event log of a session and its calculations, oldest
	// first. It returns KindNotFound (SessionNotFound).
	Events(ctx context.Context, sessionID string) ([]Event, error)

	// CreateNotebook records a new notebook with its content and returns its
	// id. With a token that was used before it changes nothing and returns the
	// id of then, also when the notebook is gone. It returns
	// KindIdempotencyMismatch, KindNotFound (WorkGroupNotFound) and KindExists
	// (NotebookExists).
	CreateNotebook(ctx context.Context, n Notebook, content string, token *Token) (id string, err error)
	// Notebook returns KindNotFound (NotebookNotFound).
	Notebook(ctx context.Context, id string) (Notebook, error)
	// NotebookContent gives the content as it was saved, and the notebook of
	// that moment. It returns KindNotFound (NotebookNotFound).
	NotebookContent(ctx context.Context, id string) (Notebook, string, error)
	// Notebooks lists newest first; notebooks added meanwhile never shift a
	// page. It returns KindInvalid (MalformedCursor).
	Notebooks(ctx context.Context, filter NotebookFilter, page Page) ([]Notebook, Cursor, error)
	// NotebookSession gives the one session of a notebook that has not ended.
	// It returns KindNotFound when there is none.
	NotebookSession(ctx context.Context, id string) (Session, error)
	// RenameNotebook changes nothing when the token was used before. It returns
	// KindIdempotencyMismatch, KindNotFound (NotebookNotFound), KindExists
	// (NotebookExists), and KindConflict (NotebookActive) while a session of the
	// notebook has not ended.
	RenameNotebook(ctx context.Context, id, name string, at time.Time, token *Token) error
	// SaveNotebook replaces the content. It changes nothing when the token was
	// used before. While a session of the notebook has not ended, sessionID has
	// to be that one (KindConflict, NotebookSessionRequired); else it may be
	// empty or any session that the notebook had (KindInvalid,
	// NotSessionOfNotebook). It returns KindIdempotencyMismatch and KindNotFound
	// (NotebookNotFound).
	SaveNotebook(ctx context.Context, id, content, sessionID string, at time.Time, token *Token) error
	// DeleteNotebook returns KindNotFound (NotebookNotFound), and KindConflict
	// (NotebookActive) while a session of the notebook has not ended.
	DeleteNotebook(ctx context.Context, id string) error

	Close() error
}

// Change is what one transaction changes.
type Change struct {
	Session     *SessionChange
	Calculation *CalculationChange
}

// Token makes a repeated request return the first answer. Scope keeps tokens
// of different operations and principals apart; Digest stands for all other
// parameters of the request.
type Token struct {
	Scope  string
	Value  string
	Digest string
}

// TokenMismatch refuses a token that came back with other parameters. It
// begins with Athena's words.
func TokenMismatch() *Error {
	return Errorf(KindIdempotencyMismatch, "Idempotent parameters do not match. The ClientRequestToken was used before with other parameters; use a new one.")
}

// Drivers launches Spark drivers and finds those that outlived the server. A
// driver is known by the id of its session.
type Drivers interface {
	// Launch starts a driver and returns when its supervising process runs;
	// Spark comes up later, as events tell. Launching an id again while its
	// driver exists returns that driver. It returns KindUnavailable when the
	// machine lacks something (engine, disk, memory) and says what.
	Launch(ctx context.Context, launch Launch) (Driver, error)
	// Recover finds the driver of a session after a restart. Adoption says
	// what it found; the driver is nil only for NeverLaunched.
	Recover(ctx context.Context, sessionID string) (Driver, Adoption, error)
	// Log opens what the driver of a session has written to its log, from offset
	// on: Spark's log, its own, and the output of code that runs while no
	// calculation does. With follow, reads wait for more until the driver has
	// exited, after which the log does not grow. It returns KindNotFound when
	// there is no log, and with follow KindUnavailable when the driver cannot be
	// reached.
	Log(ctx context.Context, sessionID string, offset int64, follow bool) (io.ReadCloser, error)
	// Known lists the ids of all drivers that left anything on this machine.
	Known(ctx context.Context) ([]string, error)
	// Remove deletes what an ended driver left. It returns KindConflict while
	// the driver runs.
	Remove(ctx context.Context, sessionID string) error
}

// Adoption is what a server finds of a driver after a restart.
type Adoption string

// The five cases, in the order in which they are looked for.
const (
	Alive         Adoption = "alive"                     // it answers; its journal is read on from where it was left
	Silent        Adoption = "silent"                    // it is there and does not answer: Follow waits for it, and gives it up in the end
	ExitedAway    Adoption = "exited while we were away" // it left its exit and its whole journal
	NeverLaunched Adoption = "launch never finished"     // intended, but no process was started: launch it again
	Gone          Adoption = "gone without a trace"      // it ran, and neither answers nor left an exit
)

// Launch says what driver to start.
type Launch struct {
	SessionID        string
	Master           string            // Spark's master URL
	Properties       map[string]string // Spark properties of the session
	Memory           int64             // what the driver may use, in bytes; 0 is not known
	IdleTimeout      time.Duration     // the driver ends itself after that long without a calculation
	WorkingDirectory string            // relative paths of the code start here; "" is a directory of the driver's own

	// What code in the driver may ask of its session. A launch that is repeated
	// says the same.
	WorkGroup  string
	Engine     string // the name of the engine that runs
	StartedAt  time.Time
	NotebookID string    // "" is none
	Earlier    []Session // the notebook's last sessions before this one, newest first; all have ended
}

// Driver is one running, or just ended, Spark driver. Its methods may be called
// from several goroutines. All return KindUnavailable when it cannot be reached.
type Driver interface {
	// Execute hands over a calculation. Handing one over twice runs it once.
	Execute(ctx context.Context, calculationID, code string) error
	// Cancel asks for a calculation's code to stop. The driver escalates from
	// an interrupt to ending itself, each step with a deadline, and tells by
	// events. Cancelling what does not run does nothing.
	Cancel(ctx context.Context, calculationID string) error
	// End stops the driver, by force after a grace time, also when it does not
	// answer. Events tell when.
	End(ctx context.Context) error
	// Follow reads the journal from an offset on and calls handle with each
	// event in order, until the driver has exited (the last event is
	// DriverExited), handle returns an error, or ctx is done. A driver that was
	// lost without an exit ends its journal with a DriverExited that says so;
	// one that does not answer is DriverUnresponsive until it does, and is
	// killed when it has not for too long.
	Follow(ctx context.Context, offset int64, handle func(DriverEvent) error) error
	// Output opens what a calculation wrote to a stream, from offset on. Reads
	// block while the calculation runs and end with io.EOF after it ended. It
	// returns KindNotFound when the driver never had the calculation.
	Output(ctx context.Context, calculationID string, stream Stream, offset int64) (io.ReadCloser, error)
	// Written opens what a calculation has written to a stream until now. It
	// returns KindNotFound when the driver never had the calculation.
	Written(ctx context.Context, calculationID string, stream Stream) (io.ReadSeekCloser, error)
	// Result opens the calculation's result document, complete after
	// CalculationEnded. It returns KindNotFound before.
	Result(ctx context.Context, calculationID string) (io.ReadCloser, error)
}

// Stream is an output of a calculation.
type Stream string

// The streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// DriverEvent is one entry of a driver's journal.
type DriverEvent struct {
	Type   DriverEventType
	At     time.Time
	Offset int64 // where the journal goes on after this event

	Phases []StartPhase // of DriverReady

	CalculationID string        // of calculation events, and of DriverExited in the middle of one
	Outcome       Outcome       // of CalculationEnded
	Reason        string        // of CalculationEnded, DriverUnresponsive, DriverExited: for people
	ExitStatus    int           // of CalculationEnded: what a program would have ended with
	Ran           time.Duration // of CalculationEnded and DriverExited: how long the calculation's code ran
	Progress      string        // of CalculationEnded: what part of its Spark work was done
	Exit          ExitCause     // of DriverExited
}

// DriverEventType says what happened.
type DriverEventType string

// What can happen to a driver, in its usual order.
const (
	DriverReady        DriverEventType = "ready"        // Spark is up; calculations may come
	CalculationStarted DriverEventType = "started"      // code began to run
	CalculationEnded   DriverEventType = "finished"     // code has stopped; its output is complete
	DriverUnresponsive DriverEventType = "unresponsive" // no heartbeat for a while
	DriverResponsive   DriverEventType = "responsive"   // heartbeats are back
	DriverExited       DriverEventType = "exited"       // no process of it is left
)

// Outcome is how a calculation's code ended.
type Outcome string

// The outcomes.
const (
	OutcomeOK       Outcome = "ok"
	OutcomeError    Outcome = "error"
	OutcomeCanceled Outcome = "canceled"
)

// ExitCause is why a driver ended.
type ExitCause string

// The causes of an exit.
const (
	ExitRequested ExitCause = "requested" // End was called
	ExitIdle      ExitCause = "idle"      // its idle timeout passed
	ExitFault     ExitCause = "fault"     // anything else; Reason names it
)

// Object says what an object is to be.
type Object struct {
	URI         string // s3://bucket/key
	ContentType string // "" is the store's default
	Encryption  *Encryption
	Ownership
}

// Ownership says whose a bucket has to be, and whose an object in it is.
type Ownership struct {
	BucketOwner string // account id that the bucket has to belong to; "" is any
	ACL         string // BucketOwnerFullControl, or "" for the store's own
}

// BucketOwnerFullControl is the one ACL of results that Athena knows
// (API_AclConfiguration).
const BucketOwnerFullControl = "BUCKET_OWNER_FULL_CONTROL"

// Objects keeps results under s3:// URIs.
type Objects interface {
	// Check tells whether Put would take the object, as far as that can be known
	// without its content. It returns KindInvalid for an impossible URI and for
	// encryption that the store does not have, KindNotFound when there is no
	// such bucket, KindDenied when the store refuses the server, and
	// KindUnavailable when it is down.
	Check(ctx context.Context, o Object) error
	// Put writes the whole object, encrypted as it says, or nothing. It returns
	// the errors of Check, KindUnavailable also when the store is full, and an
	// error of content as it is.
	Put(ctx context.Context, o Object, content io.Reader) error
	// Open returns KindNotFound when there is no such object, KindDenied, and
	// KindUnavailable when the store is down or the object cannot be decrypted.
	// So do reads, which end with ctx: they never give other bytes than were put.
	Open(ctx context.Context, uri string) (io.ReadSeekCloser, error)
}
