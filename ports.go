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
	// Quotas decide (Quotas.Enter, whose errors it returns) whether the session
	// is Waiting, and CREATING then though s may say that it has a driver; a token that was used before wins over
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
	// them, the first to end first, each with its calculations, its events, its
	// ConnectTokens, and its and their tokens. It returns how many it removed.
	DeleteEnded(ctx context.Context, before time.Time, limit int) (int, error)

	// EndedResults lists sessions that have ended and whose results are not noted
	// as removed, the first to end first.
	EndedResults(ctx context.Context) ([]EndedResults, error)
	// NoteRemovedResults records that the results of an ended session are removed:
	// in its ResultsRemovedAt, in an event, and in the reasons of its calculations,
	// which why is added to. Once is enough: it changes nothing for a session whose
	// results are noted as removed, that has not ended, or that is not on record.
	NoteRemovedResults(ctx context.Context, sessionID string, at time.Time, why string) error

	// CreateConnectToken records a token. Of its session's tokens, those go that have
	// expired by then and are not among the newest, as many as are to be kept. It
	// returns KindNotFound (SessionNotFound).
	CreateConnectToken(ctx context.Context, t ConnectToken, keep int) error
	// ConnectToken gives the token of a digest. It returns KindNotFound when there
	// is none.
	ConnectToken(ctx context.Context, digest string) (ConnectToken, error)

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
	// Unsynced lists the objects that changes brought (Change.Unsynced) and NoteSynced
	// has not taken away, the first to come first.
	Unsynced(ctx context.Context) ([]Unsynced, error)
	// NoteSynced forgets objects by their ids. Those that are not on record are
	// passed over.
	NoteSynced(ctx context.Context, ids []string) error
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
	Unsynced    []Unsynced // is on record from now on, too
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
	// driver exists returns that driver. One that was launched Warm is claimed by a
	// launch that is not: it is told the rest and gets DriverReady then; if it ends,
	// or does not answer, before it is ready for its session, another one is started
	// in its place. It returns KindUnavailable when the machine lacks something
	// (engine, disk, memory) and says what.
	Launch(ctx context.Context, launch Launch) (Driver, error)
	// Warm tells what a driver was launched as that was launched ahead of its session
	// and has never been claimed. It returns KindNotFound for all others: a record may
	// have been lost, and what a session had is never another one's.
	Warm(ctx context.Context, sessionID string) (Warm, error)
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
	Warm             *Warm             // nil for a session that is on record
	Master           string            // Spark's master URL
	Properties       map[string]string // Spark properties of the session
	Memory           int64             // what the driver may use, in bytes; 0 is not known
	IdleTimeout      time.Duration     // the driver ends itself after that long without a calculation or a call over Spark Connect
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
	// Connect gives where the driver speaks Spark Connect, and has it listen there
	// when it does not yet. What runs there is told by events. It returns
	// KindUnavailable when the driver cannot: it is not ready, is ending or has
	// ended, has no Spark Connect, or was launched by a Hearth that knew none.
	Connect(ctx context.Context) (Endpoint, error)
	// UI gives where the driver shows Spark's own pages, over HTTP. It returns
	// KindUnavailable when the driver cannot, as Connect does, or shows none.
	UI(ctx context.Context) (Endpoint, error)
}

// Endpoint is an address of a driver on this machine. The one of Spark Connect
// holds as long as the driver lives; Spark's pages move when code in the driver
// starts another SparkContext.
type Endpoint struct {
	Address string // host:port
	// Secret has to come with every call, or the driver refuses it: with Spark
	// Connect as metadata under ConnectSecretKey, with pages as PageSecretHeader. ""
	// is none.
	Secret string
}

// ConnectSecretKey is the key of the metadata of a Spark Connect call in which a
// driver looks for its secret. No client sends it: it is put in the place of what
// the client proved itself with.
const ConnectSecretKey = "x-hearth-driver-secret"

// PageSecretHeader is likewise the header of a request for one of Spark's pages.
const PageSecretHeader = "X-Hearth-Driver-Secret"

// Histories shows Spark's pages of drivers that have ended.
type Histories interface {
	// Show gives where the pages of an ended session are shown, over HTTP, and has
	// them shown when they are not yet. It is asked for each page anew: what nobody
	// asks for is not shown for long. It returns KindNotFound when nothing was kept
	// to show, and KindUnavailable when it cannot be shown.
	Show(ctx context.Context, session Session) (Endpoint, error)
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
	// Operated is, of DriverRested and DriverExited, how long operations of Spark
	// Connect ran since the last DriverOperating, less the time that a calculation's
	// code ran meanwhile: Ran and Operated together count no moment twice.
	Operated  time.Duration
	Operating bool      // of CalculationEnded and DriverResponsive: operations of Spark Connect run
	Progress  string    // of CalculationEnded: what part of its Spark work was done
	Exit      ExitCause // of DriverExited
}

// DriverEventType says what happened.
type DriverEventType string

// What can happen to a driver, in its usual order.
const (
	DriverWarm         DriverEventType = "warm"         // Spark is up, before a session has claimed it
	DriverReady        DriverEventType = "ready"        // Spark is up; calculations may come
	CalculationStarted DriverEventType = "started"      // code began to run
	CalculationEnded   DriverEventType = "finished"     // code has stopped; its output is complete
	DriverOperating    DriverEventType = "operating"    // the first operation of Spark Connect runs, where none did
	DriverRested       DriverEventType = "rested"       // the last of them has ended
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
	ExitAge       ExitCause = "age"       // it was launched Warm, and no session has claimed it
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

// Unsynced is an object that is there and may not outlast a loss of power yet.
type Unsynced struct {
	ID   string // of this placing
	URI  string
	Kept []byte // from which the store makes the object again; encrypted if that is
}

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
	// Place is Put of a small object, which can be read when it returns as after
	// Put. But a loss of power may take the object until Sync was told what Place
	// returned, whose zero value says that there is nothing to tell. So that it
	// can be told after the loss, what Place returned has to be on record before
	// anybody counts on the object. Until Release, whoever else would change the
	// object waits. It returns the errors of Put.
	Place(ctx context.Context, o Object, content []byte) (Unsynced, error)
	// Sync makes placed objects outlast a loss of power. Those of an earlier
	// process are put again as they were, whatever became of them. It returns the
	// errors of Put.
	Sync(ctx context.Context, placed []Unsynced) error
	// Release lets others change placed objects again. What is on record of them
	// has to be gone by then, or it would undo such a change after a crash.
	Release(placed []Unsynced)
	// Open returns KindNotFound when there is no such object, KindDenied, and
	// KindUnavailable when the store is down or the object cannot be decrypted.
	// So do reads, which end with ctx: they never give other bytes than were put.
	Open(ctx context.Context, uri string) (io.ReadSeekCloser, error)
}
