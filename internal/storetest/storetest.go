// Package storetest says in tests what a hearth.Store has to do. Every store
// passes the same suite: a rule that changes is changed here first.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hearth"
)

// Run tests a store. create makes a new and empty database; the function that
// it returns opens that database each time it is called, and fails the test
// when it cannot. The suite closes what it opens.
func Run(t *testing.T, create func(t *testing.T) (open func() hearth.Store)) {
	s := suite{create: create}
	for name, test := range map[string]func(*testing.T){
		"WorkGroups":         s.workGroups,
		"WorkGroupUpdates":   s.workGroupUpdates,
		"WorkGroupDeletion":  s.workGroupDeletion,
		"Tags":               s.tags,
		"Sessions":           s.sessions,
		"SessionListing":     s.sessionListing,
		"Quotas":             s.quotas,
		"Admission":          s.admission,
		"LiveSessions":       s.liveSessions,
		"DeleteEnded":        s.deleteEnded,
		"RemovedResults":     s.removedResults,
		"Tokens":             s.tokens,
		"ConnectTokens":      s.connectTokens,
		"Calculations":       s.calculations,
		"CalculationListing": s.calculationListing,
		"LiveCalculation":    s.liveCalculation,
		"SessionSteps":       s.sessionSteps,
		"SessionRecords":     s.sessionRecords,
		"CalculationSteps":   s.calculationSteps,
		"CalculationRecords": s.calculationRecords,
		"AllOrNothing":       s.allOrNothing,
		"Unsynced":           s.unsynced,
		"Events":             s.events,
		"Notebooks":          s.notebooks,
		"NotebookListing":    s.notebookListing,
		"NotebookSessions":   s.notebookSessions,
		"NotebookTokens":     s.notebookTokens,
		"Durability":         s.durability,
		"CanceledContexts":   s.canceledContexts,
		"Concurrency":        s.concurrency,
		"Histories":          s.histories,
		"RandomOperations":   s.randomOperations,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

type suite struct {
	create func(t *testing.T) func() hearth.Store
}

// tb is what helpers need of a test: *testing.T and *rapid.T have it.
type tb interface {
	rapid.TB
	Context() context.Context
}

// empty gives a store with nothing in it, which is closed when the test ends.
func (s suite) empty(t *testing.T) hearth.Store {
	t.Helper()
	return reopenable(t, s.create(t))()
}

// open gives a store with the workgroups that sessions are added to, which is
// closed when the test ends.
func (s suite) open(t *testing.T) hearth.Store {
	t.Helper()
	return reopenable(t, s.furnished(t))()
}

// furnished is create with these workgroups, which the first opening makes.
func (s suite) furnished(t *testing.T) func() hearth.Store {
	t.Helper()
	open, first := s.create(t), true
	return func() hearth.Store {
		store := open()
		if first {
			for _, name := range []string{hearth.WorkGroupPrimary, otherGroup} {
				addWorkGroup(t, store, hearth.WorkGroup{Name: name, CreatedAt: noon})
			}
			first = false
		}
		return store
	}
}

// otherGroup is a workgroup beside the primary one.
const otherGroup = "other"

// reopenable makes open close what it opened before.
func reopenable(t *testing.T, open func() hearth.Store) func() hearth.Store {
	t.Helper()
	var store hearth.Store
	shut := func() {
		if store == nil {
			return
		}
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		store = nil
	}
	t.Cleanup(shut)
	return func() hearth.Store {
		shut()
		store = open()
		return store
	}
}

// noon is when things happen in the tests, to the microsecond.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456000, time.UTC)

func after(d time.Duration) time.Time { return noon.Add(d) }

// sessionIn makes a session as it looks in a state.
func sessionIn(state hearth.SessionState) hearth.Session {
	s := hearth.Session{
		ID:         hearth.NewID(noon),
		WorkGroup:  hearth.WorkGroupPrimary,
		Owner:      "AKIAEXAMPLE",
		Engine:     hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3},
		State:      state,
		StartedAt:  noon,
		ModifiedAt: noon,
	}
	if state == hearth.SessionIdle {
		s.IdleSince = noon
	}
	if state.Ended() {
		s.EndedAt = noon
	}
	return s
}

// calculationIn makes a calculation as it looks in a state.
func calculationIn(state hearth.CalculationState, sessionID string) hearth.Calculation {
	c := hearth.Calculation{
		ID:               hearth.NewID(noon),
		SessionID:        sessionID,
		Code:             "print(1 + 1)",
		State:            state,
		SubmittedAt:      noon,
		WorkingDirectory: "s3://hearth/" + sessionID,
	}
	if state.Ended() {
		c.CompletedAt = noon
	}
	return c
}

func addWorkGroup(t tb, store hearth.Store, g hearth.WorkGroup) {
	t.Helper()
	if err := store.CreateWorkGroup(t.Context(), g); err != nil {
		t.Fatalf("CreateWorkGroup: %v", err)
	}
}

func workGroupOf(t tb, store hearth.Store, name string) hearth.WorkGroup {
	t.Helper()
	g, err := store.WorkGroup(t.Context(), name)
	if err != nil {
		t.Fatalf("WorkGroup: %v", err)
	}
	return g
}

func addSession(t tb, store hearth.Store, s hearth.Session) hearth.Session {
	t.Helper()
	got, created, err := store.CreateSession(t.Context(), s, hearth.Quotas{}, nil)
	if err != nil || !created {
		t.Fatalf("CreateSession: created %v, %v", created, err)
	}
	return got
}

// addCalculation records a calculation in an IDLE session of its own, which is
// BUSY then.
func addCalculation(t tb, store hearth.Store, state hearth.CalculationState) hearth.Calculation {
	t.Helper()
	session := addSession(t, store, sessionIn(hearth.SessionIdle))
	got, created, err := store.CreateCalculation(t.Context(), calculationIn(state, session.ID), nil)
	if err != nil || !created {
		t.Fatalf("CreateCalculation: created %v, %v", created, err)
	}
	return got
}

func apply(t tb, store hearth.Store, change hearth.Change) {
	t.Helper()
	if err := store.Apply(t.Context(), change); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func step(t tb, store hearth.Store, change hearth.SessionChange) hearth.Session {
	t.Helper()
	apply(t, store, hearth.Change{Session: &change})
	return sessionOf(t, store, change.ID)
}

func stepCalculation(t tb, store hearth.Store, change hearth.CalculationChange) hearth.Calculation {
	t.Helper()
	apply(t, store, hearth.Change{Calculation: &change})
	return calculationOf(t, store, change.ID)
}

func sessionOf(t tb, store hearth.Store, id string) hearth.Session {
	t.Helper()
	s, err := store.Session(t.Context(), id)
	if err != nil {
		t.Fatalf("Session: %v", err)
	}
	return s
}

func calculationOf(t tb, store hearth.Store, id string) hearth.Calculation {
	t.Helper()
	c, err := store.Calculation(t.Context(), id)
	if err != nil {
		t.Fatalf("Calculation: %v", err)
	}
	return c
}

func eventsOf(t tb, store hearth.Store, sessionID string) []hearth.Event {
	t.Helper()
	events, err := store.Events(t.Context(), sessionID)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	return events
}

// same compares what came back with what was expected, nil and empty maps,
// slices and pointers apart.
func same(t tb, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differs from what was expected (-want +got):\n%s", diff)
	}
}

// refused checks the kind of an error and that its message has the words.
func refused(t tb, err error, kind hearth.Kind, words ...string) {
	t.Helper()
	if err == nil || hearth.KindOf(err) != kind {
		t.Errorf("error %v of kind %v, want kind %v", err, hearth.KindOf(err), kind)
		return
	}
	for _, word := range words {
		if !strings.Contains(hearth.MessageOf(err), word) {
			t.Errorf("message %q does not have %q", hearth.MessageOf(err), word)
		}
	}
}

// listed walks a listing page by page and calls between after each page.
func listed[T any](t tb, limit int, list func(hearth.Page) ([]T, hearth.Cursor, error), between func()) []T {
	t.Helper()
	var all []T
	for page := (hearth.Page{Limit: limit}); ; {
		items, next, err := list(page)
		if err != nil {
			t.Fatalf("list after %q: %v", page.After, err)
		}
		if len(items) > limit || next != "" && len(items) != limit {
			t.Fatalf("page of %d items, limit %d, next %q", len(items), limit, next)
		}
		all = append(all, items...)
		if next == "" {
			return all
		}
		if next == page.After {
			t.Fatalf("the page after %q leads to itself", next)
		}
		page.After = next
		between()
	}
}

func nothing() {}

// bound checks that a cursor goes on with the filter that it was given for, and
// with no other. With each filter there are two items at least.
func bound[F comparable, T any](t tb, list func(context.Context, F, hearth.Page) ([]T, hearth.Cursor, error), filters ...F) {
	t.Helper()
	for _, own := range filters {
		_, next, err := list(t.Context(), own, hearth.Page{Limit: 1})
		if err != nil || next == "" {
			t.Fatalf("%+v: cursor %q, %v", own, next, err)
		}
		for _, filter := range filters {
			_, _, err := list(t.Context(), filter, hearth.Page{Limit: 10, After: next})
			if filter != own {
				refused(t, err, hearth.KindInvalid, "nextPageToken")
			} else if err != nil {
				t.Errorf("%+v: own cursor: %v", own, err)
			}
		}
	}
}

// malformed are cursors that no listing gives. own is one that this listing
// gave, foreign one of another listing.
func malformed(own, foreign hearth.Cursor) []hearth.Cursor {
	return []hearth.Cursor{
		foreign, "1", "abc", "not a cursor", "=", "\x00", "\n", own + "=", own + "\n", " " + own, own[1:],
		hearth.Cursor(strings.Repeat("A", 4096)), "é",
	}
}

func number(prefix string, n int) string { return fmt.Sprintf("%s %d", prefix, n) }
