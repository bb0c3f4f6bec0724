package sqlite

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"hearth"
)

// overwrite writes zeros into a file.
func overwrite(t *testing.T, path string, from, n int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, n), from)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// crashed copies a database and its write-ahead log as they are, which is what
// a server leaves that is killed.
func crashed(t *testing.T, path string) (copied string) {
	t.Helper()
	copied = database(t)
	for _, suffix := range []string{"", "-wal"} {
		from, err := os.Open(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		to, err := os.Create(copied + suffix)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(to, from)
		if err := errors.Join(err, from.Close(), to.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// What is written to a file without a name is gone with the server.
func TestStore_Removed(t *testing.T) {
	path := database(t)
	store := mustOpen(t, path)
	defer closed(t, store)
	session := newSession(t, store)
	refused := func(when string) {
		t.Helper()
		_, err := store.AdmitSessions(t.Context(), hearth.Quotas{}, time.Now())
		unavailable(t, err, "The server's database", "was removed, moved or replaced", "restart the server")
		if _, err := store.Session(t.Context(), session.ID); err != nil {
			t.Errorf("%s it does not read: %v", when, err)
		}
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	refused("moved,")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("replaced,")
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	newSession(t, store)
}

func TestStore_Damage(t *testing.T) {
	t.Run("a header that was overwritten is refused", func(t *testing.T) {
		path := database(t)
		closed(t, mustOpen(t, path))
		overwrite(t, path, 0, 100)
		_, err := Open(path)
		unavailable(t, err, path, "is damaged", "hearth restore")
		if _, err := Examine(t.Context(), path); hearth.KindOf(err) != hearth.KindUnavailable {
			t.Errorf("the doctor says %v", err)
		}
	})

	t.Run("a page that is overwritten while the server runs is told, and what does not need it goes on", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		session := newSession(t, store)
		closed(t, store)
		store = mustOpen(t, path)
		defer store.Close() // what it says then is about the page
		var root, size int64
		if err := raw(t, path).QueryRow("SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'sessions'").Scan(&root, &size); err != nil {
			t.Fatal(err)
		}
		overwrite(t, path, (root-1)*size, size)
		_, err := store.Session(t.Context(), session.ID)
		unavailable(t, err, "The server's database", "is damaged")
		if _, err := store.WorkGroup(t.Context(), hearth.WorkGroupPrimary); err != nil {
			t.Errorf("a workgroup: %v", err)
		}
		_, err = Examine(t.Context(), path)
		unavailable(t, err, path, "is damaged")
	})

	t.Run("a write-ahead log that is torn has what came before", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		defer closed(t, store)
		first := newSession(t, store)
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		newSession(t, store)
		for _, more := range []int64{0, 1, 24, 4000, 5000} {
			copied := crashed(t, path)
			if err := os.Truncate(copied+"-wal", info.Size()+more); err != nil {
				t.Fatal(err)
			}
			after := mustOpen(t, copied)
			if live, err := after.LiveSessions(t.Context()); err != nil || len(live) != 1 || live[0].ID != first.ID {
				t.Errorf("with %d bytes more it has %v, %v", more, live, err)
			}
			newSession(t, after)
			closed(t, after)
		}
	})

	t.Run("a killed server's database has all that was acknowledged", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		defer closed(t, store)
		var acknowledged []string
		for range 50 {
			acknowledged = append(acknowledged, newSession(t, store).ID)
		}
		after := mustOpen(t, crashed(t, path))
		defer closed(t, after)
		for _, id := range acknowledged {
			if _, err := after.Session(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStore_Locked(t *testing.T) {
	path := database(t)
	store, err := open(path, migrations(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, store)
	session := newSession(t, store)
	other, err := raw(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	change := hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: hearth.SessionBusy, At: time.Now()}}

	t.Run("a write is refused and says so", func(t *testing.T) {
		unavailable(t, store.Apply(t.Context(), change), "The server's database", "locked by another process")
	})
	t.Run("reads go on", func(t *testing.T) {
		if got, err := store.Session(t.Context(), session.ID); err != nil || got.State != hearth.SessionIdle {
			t.Errorf("state %s, %v", got.State, err)
		}
	})
	t.Run("a backup is taken", func(t *testing.T) {
		to, _ := snapshot(t, path)
		if info, err := os.Stat(to); err != nil || info.Size() == 0 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("the write succeeds when the lock is gone", func(t *testing.T) {
		if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if err := store.Apply(t.Context(), change); err != nil {
			t.Error(err)
		}
	})
}
