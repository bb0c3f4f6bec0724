// Package recent keeps the sessions, calculations and tokens that were last
// asked for in memory, so that a client that polls, or calls Spark Connect, costs
// no read of the database.
//
// An answer is never older than what a write that was answered before has
// recorded, and between a write's commit and its answer nobody is told the state
// of before: from before a write until after it, what it changes is read from
// the store below. That holds because all writes pass through here: a data
// directory has one server.
package recent

import (
	"context"
	"time"

	"hearth"
)

const (
	// capacity is how many sessions are kept at most, how many calculations, and how
	// many tokens for Spark Connect. What is not kept costs a read: it is to be
	// more than anybody uses at once, and no more than a server has filled soon.
	capacity = 1024
	// longestCode bounds the memory: calculations with more code are not kept.
	longestCode = 8 << 10 // bytes
)

// Store is a hearth.Store over another one. What its Session and Calculation
// give is shared between callers: maps, slices and what pointers lead to must
// not be changed.
type Store struct {
	hearth.Store
	sessions     *shelf[hearth.Session]
	calculations *shelf[hearth.Calculation]
	tokens       *shelf[hearth.ConnectToken] // by their digests
}

var _ hearth.Store = (*Store)(nil)

// New puts memory before a store, to which nobody else may write from then on.
func New(below hearth.Store) *Store {
	return &Store{
		Store: below,
		// AdmitSessions changes those that wait, and does not know before which.
		sessions:     newShelf(capacity, func(s hearth.Session) bool { return !s.Waiting }),
		calculations: newShelf(capacity, func(c hearth.Calculation) bool { return len(c.Code) <= longestCode }),
		tokens:       newShelf(capacity, func(hearth.ConnectToken) bool { return true }),
	}
}

// Session implements hearth.Store.
func (s *Store) Session(ctx context.Context, id string) (hearth.Session, error) {
	return s.sessions.get(ctx, id, s.Store.Session)
}

// Calculation implements hearth.Store.
func (s *Store) Calculation(ctx context.Context, id string) (hearth.Calculation, error) {
	return s.calculations.get(ctx, id, s.Store.Calculation)
}

// ConnectToken implements hearth.Store.
func (s *Store) ConnectToken(ctx context.Context, digest string) (hearth.ConnectToken, error) {
	return s.tokens.get(ctx, digest, s.Store.ConnectToken)
}

// CreateConnectToken implements hearth.Store.
func (s *Store) CreateConnectToken(ctx context.Context, t hearth.ConnectToken, keep int) error {
	defer s.tokens.writeAll()() // a new one may take the place of old ones
	return s.Store.CreateConnectToken(ctx, t, keep)
}

// CreateCalculation implements hearth.Store.
func (s *Store) CreateCalculation(ctx context.Context, c hearth.Calculation, token *hearth.Token) (hearth.Calculation, bool, error) {
	defer s.sessions.write(c.SessionID)()
	return s.Store.CreateCalculation(ctx, c, token)
}

// Apply implements hearth.Store.
func (s *Store) Apply(ctx context.Context, change hearth.Change) error {
	if c := change.Session; c != nil {
		defer s.sessions.write(c.ID)()
	}
	if c := change.Calculation; c != nil {
		defer s.calculations.write(c.ID)()
	}
	return s.Store.Apply(ctx, change)
}

// Tag implements hearth.Store.
func (s *Store) Tag(ctx context.Context, r hearth.Resource, set hearth.Tags, remove []string) error {
	if r.SessionID != "" {
		defer s.sessions.write(r.SessionID)()
	}
	return s.Store.Tag(ctx, r, set, remove)
}

// NoteRemovedResults implements hearth.Store.
func (s *Store) NoteRemovedResults(ctx context.Context, sessionID string, at time.Time, why string) error {
	defer s.sessions.write(sessionID)()
	defer s.calculations.writeAll()()
	return s.Store.NoteRemovedResults(ctx, sessionID, at, why)
}

// DeleteEnded implements hearth.Store.
func (s *Store) DeleteEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	defer s.sessions.writeAll()()
	defer s.calculations.writeAll()()
	defer s.tokens.writeAll()()
	return s.Store.DeleteEnded(ctx, before, limit)
}
