package sessions

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// Config is what a Service is made of. Store, Drivers and Objects are required,
// and Histories for Pages.
type Config struct {
	Store     hearth.Store
	Drivers   hearth.Drivers
	Objects   hearth.Objects
	Histories hearth.Histories

	// Quotas say how many sessions there may be at once.
	Quotas hearth.Quotas
	// Starts is how many drivers may be starting at once for sessions; 0 is no limit.
	Starts int
	// Memory says how much of it the driver of a session may use.
	Memory hearth.DriverMemory
	// KeepDrivers is how long what the driver of an ended session left (its
	// log, journal and files) is kept; 0 keeps it for ever.
	KeepDrivers time.Duration
	// KeepRecords is how long ended sessions stay on record, with their
	// calculations and events; 0 keeps them for ever.
	KeepRecords time.Duration
	// ConnectTokenTTL is how long a token for Spark Connect begins operations; 0 is
	// hearth.DefaultConnectTokenTTL.
	ConnectTokenTTL time.Duration
	// Pool says how many drivers are started ahead of sessions; the zero value is
	// none.
	Pool PoolConfig
	// Results says how long results of ended sessions are kept.
	Results Retention
	// Now is the clock, which people may set back; nil is time.Now.
	Now func() time.Time
	// Log gets what no caller is there to be told; nil discards it.
	Log *slog.Logger
}

// Service runs sessions. Make it with New, let it take up the sessions of an
// earlier server with Resume, and leave with Close: leaving ends no session.
type Service struct {
	store       hearth.Store
	drivers     hearth.Drivers
	objects     hearth.Objects
	histories   hearth.Histories
	quotas      hearth.Quotas
	memory      hearth.DriverMemory
	keepDrivers time.Duration
	keepRecords time.Duration
	results     Retention
	tokenTTL    time.Duration
	now         func() time.Time
	log         *slog.Logger

	changes notices
	starts  *starts
	pool    *pool

	leaving context.Context // done when the server leaves; sessions go on
	leave   context.CancelFunc
	tending sync.WaitGroup

	mu     sync.Mutex
	live   map[string]*pursuit // by session id; a session is here until it has ended
	ending bool                // no session may start any more

	syncMu   sync.Mutex
	unsynced []hearth.Unsynced // in the order in which they were placed
	syncing  bool              // somebody syncs them
}

// errLeaving ends what would wait longer than the server is there.
var errLeaving = hearth.Errorf(hearth.KindUnavailable, "The server is stopping. Ask again when it is back; the session goes on meanwhile.")

// New makes a Service.
func New(c Config) *Service {
	s := &Service{
		store:       c.Store,
		drivers:     c.Drivers,
		objects:     c.Objects,
		histories:   c.Histories,
		quotas:      c.Quotas,
		memory:      c.Memory,
		keepDrivers: c.KeepDrivers,
		keepRecords: c.KeepRecords,
		results:     c.Results,
		tokenTTL:    cmp.Or(c.ConnectTokenTTL, hearth.DefaultConnectTokenTTL),
		now:         c.Now,
		log:         c.Log,
		live:        make(map[string]*pursuit),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.leaving, s.leave = context.WithCancel(context.Background())
	s.starts = newStarts(c.Starts)
	s.pool = newPool(s, c.Pool)
	return s
}

// Close stops tending the sessions and waits until nothing of the Service
// runs. The sessions themselves go on.
func (s *Service) Close() {
	s.mu.Lock()
	s.leave()
	s.mu.Unlock()
	s.tending.Wait() // no tending begins any more
}

// EndAll lets no session start any more, asks all live ones to end, and waits
// until they have, or ctx is done.
func (s *Service) EndAll(ctx context.Context) error {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.atGate(func(g *gate) { g.shut = true })
	if err := s.pool.endAll(ctx); err != nil {
		return err
	}
	for {
		live, err := s.store.LiveSessions(ctx)
		if err != nil || len(live) == 0 {
			return err
		}
		if err := s.endEach(ctx, live); err != nil {
			return err
		}
	}
}

// endEach asks sessions, which are given oldest first, to end and waits until
// they have, or ctx is done. The youngest are asked first: those that wait would
// else have their turn for a moment.
func (s *Service) endEach(ctx context.Context, live []hearth.Session) error {
	for _, session := range slices.Backward(live) {
		// To ask is quick, and who was asked can be named.
		if _, err := s.Terminate(context.WithoutCancel(ctx), session.ID); err != nil {
			return err
		}
	}
	var late []string
	for _, session := range live {
		switch ended, err := s.awaitEnd(ctx, session.ID); {
		case err != nil:
			return err
		case !ended:
			late = append(late, session.ID)
		}
	}
	if len(late) > 0 {
		return hearth.Errorf(hearth.KindUnavailable, "These sessions were asked to end and have not ended in time: %s. The log tells what holds them up; the next server that runs goes on with it.", strings.Join(late, ", "))
	}
	return nil
}

// awaitEnd reports whether the session had ended when ctx was done.
func (s *Service) awaitEnd(ctx context.Context, id string) (ended bool, err error) {
	session, err := await(ctx, s, id, func() (hearth.Session, bool, error) {
		session, err := s.store.Session(context.WithoutCancel(ctx), id)
		return session, !session.State.Ended(), err
	})
	ended = session.State.Ended()
	if err == nil && !ended && ctx.Err() == nil {
		err = errLeaving
	}
	return ended, err
}

// Session gives a session. It returns KindNotFound.
func (s *Service) Session(ctx context.Context, id string) (hearth.Session, error) {
	session, err := s.store.Session(ctx, id)
	return s.withPosition(ctx, session, err)
}

// Sessions lists the sessions of a workgroup, newest first. It returns
// KindNotFound for an unknown workgroup and KindInvalid for a bad cursor.
func (s *Service) Sessions(ctx context.Context, f hearth.SessionFilter, p hearth.Page) ([]hearth.Session, hearth.Cursor, error) {
	if f.WorkGroup != "" {
		if _, err := s.store.WorkGroup(ctx, f.WorkGroup); err != nil {
			return nil, "", err
		}
	}
	sessions, next, err := s.store.Sessions(ctx, f, p)
	if err != nil {
		return nil, "", err
	}
	return sessions, next, s.withPositions(ctx, sessions)
}

// Figures tells how many sessions there are, and how the drivers stand that wait
// for some. It returns KindUnavailable when the store is.
func (s *Service) Figures(ctx context.Context) (hearth.Figures, error) {
	figures := hearth.Figures{Sessions: make(map[hearth.SessionState]int), Pool: s.pool.state()}
	live, err := s.store.LiveSessions(ctx)
	for _, session := range live {
		figures.Sessions[session.State]++
		if waits(session) || s.starts.waits(session.ID) {
			figures.Waiting++
		}
	}
	return figures, err
}

// Calculation gives a calculation. It returns KindNotFound.
func (s *Service) Calculation(ctx context.Context, id string) (hearth.Calculation, error) {
	return s.store.Calculation(ctx, id)
}

// Calculations lists the calculations of a session, newest first. It returns
// KindNotFound for an unknown session and KindInvalid for a bad cursor.
func (s *Service) Calculations(ctx context.Context, f hearth.CalculationFilter, p hearth.Page) ([]hearth.Calculation, hearth.Cursor, error) {
	if _, err := s.store.Session(ctx, f.SessionID); err != nil {
		return nil, "", err
	}
	return s.store.Calculations(ctx, f, p)
}

// Executors lists what holds a session's resources; state "" is any. It
// returns KindNotFound.
func (s *Service) Executors(ctx context.Context, sessionID string, state hearth.ExecutorState) ([]hearth.Executor, error) {
	session, err := s.store.Session(ctx, sessionID)
	if err != nil {
		return nil, err
	}
	var executors []hearth.Executor
	for _, e := range session.Executors() {
		if state == "" || e.State == state {
			executors = append(executors, e)
		}
	}
	return executors, nil
}

// Events gives what happened to a session and its calculations, oldest first.
// It returns KindNotFound.
func (s *Service) Events(ctx context.Context, sessionID string) ([]hearth.Event, error) {
	return s.store.Events(ctx, sessionID)
}

// Output reads what a calculation wrote to a stream, from offset on. While the
// calculation runs, reads wait for more. It returns KindNotFound, and
// KindUnavailable when the server leaves before there is anything to read.
func (s *Service) Output(ctx context.Context, calculationID string, stream hearth.Stream, offset int64) (io.ReadCloser, error) {
	output, err := await(ctx, s, calculationID, func() (io.ReadCloser, bool, error) {
		c, err := s.store.Calculation(ctx, calculationID)
		if err != nil {
			return nil, false, err
		}
		if c.State.Ended() {
			content, err := s.openAt(ctx, c.OutputURI(stream), offset)
			return content, false, s.gone(ctx, c.SessionID, err)
		}
		driver := s.driverOf(c.SessionID)
		if driver == nil {
			return nil, true, nil
		}
		content, err := driver.Output(ctx, calculationID, stream, offset)
		if hearth.KindOf(err) == hearth.KindNotFound { // it will be handed over
			return nil, true, nil
		}
		return content, false, err
	})
	if err == nil && output == nil {
		err = errLeaving
	}
	return output, err
}

func (s *Service) driverOf(sessionID string) hearth.Driver {
	if p := s.pursuitOf(sessionID); p != nil {
		return p.attached()
	}
	return nil
}

// openAt opens an object from offset on.
func (s *Service) openAt(ctx context.Context, uri string, offset int64) (io.ReadCloser, error) {
	content, err := s.objects.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	if _, err := content.Seek(offset, io.SeekStart); err != nil {
		content.Close()
		return nil, hearth.Internal(err, "skip to the offset in "+uri)
	}
	return content, nil
}

// Written opens what a calculation has written to a stream until now. It
// returns KindNotFound, also when the calculation has not begun.
func (s *Service) Written(ctx context.Context, calculationID string, stream hearth.Stream) (io.ReadSeekCloser, error) {
	c, err := s.store.Calculation(ctx, calculationID)
	if err != nil {
		return nil, err
	}
	if c.State.Ended() {
		content, err := s.objects.Open(ctx, c.OutputURI(stream))
		return content, s.gone(ctx, c.SessionID, err)
	}
	if driver := s.driverOf(c.SessionID); driver != nil {
		content, err := driver.Written(ctx, calculationID, stream)
		if hearth.KindOf(err) != hearth.KindNotFound { // it has been handed over
			return content, err
		}
	}
	return nil, hearth.Errorf(hearth.KindNotFound, "Calculation %s has not begun.", calculationID)
}

// Result opens the result document of a calculation that has ended. It returns
// KindNotFound.
func (s *Service) Result(ctx context.Context, calculationID string) (io.ReadSeekCloser, error) {
	c, err := s.store.Calculation(ctx, calculationID)
	if err != nil {
		return nil, err
	}
	content, err := s.objects.Open(ctx, c.ResultDocumentURI())
	return content, s.gone(ctx, c.SessionID, err)
}

// facts reads all that a decision about a session may look at.
func (s *Service) facts(ctx context.Context, sessionID string) (facts, error) {
	session, err := s.store.Session(ctx, sessionID)
	if err != nil {
		return facts{}, err
	}
	f := facts{session: session, now: s.now()}
	c, err := s.store.LiveCalculation(ctx, sessionID)
	switch {
	case err == nil:
		f.calculation = &c
	case hearth.KindOf(err) != hearth.KindNotFound:
		return facts{}, err
	}
	return f, nil
}

// settle decides and acts until a decision holds: when somebody else changed
// the record between the reading and the writing, the guard refuses and the
// decision is made again from the new facts.
func (s *Service) settle(ctx context.Context, sessionID string, decide func(facts) (step, error)) error {
	for {
		f, err := s.facts(ctx, sessionID)
		if err != nil {
			return err
		}
		decision, err := decide(f)
		if err != nil || decision.idle() {
			return err
		}
		err = s.act(ctx, f, decision)
		s.syncSoon(decision.placed())
		if hearth.KindOf(err) != hearth.KindConflict {
			return err
		}
	}
}

func (s *Service) act(ctx context.Context, f facts, decision step) error {
	for _, change := range decision.changes {
		faultpoint.At("step to be recorded", aim(change))
		if err := s.store.Apply(ctx, change); err != nil {
			return err
		}
		faultpoint.At("step recorded", aim(change))
	}
	s.changes.tell(f.session.ID)
	s.pool.stepped(f.session.State, decision.to())
	if f.calculation != nil {
		s.changes.tell(f.calculation.ID)
	}
	return nil
}

// aim is the state that a change leads to: the calculation's, if it has one.
func aim(change hearth.Change) string {
	if change.Calculation != nil {
		return string(change.Calculation.To)
	}
	return string(change.Session.To)
}
