package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"hearth"
)

const selectSchema = `SELECT name FROM migrations ORDER BY name DESC LIMIT 1`

// Snapshot copies the database at a path, as it is at one moment, to a new file
// of mode 0600. Servers may go on reading and writing meanwhile. It returns the
// last step of the schema that the database has, KindNotFound when there is no
// database, and otherwise the errors of Open. The copy is compact and has no
// files beside it.
func Snapshot(ctx context.Context, path, to string) (schema string, err error) {
	subject := "The database " + path
	db, err := look(path)
	if err != nil {
		return "", err
	}
	defer db.Close()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // SQLite would let everybody read it
	if err != nil {
		return "", hearth.Errorf(hearth.KindUnavailable, "The copy of the database cannot be written: %w.", err)
	}
	f.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, to); err != nil {
		if e, ok := errors.AsType[*driver.Error](err); ok && e.Code() == sqlite3.SQLITE_FULL {
			subject = "The copy of the database " + path // which alone grows
		}
		return "", failure(err, subject, "copy the database")
	}
	copied, err := look(to)
	if err != nil {
		return "", err
	}
	defer copied.Close()
	err = copied.QueryRowContext(ctx, selectSchema).Scan(&schema)
	return schema, failure(err, subject, "read the schema of the database")
}

// look opens a database that is there as it is.
func look(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, hearth.Internal(err, "find the database")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, hearth.Errorf(hearth.KindNotFound, "There is no database %s.", path)
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"mode":    {"rw"},
		"_pragma": {"busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")"},
	}.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, failure(err, "The database "+path, "open the database")
	}
	return db, nil
}

// Schema is the last step of the schema that this version knows.
func Schema() string { return last(migrations()) }

// KnowsSchema reports whether this version can open a database whose schema
// has a step as its last.
func KnowsSchema(step string) bool {
	return slices.ContainsFunc(migrations(), func(m migration) bool { return m.name == step })
}

// Examine looks through the database at a path for damage, which takes as long
// as reading it, and returns the last step of its schema. It changes nothing
// and needs no server to stop. It returns the errors of Snapshot.
func Examine(ctx context.Context, path string) (schema string, err error) {
	subject := "The database " + path
	db, err := look(path)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return "", failure(err, subject, "examine the database")
	}
	if verdict != "ok" {
		return "", hearth.Errorf(hearth.KindUnavailable, "%s %s", subject, remedies[sqlite3.SQLITE_CORRUPT])
	}
	err = db.QueryRowContext(ctx, selectSchema).Scan(&schema)
	return schema, failure(err, subject, "read the schema of the database")
}

// Recorded tells which of some sessions the database at a path has on record.
// It changes nothing and returns the errors of Snapshot.
func Recorded(ctx context.Context, path string, ids []string) (map[string]bool, error) {
	db, err := look(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	recorded := make(map[string]bool)
	rows, err := db.QueryContext(ctx, `SELECT id FROM sessions WHERE id IN (SELECT value FROM json_each(?))`, jsonColumn{ids})
	if err == nil {
		err = eachRow(rows, func(r row) error {
			var id string
			err := r.Scan(&id)
			recorded[id] = true
			return err
		})
	}
	if err != nil {
		return nil, failure(err, "The database "+path, "look for sessions")
	}
	return recorded, nil
}
