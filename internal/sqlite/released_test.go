package sqlite

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hearth"
)

// records are all that a database of testdata has, as the build that wrote it
// read it then. What a later build added has its zero value.
type records struct {
	WorkGroups   []hearth.WorkGroup
	Sessions     []hearth.Session
	Calculations []hearth.Calculation
	Events       []hearth.Event
	Notebooks    []struct {
		Notebook hearth.Notebook
		Content  string
	}
	Tokens []struct {
		Token hearth.Token
		Of    string // the id of what it made
	}
	ConnectTokens []hearth.ConnectToken
}

// released lists the databases of testdata: one of each schema that was
// released. They have sessions and calculations of every state, and those with
// quotas have sessions that wait.
func released(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/schema-*.db.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("databases %v, %v", files, err)
	}
	return files
}

// unpacked copies a database of testdata to where it can be opened.
func unpacked(t *testing.T, file string) string {
	t.Helper()
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	content, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	path := database(t)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func recordsOf(t *testing.T, file string) records {
	t.Helper()
	text, err := os.ReadFile(strings.TrimSuffix(file, ".db.gz") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var r records
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpen_ReleasedSchemas(t *testing.T) {
	for _, file := range released(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := recordsOf(t, file)
			path := unpacked(t, file)
			store := mustOpen(t, path)
			t.Cleanup(func() { closed(t, store) })

			t.Run("everything is read as it was", func(t *testing.T) {
				got := readAll(t, store, want)
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("(-then +now):\n%s", diff)
				}
			})
			t.Run("tokens are remembered", func(t *testing.T) { replayTokens(t, store, want) })
			t.Run("sessions that wait get their turn", func(t *testing.T) { admitWaiting(t, store, want) })
			t.Run("live sessions go on to their end", func(t *testing.T) { endLive(t, store) })
			t.Run("a new session can run", func(t *testing.T) {
				session := newSession(t, store)
				_, _, err := store.CreateCalculation(t.Context(), hearth.Calculation{
					ID: "new", SessionID: session.ID, State: hearth.CalculationCreating, SubmittedAt: time.Now(),
				}, nil)
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
	t.Run("each ends with another step of the schema, without a gap", func(t *testing.T) {
		for i, file := range released(t) {
			names := taken(t, raw(t, unpacked(t, file)))
			if want := migrations()[i].name; len(names) != i+1 || names[i] != want {
				t.Errorf("%s has %v, and not all up to %s", file, names, want)
			}
		}
		if have, all := len(released(t)), len(migrations()); have < all-1 { // the newest may not be released yet
			t.Errorf("there are %d databases, and %d schemas", have, all)
		}
	})
}

// readAll reads everything through the Store, in the order of want.
func readAll(t *testing.T, store *Store, want records) (got records) {
	t.Helper()
	ctx, all := t.Context(), hearth.Page{Limit: 1000}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	got.WorkGroups, _, err = store.WorkGroups(ctx, all)
	check(err)
	got.Sessions, _, err = store.Sessions(ctx, hearth.SessionFilter{}, all)
	check(err)
	for _, s := range got.Sessions {
		one, err := store.Session(ctx, s.ID)
		check(err)
		if diff := cmp.Diff(s, one); diff != "" {
			t.Errorf("listed and read, a session differs:\n%s", diff)
		}
		calculations, _, err := store.Calculations(ctx, hearth.CalculationFilter{SessionID: s.ID}, all)
		check(err)
		got.Calculations = append(got.Calculations, calculations...)
		events, err := store.Events(ctx, s.ID)
		check(err)
		got.Events = append(got.Events, events...)
	}
	notebooks, _, err := store.Notebooks(ctx, hearth.NotebookFilter{WorkGroup: hearth.WorkGroupPrimary}, all)
	check(err)
	got.Notebooks = slices.Clone(want.Notebooks)
	if len(notebooks) != len(want.Notebooks) {
		t.Errorf("there are %d notebooks, and were %d", len(notebooks), len(want.Notebooks))
	}
	for i, n := range notebooks {
		got.Notebooks[i].Notebook, got.Notebooks[i].Content, err = store.NotebookContent(ctx, n.ID)
		check(err)
	}
	got.Tokens = want.Tokens
	for _, token := range want.ConnectTokens {
		found, err := store.ConnectToken(ctx, token.Digest)
		check(err)
		got.ConnectTokens = append(got.ConnectTokens, found)
	}
	return got
}

// replayTokens asks again for all that was asked for with a token.
func replayTokens(t *testing.T, store *Store, want records) {
	t.Helper()
	for _, k := range want.Tokens {
		var id string
		var err error
		switch {
		case strings.HasSuffix(k.Token.Scope, "/StartSession"):
			var s hearth.Session
			s, _, err = store.CreateSession(t.Context(), hearth.Session{ID: "again", WorkGroup: hearth.WorkGroupPrimary}, hearth.Quotas{}, &k.Token)
			id = s.ID
		case strings.HasSuffix(k.Token.Scope, "/StartCalculationExecution"):
			var c hearth.Calculation
			c, _, err = store.CreateCalculation(t.Context(), hearth.Calculation{ID: "again"}, &k.Token)
			id = c.ID
		default:
			id, err = store.CreateNotebook(t.Context(), hearth.Notebook{ID: "again", WorkGroup: hearth.WorkGroupPrimary}, "", &k.Token)
		}
		if id != k.Of || err != nil {
			t.Errorf("%s gave %q, %v; and %q then", k.Token.Value, id, err, k.Of)
		}
	}
}

// admitWaiting lifts all quotas, and wants those to begin that waited for them.
func admitWaiting(t *testing.T, store *Store, want records) {
	t.Helper()
	var waiting []string
	for _, s := range slices.Backward(want.Sessions) {
		if s.Waiting && !s.EndRequested {
			waiting = append(waiting, s.ID)
		}
	}
	ids, err := store.AdmitSessions(t.Context(), hearth.Quotas{}, time.Now())
	if diff := cmp.Diff(waiting, ids, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("%v, admitted (-want +got):\n%s", err, diff)
	}
}

// endLive ends what had not ended, as a server that finds no drivers does.
func endLive(t *testing.T, store *Store) {
	t.Helper()
	live, err := store.LiveSessions(t.Context())
	if err != nil || len(live) == 0 {
		t.Fatalf("%d sessions, %v", len(live), err)
	}
	for _, s := range live {
		change := hearth.Change{Session: &hearth.SessionChange{ID: s.ID, To: hearth.SessionFailed, At: time.Now()}}
		c, err := store.LiveCalculation(t.Context(), s.ID)
		if err == nil {
			change.Calculation = &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationFailed, At: time.Now()}
			if c.State == hearth.CalculationCanceling {
				change.Calculation.To = hearth.CalculationCanceled
			}
		}
		if err := store.Apply(t.Context(), change); err != nil {
			t.Error(err)
		}
	}
	if live, err := store.LiveSessions(t.Context()); err != nil || len(live) != 0 {
		t.Errorf("%d sessions go on, %v", len(live), err)
	}
}
