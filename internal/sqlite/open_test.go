package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
)

// unavailable checks an error of Open: its kind, and that its message names
// the file and has the words.
func unavailable(t *testing.T, err error, path string, words ...string) {
	t.Helper()
	if hearth.KindOf(err) != hearth.KindUnavailable {
		t.Fatalf("error %v of kind %v, want %v", err, hearth.KindOf(err), hearth.KindUnavailable)
	}
	for _, word := range append(words, path) {
		if !strings.Contains(hearth.MessageOf(err), word) {
			t.Errorf("message %q does not have %q", hearth.MessageOf(err), word)
		}
	}
}

func database(t *testing.T) string { return filepath.Join(t.TempDir(), "hearth.db") }

// raw opens the file beside the Store, as another program would.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func closed(t *testing.T, store *Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func TestOpen_File(t *testing.T) {
	t.Run("is the owner's alone, and so are those beside it", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		defer closed(t, store)
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", suffix, info.Mode())
			}
		}
	})

	t.Run("may have any name", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a b?mode=ro&c%20d#e;é.db")
		closed(t, mustOpen(t, path))
		closed(t, mustOpen(t, path))
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
			t.Errorf("the directory has %v", entries)
		}
	})

	t.Run("is alone after Close", func(t *testing.T) {
		path := database(t)
		closed(t, mustOpen(t, path))
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("the directory has %v, %v", entries, err)
		}
	})
}

func TestOpen_Settings(t *testing.T) {
	store := mustOpen(t, database(t))
	defer closed(t, store)
	for name, pool := range map[string]*sql.DB{"write": store.write, "read": store.read} {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
			"query_only": map[string]string{"write": "0", "read": "1"}[name],
		} {
			t.Run(name+" has "+pragma, func(t *testing.T) {
				var got string
				if err := pool.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			})
		}
	}
}

func TestOpen_Refusals(t *testing.T) {
	t.Run("no directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "absent", "hearth.db")
		_, err := Open(path)
		unavailable(t, err, path, "directory has to exist")
	})

	t.Run("a directory in the file's place", func(t *testing.T) {
		path := t.TempDir()
		_, err := Open(path)
		unavailable(t, err, path, "cannot be opened")
	})

	t.Run("a file that is no database", func(t *testing.T) {
		path := database(t)
		if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		unavailable(t, err, path, "is damaged", "backup")
	})

	t.Run("a database whose pages were overwritten", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		for range 20 {
			newSession(t, store)
		}
		closed(t, store)
		scribble(t, path, 4096)
		_, err := Open(path)
		unavailable(t, err, path, "is damaged", "backup")
	})

	t.Run("a database that another process holds", func(t *testing.T) {
		path := database(t)
		closed(t, mustOpen(t, path))
		other, err := raw(t, path).Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := other.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
			t.Fatal(err)
		}
		_, err = open(path, migrations(), time.Millisecond)
		unavailable(t, err, path, "locked by another process")

		if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		closed(t, mustOpen(t, path))
	})
}

// scribble overwrites the file from an offset to its end.
func scribble(t *testing.T, path string, from int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, info.Size()-from), from); err != nil {
		t.Fatal(err)
	}
}

// ensureWorkGroup makes the workgroup of the tests' sessions.
func ensureWorkGroup(t testing.TB, store *Store) {
	t.Helper()
	group := hearth.WorkGroup{Name: hearth.WorkGroupPrimary, CreatedAt: time.Now()}
	if err := store.CreateWorkGroup(t.Context(), group); err != nil && hearth.KindOf(err) != hearth.KindExists {
		t.Fatal(err)
	}
}

func newSession(t testing.TB, store *Store) hearth.Session {
	t.Helper()
	ensureWorkGroup(t, store)
	now := time.Now()
	session, _, err := store.CreateSession(t.Context(), hearth.Session{
		ID: hearth.NewID(now), WorkGroup: hearth.WorkGroupPrimary, State: hearth.SessionIdle,
		StartedAt: now, ModifiedAt: now, IdleSince: now,
	}, hearth.Quotas{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestStore_DiskIsFull(t *testing.T) {
	store := mustOpen(t, database(t))
	defer closed(t, store)
	session := newSession(t, store)
	var pages int
	if err := store.write.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		if _, err := store.write.Exec("PRAGMA max_page_count = " + strconv.Itoa(pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages)
	note := strings.Repeat("long ", 10000)
	change := hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: hearth.SessionBusy, At: time.Now(), Note: note}}

	t.Run("a write is refused and says so, without the file's place", func(t *testing.T) {
		err := store.Apply(t.Context(), change)
		unavailable(t, err, "The server's database", "no room")
		if strings.Contains(hearth.MessageOf(err), string(filepath.Separator)) {
			t.Errorf("message %q", hearth.MessageOf(err))
		}
	})
	t.Run("reads go on, and nothing of the write is there", func(t *testing.T) {
		got, err := store.Session(t.Context(), session.ID)
		if err != nil || got.State != hearth.SessionIdle {
			t.Errorf("state %s, %v", got.State, err)
		}
	})
	t.Run("the write succeeds when there is room again", func(t *testing.T) {
		limit(1 << 20)
		if err := store.Apply(t.Context(), change); err != nil {
			t.Error(err)
		}
	})
}

func TestStore_InternalErrors(t *testing.T) {
	store := mustOpen(t, database(t))
	defer closed(t, store)
	session := newSession(t, store)
	err := store.transact(context.Background(), "record it again", func(tx *sql.Tx) error {
		_, err := store.addSession(t.Context(), tx, session, nil)
		return err
	})
	if hearth.KindOf(err) != hearth.KindInternal || !strings.HasPrefix(err.Error(), "record it again: ") {
		t.Errorf("error %v of kind %v", err, hearth.KindOf(err))
	}
}
