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
	if err := copied.QueryRowContext(ctx, `SELECT name FROM migrations ORDER BY name DESC LIMIT 1`).Scan(&schema); err != nil {
		return "", failure(err, subject, "read the schema of the database")
	}
	return schema, nil
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
