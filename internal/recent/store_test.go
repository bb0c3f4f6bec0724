package recent_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/recent"
	"hearth/internal/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// records is a store below: a map, whose reads and writes can be held at the
// moment that a test is about.
type records struct {
	hearth.Store // nil: what the tests do not call

	mu           sync.Mutex
	sessions     map[string]hearth.Session
	calculations map[string]hearth.Calculation
	tokens       map[string]hearth.ConnectToken
	reads        atomic.Int64

	read, written func() // after something was read, and after a commit; may be nil
}

func newRecords() *records {
	return &records{sessions: map[string]hearth.Session{}, calculations: map[string]hearth.Calculation{}, tokens: map[string]hearth.ConnectToken{}}
}

func (r *records) Session(_ context.Context, id string) (hearth.Session, error) {
	r.reads.Add(1)
	r.mu.Lock()
	session, ok := r.sessions[id]
	r.mu.Unlock()
	if r.read != nil {
		r.read()
	}
	if !ok {
		return hearth.Session{}, hearth.SessionNotFound(id)
	}
	return session, nil
}

func (r *records) Calculation(_ context.Context, id string) (hearth.Calculation, error) {
	r.reads.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.calculations[id]
	if !ok {
		return hearth.Calculation{}, hearth.CalculationNotFound(id)
	}
	return c, nil
}

func (r *records) ConnectToken(_ context.Context, digest string) (hearth.ConnectToken, error) {
	r.reads.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	token, ok := r.tokens[digest]
	if !ok {
		return token, hearth.Errorf(hearth.KindNotFound, "There is no such token.")
	}
	return token, nil
}

// CreateConnectToken leaves a session no other token.
func (r *records) CreateConnectToken(_ context.Context, t hearth.ConnectToken, _ int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.tokens, func(_ string, other hearth.ConnectToken) bool { return other.SessionID == t.SessionID })
	r.tokens[t.Digest] = t
	return nil
}

func (r *records) Apply(_ context.Context, change hearth.Change) error {
	r.mu.Lock()
	if c := change.Session; c != nil {
		session := r.sessions[c.ID]
		session.ID, session.State, session.DPUMillis = c.ID, c.To, session.DPUMillis+c.AddDPUMillis
		r.sessions[c.ID] = session
	}
	if c := change.Calculation; c != nil {
		calculation := r.calculations[c.ID]
		calculation.ID, calculation.State, calculation.DPUMillis = c.ID, c.To, calculation.DPUMillis+c.AddDPUMillis
		r.calculations[c.ID] = calculation
	}
	r.mu.Unlock()
	if r.written != nil {
		r.written()
	}
	return nil
}

func (r *records) CreateCalculation(_ context.Context, c hearth.Calculation, _ *hearth.Token) (hearth.Calculation, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.calculations[c.ID]; taken {
		return hearth.Calculation{}, false, hearth.Errorf(hearth.KindConflict, "taken")
	}
	session := r.sessions[c.SessionID]
	session.State = hearth.SessionBusy
	r.sessions[c.SessionID], r.calculations[c.ID] = session, c
	return c, true, nil
}

func (r *records) AdmitSessions(context.Context, hearth.Quotas, time.Time) (ids []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, session := range r.sessions {
		if session.Waiting {
			session.Waiting = false
			r.sessions[id] = session
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (r *records) Tag(_ context.Context, resource hearth.Resource, set hearth.Tags, _ []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	session := r.sessions[resource.SessionID]
	session.Tags = set
	r.sessions[resource.SessionID] = session
	return nil
}

func (r *records) NoteRemovedResults(_ context.Context, sessionID string, at time.Time, why string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	session := r.sessions[sessionID]
	session.ResultsRemovedAt = at
	r.sessions[sessionID] = session
	for id, c := range r.calculations {
		if c.SessionID == sessionID {
			c.StateChangeReason = why
			r.calculations[id] = c
		}
	}
	return nil
}

func (r *records) DeleteEnded(context.Context, time.Time, int) (deleted int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, session := range r.sessions {
		if session.State.Ended() {
			delete(r.sessions, id)
			maps.DeleteFunc(r.tokens, func(_ string, t hearth.ConnectToken) bool { return t.SessionID == id })
			deleted++
		}
	}
	return deleted, nil
}

func session(id string, state hearth.SessionState) hearth.Session {
	return hearth.Session{ID: id, State: state}
}

func step(t testing.TB, store hearth.Store, id string, to hearth.SessionState) {
	t.Helper()
	if err := store.Apply(t.Context(), hearth.Change{Session: &hearth.SessionChange{ID: id, To: to}}); err != nil {
		t.Fatal(err)
	}
}

func stateOf(t testing.TB, store hearth.Store, id string) hearth.SessionState {
	t.Helper()
	session, err := store.Session(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return session.State
}

func TestStore_Reads(t *testing.T) {
	t.Run("what was read is not read again", func(t *testing.T) {
		below := newRecords()
		below.sessions["a"] = session("a", hearth.SessionIdle)
		below.calculations["c"] = hearth.Calculation{ID: "c"}
		store := recent.New(below)
		for range 3 {
			stateOf(t, store, "a")
			if _, err := store.Calculation(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
		}
		if n := below.reads.Load(); n != 2 {
			t.Errorf("%d reads for two things", n)
		}
	})

	t.Run("what is not there is looked for each time", func(t *testing.T) {
		below := newRecords()
		store := recent.New(below)
		if _, err := store.Session(t.Context(), "a"); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("an absent session: %v", err)
		}
		below.sessions["a"] = session("a", hearth.SessionIdle)
		if got := stateOf(t, store, "a"); got != hearth.SessionIdle {
			t.Errorf("when it is there it is %q", got)
		}
	})

	t.Run("a canceled context is an error also for what is kept", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "hearth.db")
		below := open(t, path)
		defer below.Close()
		if err := below.CreateWorkGroup(t.Context(), hearth.WorkGroup{Name: "primary", CreatedAt: noon}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := below.CreateSession(t.Context(), hearth.Session{ID: "a", WorkGroup: "primary", State: hearth.SessionIdle, StartedAt: noon, ModifiedAt: noon}, hearth.Quotas{}, nil); err != nil {
			t.Fatal(err)
		}
		store := recent.New(below)
		stateOf(t, store, "a")
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := store.Session(canceled, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("memory is bounded", func(t *testing.T) {
		below := newRecords()
		const many = 20_000
		for i := range many {
			id := fmt.Sprint(i)
			below.sessions[id] = session(id, hearth.SessionTerminated)
		}
		store := recent.New(below)
		for range 2 {
			for i := range many {
				stateOf(t, store, fmt.Sprint(i))
			}
		}
		// Each part has its share of what is kept, and none of them more.
		if again := below.reads.Load() - many; again < many-1024 {
			t.Errorf("of %d sessions, %d were kept", many, many-again)
		}
	})

	t.Run("long code is not kept", func(t *testing.T) {
		below := newRecords()
		below.calculations["c"] = hearth.Calculation{ID: "c", Code: string(make([]byte, 60_000))}
		store := recent.New(below)
		for range 3 {
			if _, err := store.Calculation(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
		}
		if n := below.reads.Load(); n != 3 {
			t.Errorf("%d reads of 3", n)
		}
	})
}

func TestStore_ConnectTokens(t *testing.T) {
	below := newRecords()
	below.sessions["a"] = session("a", hearth.SessionTerminated)
	store := recent.New(below)
	create := func(digest string) {
		t.Helper()
		if err := store.CreateConnectToken(t.Context(), hearth.ConnectToken{Digest: digest, SessionID: "a"}, 1); err != nil {
			t.Fatal(err)
		}
	}
	is := func(digest string, there bool) {
		t.Helper()
		token, err := store.ConnectToken(t.Context(), digest)
		if there && (err != nil || token.SessionID != "a") || !there && hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("token %s: %+v, %v", digest, token, err)
		}
	}
	is("first", false)
	create("first")
	for range 3 {
		is("first", true)
	}
	if n := below.reads.Load(); n != 2 {
		t.Errorf("%d reads of one that was not there and one that was", n)
	}
	create("second")
	is("first", false)
	is("second", true)
	if _, err := store.DeleteEnded(t.Context(), noon, 1); err != nil {
		t.Fatal(err)
	}
	is("second", false)
}

func TestStore_Writes(t *testing.T) {
	t.Run("nobody is told the state of before once a write is recorded", func(t *testing.T) {
		below := newRecords()
		below.sessions["a"] = session("a", hearth.SessionIdle)
		store := recent.New(below)
		stateOf(t, store, "a")
		below.written = func() {
			if got := stateOf(t, store, "a"); got != hearth.SessionBusy {
				t.Errorf("between the record and its answer: %s", got)
			}
		}
		step(t, store, "a", hearth.SessionBusy)
	})

	t.Run("what was read before a write and comes after it is not kept", func(t *testing.T) {
		below := newRecords()
		below.sessions["a"] = session("a", hearth.SessionIdle)
		store := recent.New(below)
		below.read = func() {
			below.read = nil
			step(t, store, "a", hearth.SessionBusy)
		}
		if got := stateOf(t, store, "a"); got != hearth.SessionIdle {
			t.Errorf("the read that began before: %s", got)
		}
		if got := stateOf(t, store, "a"); got != hearth.SessionBusy {
			t.Errorf("after the write: %s", got)
		}
	})

	t.Run("what is read while a write is under way is not kept", func(t *testing.T) {
		below := newRecords()
		below.sessions["a"] = session("a", hearth.SessionIdle)
		store := recent.New(below)
		below.written = func() { stateOf(t, store, "a") }
		step(t, store, "a", hearth.SessionBusy)
		before := below.reads.Load()
		stateOf(t, store, "a")
		if below.reads.Load() == before {
			t.Error("it was kept")
		}
	})

	t.Run("what was read between the beginning of a write and its record is not kept", func(t *testing.T) {
		below := newRecords()
		below.sessions["a"] = session("a", hearth.SessionIdle)
		store := recent.New(below)
		reading, recorded, read := make(chan struct{}), make(chan struct{}), make(chan struct{})
		below.read = func() {
			close(reading)
			<-recorded // the write ends while this read is under way
		}
		go func() {
			defer close(read)
			stateOf(t, store, "a")
		}()
		<-reading
		below.read = nil
		step(t, store, "a", hearth.SessionBusy)
		close(recorded)
		<-read
		if got := stateOf(t, store, "a"); got != hearth.SessionBusy {
			t.Errorf("after the write: %s", got)
		}
	})
}

// A reader sees what the writes, one after the other, have made of everything.
func TestStore_SameAsBelow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		below := newRecords()
		store := recent.New(below)
		ids := []string{"a", "b", "c"}
		id := func() string { return rapid.SampledFrom(ids).Draw(t, "id") }
		for _, id := range ids {
			below.sessions[id] = hearth.Session{ID: id, State: hearth.SessionCreating, Waiting: rapid.Bool().Draw(t, "waiting")}
		}
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"step": func(t *rapid.T) {
				to := rapid.SampledFrom([]hearth.SessionState{hearth.SessionIdle, hearth.SessionBusy, hearth.SessionTerminated}).Draw(t, "to")
				must(store.Apply(t.Context(), hearth.Change{
					Session:     &hearth.SessionChange{ID: id(), To: to, AddDPUMillis: 1},
					Calculation: &hearth.CalculationChange{ID: id(), To: hearth.CalculationRunning, AddDPUMillis: 1},
				}))
			},
			"submit": func(t *rapid.T) {
				// One that is on record already is refused.
				store.CreateCalculation(t.Context(), hearth.Calculation{ID: id(), SessionID: id()}, nil)
			},
			"tag": func(t *rapid.T) {
				must(store.Tag(t.Context(), hearth.Resource{SessionID: id()}, hearth.Tags{"k": rapid.String().Draw(t, "v")}, nil))
			},
			"admit": func(t *rapid.T) {
				_, err := store.AdmitSessions(t.Context(), hearth.Quotas{}, noon)
				must(err)
			},
			"remove results": func(t *rapid.T) { must(store.NoteRemovedResults(t.Context(), id(), noon, "old")) },
			"delete": func(t *rapid.T) {
				_, err := store.DeleteEnded(t.Context(), noon, 1)
				must(err)
			},
			"": func(t *rapid.T) {
				for _, id := range ids {
					got, gotErr := store.Session(t.Context(), id)
					want, wantErr := below.Session(t.Context(), id)
					equal(t, got, want, gotErr, wantErr)
					calculation, gotErr := store.Calculation(t.Context(), id)
					wanted, wantErr := below.Calculation(t.Context(), id)
					equal(t, calculation, wanted, gotErr, wantErr)
				}
			},
		})
	})
}

func equal(t *rapid.T, got, want any, gotErr, wantErr error) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) || hearth.KindOf(gotErr) != hearth.KindOf(wantErr) {
		t.Fatalf("got  %+v, %v\nwant %+v, %v", got, gotErr, want, wantErr)
	}
}

// Writers count up, and readers look whether what they see is at least what had
// been answered when they asked, and never goes back.
func TestStore_NeverOlderThanWhatWasAnswered(t *testing.T) {
	below := newRecords()
	store := recent.New(below)
	ids := []string{"a", "b", "c", "d"}
	answered := make(map[string]*atomic.Int64)
	for _, id := range ids {
		below.sessions[id], answered[id] = session(id, hearth.SessionIdle), new(atomic.Int64)
	}
	var writers, readers sync.WaitGroup
	writing, stop := context.WithCancel(t.Context())
	for range 4 {
		readers.Go(func() {
			seen := make(map[string]int64)
			for i := 0; writing.Err() == nil; i++ {
				id := ids[i%len(ids)]
				least := max(answered[id].Load(), seen[id])
				session, err := store.Session(t.Context(), id)
				if err != nil || session.DPUMillis < least {
					t.Errorf("%s: %d, after %d was answered: %v", id, session.DPUMillis, least, err)
					return
				}
				seen[id] = session.DPUMillis
			}
		})
	}
	for _, id := range ids {
		writers.Go(func() {
			for range 2000 {
				if err := store.Apply(t.Context(), hearth.Change{Session: &hearth.SessionChange{ID: id, To: hearth.SessionIdle, AddDPUMillis: 1}}); err != nil {
					t.Error(err)
				}
				answered[id].Add(1)
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
}

// A method that is new in hearth.Store goes to the store below by itself: here
// somebody has to have thought about what it changes.
func TestStore_Methods(t *testing.T) {
	known := []string{
		"Session", "Calculation", "ConnectToken", // from memory
		"CreateCalculation", "Apply", "Tag", "NoteRemovedResults", "DeleteEnded", "CreateConnectToken", // change what may be in memory
		"CreateSession", "AdmitSessions", // change sessions that are not: new ones, and those that wait

		"CreateWorkGroup", "WorkGroup", "WorkGroups", "UpdateWorkGroup", "DeleteWorkGroup",
		"Claims", "SessionOfToken", "Sessions", "LiveSessions", "EndedResults",
		"Calculations", "LiveCalculation", "Events", "Unsynced", "NoteSynced",
		"CreateNotebook", "Notebook", "NotebookContent", "Notebooks", "NotebookSession", "RenameNotebook", "SaveNotebook", "DeleteNotebook",
		"Close",
	}
	for method := range reflect.TypeFor[hearth.Store]().Methods() {
		if !slices.Contains(known, method.Name) {
			t.Errorf("%s is not known here: if it changes sessions or calculations, Store has to let go of them", method.Name)
		}
	}
}
