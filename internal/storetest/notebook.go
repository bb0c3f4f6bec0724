package storetest

import (
	"slices"
	"testing"
	"time"

	"hearth"
)

func notebookNamed(name string) hearth.Notebook {
	return hearth.Notebook{ID: hearth.NewNotebookID(), WorkGroup: hearth.WorkGroupPrimary, Name: name, CreatedAt: noon, ModifiedAt: noon}
}

func addNotebook(t tb, store hearth.Store, n hearth.Notebook, content string) hearth.Notebook {
	t.Helper()
	id, err := store.CreateNotebook(t.Context(), n, content, nil)
	if err != nil || id != n.ID {
		t.Fatalf("CreateNotebook: %s, %v", id, err)
	}
	return n
}

func notebookOf(t tb, store hearth.Store, id string) (hearth.Notebook, string) {
	t.Helper()
	n, content, err := store.NotebookContent(t.Context(), id)
	if err != nil {
		t.Fatalf("NotebookContent: %v", err)
	}
	return n, content
}

// addSessionOf records a session of a notebook.
func addSessionOf(t tb, store hearth.Store, n hearth.Notebook) hearth.Session {
	t.Helper()
	session := sessionIn(hearth.SessionIdle)
	session.WorkGroup, session.NotebookID = n.WorkGroup, n.ID
	return addSession(t, store, session)
}

// endings are steps to the end of an IDLE session.
var endings = []hearth.SessionState{hearth.SessionTerminating, hearth.SessionTerminated}

func (s suite) notebooks(t *testing.T) {
	const content = "{\"a\": \"é \\u00e9 \x00 日本語\"}\n"

	t.Run("keeps every member, and the content to the byte", func(t *testing.T) {
		store := s.open(t)
		n := notebookNamed("it's a \"name\"")
		n.ModifiedAt = after(time.Second)
		addNotebook(t, store, n, content)
		got, err := store.Notebook(t.Context(), n.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, n)
		got, kept := notebookOf(t, store, n.ID)
		same(t, got, n)
		same(t, kept, content)
	})

	t.Run("says that one is not found", func(t *testing.T) {
		store := s.open(t)
		_, err := store.Notebook(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "Notebook absent is not found.")
		_, _, err = store.NotebookContent(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "absent")
		refused(t, store.RenameNotebook(t.Context(), "absent", "name", noon, nil), hearth.KindNotFound, "absent")
		refused(t, store.SaveNotebook(t.Context(), "absent", content, "", noon, nil), hearth.KindNotFound, "absent")
		refused(t, store.DeleteNotebook(t.Context(), "absent"), hearth.KindNotFound, "absent")
	})

	t.Run("refuses a workgroup that is not there", func(t *testing.T) {
		n := notebookNamed("name")
		n.WorkGroup = "absent"
		_, err := s.open(t).CreateNotebook(t.Context(), n, content, nil)
		refused(t, err, hearth.KindNotFound, "WorkGroup is not found", "absent")
	})

	t.Run("has a name once in a workgroup", func(t *testing.T) {
		store := s.open(t)
		first := addNotebook(t, store, notebookNamed("name"), content)
		_, err := store.CreateNotebook(t.Context(), notebookNamed("name"), "other", nil)
		refused(t, err, hearth.KindExists, "name", hearth.WorkGroupPrimary)
		_, kept := notebookOf(t, store, first.ID)
		same(t, kept, content)
		elsewhere := notebookNamed("name")
		elsewhere.WorkGroup = otherGroup
		addNotebook(t, store, elsewhere, content)
		addNotebook(t, store, notebookNamed("Name"), content)
	})

	t.Run("a save replaces the content, and time goes on", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), content)
		for _, at := range []time.Time{after(time.Minute), after(time.Second)} {
			if err := store.SaveNotebook(t.Context(), n.ID, "saved "+at.String(), "", at, nil); err != nil {
				t.Fatal(err)
			}
			n.ModifiedAt = after(time.Minute)
			got, kept := notebookOf(t, store, n.ID)
			same(t, got, n)
			same(t, kept, "saved "+at.String())
		}
	})

	t.Run("a new name stands in the place of the old one", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), content)
		addNotebook(t, store, notebookNamed("taken"), content)
		refused(t, store.RenameNotebook(t.Context(), n.ID, "taken", after(time.Minute), nil), hearth.KindExists, "taken")
		got, _ := notebookOf(t, store, n.ID)
		same(t, got, n)
		for _, name := range []string{"new", "new"} {
			if err := store.RenameNotebook(t.Context(), n.ID, name, after(time.Minute), nil); err != nil {
				t.Fatal(err)
			}
		}
		n.Name, n.ModifiedAt = "new", after(time.Minute)
		got, kept := notebookOf(t, store, n.ID)
		same(t, got, n)
		same(t, kept, content)
		addNotebook(t, store, notebookNamed("name"), content)
	})

	t.Run("one that is deleted is gone, and its name is free", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), content)
		if err := store.DeleteNotebook(t.Context(), n.ID); err != nil {
			t.Fatal(err)
		}
		_, err := store.Notebook(t.Context(), n.ID)
		refused(t, err, hearth.KindNotFound)
		refused(t, store.DeleteNotebook(t.Context(), n.ID), hearth.KindNotFound)
		addNotebook(t, store, notebookNamed("name"), content)
	})
}

func (s suite) notebookListing(t *testing.T) {
	populate := func(t *testing.T, store hearth.Store, round string) []hearth.Notebook {
		t.Helper()
		var all []hearth.Notebook
		for _, name := range []string{"taxi one", "100%", "taxi two", "Taxi", "_"} {
			n := notebookNamed(name + round)
			all = append(all, addNotebook(t, store, n, "content"))
			n.ID, n.WorkGroup = hearth.NewNotebookID(), otherGroup
			addNotebook(t, store, n, "content")
		}
		slices.Reverse(all)
		return all
	}

	t.Run("lists newest first by every filter and page size", func(t *testing.T) {
		store := s.open(t)
		all := populate(t, store, "")
		for name, want := range map[string][]hearth.Notebook{
			"": all, "taxi": {all[2], all[4]}, "%": {all[3]}, "_": {all[0]}, "absent": nil,
		} {
			for limit := 1; limit <= 6; limit++ {
				got := listed(t, limit, func(p hearth.Page) ([]hearth.Notebook, hearth.Cursor, error) {
					return store.Notebooks(t.Context(), hearth.NotebookFilter{WorkGroup: hearth.WorkGroupPrimary, Name: name}, p)
				}, nothing)
				same(t, got, want)
			}
		}
	})

	t.Run("no page shifts while notebooks are added", func(t *testing.T) {
		store := s.open(t)
		all := populate(t, store, "")
		round := ""
		got := listed(t, 2, func(p hearth.Page) ([]hearth.Notebook, hearth.Cursor, error) {
			return store.Notebooks(t.Context(), hearth.NotebookFilter{WorkGroup: hearth.WorkGroupPrimary}, p)
		}, func() { round += "'"; populate(t, store, round) })
		same(t, got, all)
	})

	t.Run("a cursor is for its workgroup and filter only", func(t *testing.T) {
		store := s.open(t)
		populate(t, store, "")
		bound(t, store.Notebooks,
			hearth.NotebookFilter{WorkGroup: hearth.WorkGroupPrimary}, hearth.NotebookFilter{WorkGroup: hearth.WorkGroupPrimary, Name: "taxi"},
			hearth.NotebookFilter{WorkGroup: otherGroup}, hearth.NotebookFilter{WorkGroup: otherGroup, Name: "taxi"})
	})

	t.Run("refuses a malformed cursor", func(t *testing.T) {
		store := s.open(t)
		populate(t, store, "")
		filter := hearth.NotebookFilter{WorkGroup: hearth.WorkGroupPrimary}
		_, own, err := store.Notebooks(t.Context(), filter, hearth.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		_, foreign := cursors(t, store)
		for _, cursor := range malformed(own, foreign) {
			_, _, err := store.Notebooks(t.Context(), filter, hearth.Page{Limit: 10, After: cursor})
			refused(t, err, hearth.KindInvalid, "nextPageToken")
		}
	})
}

func (s suite) notebookSessions(t *testing.T) {
	t.Run("a session keeps the notebook that it belongs to", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), "content")
		session := addSessionOf(t, store, n)
		same(t, session.NotebookID, n.ID)
		same(t, sessionOf(t, store, session.ID), session)
		got, err := store.NotebookSession(t.Context(), n.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, session)
	})

	t.Run("a notebook that its workgroup does not have is refused", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), "content")
		for _, of := range []hearth.Notebook{{ID: "absent", WorkGroup: hearth.WorkGroupPrimary}, {ID: n.ID, WorkGroup: otherGroup}} {
			session := sessionIn(hearth.SessionCreating)
			session.WorkGroup, session.NotebookID = of.WorkGroup, of.ID
			_, _, err := store.CreateSession(t.Context(), session, hearth.Quotas{}, nil)
			refused(t, err, hearth.KindNotFound, of.ID)
		}
	})

	t.Run("there is one at a time", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), "content")
		first := addSessionOf(t, store, n)
		second := sessionIn(hearth.SessionCreating)
		second.WorkGroup, second.NotebookID = n.WorkGroup, n.ID
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		for _, to := range endings {
			_, _, err := store.CreateSession(t.Context(), second, hearth.Quotas{}, token)
			refused(t, err, hearth.KindExists, n.ID, first.ID)
			step(t, store, hearth.SessionChange{ID: first.ID, To: to, At: noon})
		}
		_, err := store.NotebookSession(t.Context(), n.ID)
		refused(t, err, hearth.KindNotFound, n.ID)
		for _, created := range []bool{true, false} { // again: a token wins over the first one's being there
			got, now, err := store.CreateSession(t.Context(), second, hearth.Quotas{}, token)
			if now != created || err != nil || got.ID != second.ID {
				t.Errorf("created %v, %v", now, err)
			}
		}
	})

	t.Run("all that it had are listed, newest first", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), "content")
		other := addNotebook(t, store, notebookNamed("other"), "content")
		var all []hearth.Session
		for range 5 {
			for _, of := range []hearth.Notebook{n, other} {
				session := addSessionOf(t, store, of)
				for _, to := range endings {
					step(t, store, hearth.SessionChange{ID: session.ID, To: to, At: after(time.Second)})
				}
				all = append(all, sessionOf(t, store, session.ID))
			}
			all = append(all, addSession(t, store, sessionIn(hearth.SessionIdle)))
		}
		all = append(all, addSessionOf(t, store, n))
		slices.Reverse(all)
		for _, filter := range []hearth.SessionFilter{
			{NotebookID: n.ID},
			{NotebookID: n.ID, State: hearth.SessionTerminated},
			{NotebookID: other.ID, WorkGroup: n.WorkGroup},
			{NotebookID: n.ID, WorkGroup: otherGroup},
			{NotebookID: "absent"},
		} {
			for limit := 1; limit <= 7; limit++ {
				got := listed(t, limit, func(p hearth.Page) ([]hearth.Session, hearth.Cursor, error) {
					return store.Sessions(t.Context(), filter, p)
				}, nothing)
				same(t, got, matching(all, filter))
			}
		}
	})

	t.Run("a cursor is for its notebook only", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), "content")
		other := addNotebook(t, store, notebookNamed("other"), "content")
		for range 2 {
			for _, of := range []hearth.Notebook{n, other} {
				session := addSessionOf(t, store, of)
				for _, to := range endings {
					step(t, store, hearth.SessionChange{ID: session.ID, To: to, At: after(time.Second)})
				}
			}
		}
		bound(t, store.Sessions, hearth.SessionFilter{}, hearth.SessionFilter{NotebookID: n.ID}, hearth.SessionFilter{NotebookID: other.ID})
	})

	t.Run("one of several at once gets the notebook", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), "content")
		won := 0
		for _, o := range race(func(int) outcome {
			session := sessionIn(hearth.SessionCreating)
			session.WorkGroup, session.NotebookID = n.WorkGroup, n.ID
			got, created, err := store.CreateSession(t.Context(), session, hearth.Quotas{}, nil)
			return outcome{got.ID, created, err}
		}) {
			if o.created {
				won++
				continue
			}
			refused(t, o.err, hearth.KindExists, n.ID)
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})

	t.Run("while there is one, name and notebook stay and saves are its own", func(t *testing.T) {
		store := s.open(t)
		n := addNotebook(t, store, notebookNamed("name"), "content")
		other := addSessionOf(t, store, addNotebook(t, store, notebookNamed("other"), "content"))
		former := addSessionOf(t, store, n)
		step(t, store, hearth.SessionChange{ID: former.ID, To: hearth.SessionFailed, At: noon})
		session := addSessionOf(t, store, n)
		save := func(sessionID string) error {
			return store.SaveNotebook(t.Context(), n.ID, "by "+sessionID, sessionID, noon, nil)
		}
		for _, to := range endings {
			refused(t, store.RenameNotebook(t.Context(), n.ID, "new", noon, nil), hearth.KindConflict, n.ID, session.ID)
			refused(t, store.DeleteNotebook(t.Context(), n.ID), hearth.KindConflict, n.ID, session.ID)
			for _, by := range []string{"", former.ID, other.ID, "absent"} {
				refused(t, save(by), hearth.KindConflict, session.ID)
			}
			if err := save(session.ID); err != nil {
				t.Error(err)
			}
			step(t, store, hearth.SessionChange{ID: session.ID, To: to, At: noon})
		}
		for _, by := range []string{other.ID, "absent"} {
			refused(t, save(by), hearth.KindInvalid, by, n.ID)
		}
		for _, by := range []string{"", former.ID, session.ID} {
			if err := save(by); err != nil {
				t.Error(err)
			}
		}
		_, kept := notebookOf(t, store, n.ID)
		same(t, kept, "by "+session.ID)
		if err := store.RenameNotebook(t.Context(), n.ID, "new", noon, nil); err != nil {
			t.Error(err)
		}
		if err := store.DeleteNotebook(t.Context(), n.ID); err != nil {
			t.Error(err)
		}
		same(t, sessionOf(t, store, session.ID).NotebookID, n.ID)
	})
}

func (s suite) notebookTokens(t *testing.T) {
	token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
	mismatch := &hearth.Token{Scope: "scope", Value: "value", Digest: "another"}

	t.Run("a creation that is repeated gives the first id, also when its notebook is gone", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		store := open()
		first, err := store.CreateNotebook(t.Context(), notebookNamed("name"), "content", token)
		if err != nil {
			t.Fatal(err)
		}
		again := func() {
			t.Helper()
			if id, err := store.CreateNotebook(t.Context(), notebookNamed("name"), "content", token); id != first || err != nil {
				t.Errorf("got %s, %v; want %s", id, err, first)
			}
		}
		again()
		store = open()
		again()
		_, err = store.CreateNotebook(t.Context(), notebookNamed("new"), "content", mismatch)
		refused(t, err, hearth.KindIdempotencyMismatch)
		if err := store.DeleteNotebook(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		again()
		_, err = store.Notebook(t.Context(), first)
		refused(t, err, hearth.KindNotFound)
	})

	for name, change := range map[string]func(store hearth.Store, id, to string, token *hearth.Token) error{
		"a save": func(store hearth.Store, id, to string, token *hearth.Token) error {
			return store.SaveNotebook(t.Context(), id, to, "", noon, token)
		},
		"a new name": func(store hearth.Store, id, to string, token *hearth.Token) error {
			return store.RenameNotebook(t.Context(), id, to, noon, token)
		},
	} {
		t.Run(name+" that is repeated changes nothing", func(t *testing.T) {
			store := s.open(t)
			n := addNotebook(t, store, notebookNamed("name"), "content")
			for _, c := range []struct {
				to    string
				token *hearth.Token
			}{{"first", token}, {"second", nil}, {"first", token}} {
				if err := change(store, n.ID, c.to, c.token); err != nil {
					t.Fatal(err)
				}
			}
			refused(t, change(store, n.ID, "third", mismatch), hearth.KindIdempotencyMismatch)
			got, content := notebookOf(t, store, n.ID)
			if got.Name != "second" && content != "second" {
				t.Errorf("%+v has %q", got, content)
			}
		})
	}

	t.Run("a refusal does not use one up", func(t *testing.T) {
		store := s.open(t)
		taken := addNotebook(t, store, notebookNamed("taken"), "content")
		n := addNotebook(t, store, notebookNamed("name"), "content")
		_, err := store.CreateNotebook(t.Context(), notebookNamed("taken"), "content", token)
		refused(t, err, hearth.KindExists)
		refused(t, store.RenameNotebook(t.Context(), n.ID, "taken", noon, token), hearth.KindExists)
		if err := store.DeleteNotebook(t.Context(), taken.ID); err != nil {
			t.Fatal(err)
		}
		if err := store.RenameNotebook(t.Context(), n.ID, "taken", noon, token); err != nil {
			t.Fatal(err)
		}
		got, _ := notebookOf(t, store, n.ID)
		same(t, got.Name, "taken")
	})
}
