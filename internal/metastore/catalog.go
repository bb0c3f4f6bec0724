package metastore

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver with the name "sqlite"

	"hearth"
)

//go:embed schema.sql
var schema string

// schemaVersion is what SQLite's user_version says of a file with this schema.
// Drivers of an older Hearth may have the file open while a newer one changes
// it, so that a change may add to the schema, and may not take from it.
const schemaVersion = 1

// busyTimeout is how long a change waits for those of other drivers. Each takes
// about as long as the disk needs to sync.
const busyTimeout = 30 * time.Second

// Files are what a catalog does with the files of tables, by the file systems
// of the session that it serves: paths are URIs.
type Files interface {
	// Make makes a directory and those above it. One that is there is no error.
	Make(ctx context.Context, path string) error
	// Delete deletes a path and all below it. Nothing there is no error.
	Delete(ctx context.Context, path string) error
	// Rename refuses when there is something at to.
	Rename(ctx context.Context, from, to string) error
}

// Create makes the catalog's file when there is none, and brings its schema up
// to date. It returns KindUnavailable when the file cannot be read or written,
// or was written by a newer Hearth.
func Create(ctx context.Context, path string) error {
	broken := func(err error) error {
		return hearth.Errorf(hearth.KindUnavailable, "The catalog %s cannot be opened: %w. Its directory has to exist, and the server has to be allowed to write there; when the file is damaged, put a backup's in its place.", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would let everybody read it
	if err != nil {
		return broken(err)
	}
	f.Close()
	db, err := open(path)
	if err != nil {
		return broken(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return broken(err)
	}
	defer tx.Rollback() // of what was committed it does nothing
	var found int
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&found); err != nil {
		return broken(err)
	}
	switch {
	case found == schemaVersion:
		return nil
	case found > schemaVersion:
		return hearth.Errorf(hearth.KindUnavailable, "The catalog %s was written by a newer version of Hearth. Start the newer version.", path)
	}
	if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return broken(err)
	}
	if err := tx.Commit(); err != nil {
		return broken(err)
	}
	return nil
}

// open opens a file that is there. A driver has one connection: its calls are
// few, and those of several drivers are told apart by SQLite's locks.
func open(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"mode":    {"rw"},
		"_txlock": {"immediate"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"foreign_keys(1)",
			"journal_mode(WAL)",
			"synchronous(FULL)", // a change is on disk when it is answered
		},
	}.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// catalog answers the calls of one driver.
type catalog struct {
	db    *sql.DB
	files Files
}

// change runs do in a transaction, which is on disk when it returns.
func (c *catalog) change(ctx context.Context, do func(tx) error) error {
	t, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() // of what was committed it does nothing
	if err := do(t); err != nil {
		return err
	}
	return t.Commit()
}

// tx is a transaction, or the database, which is one for each statement.
type tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// specs gives the structs that a query selects.
func specs(ctx context.Context, t tx, query string, args ...any) ([]*structure, error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*structure
	for rows.Next() {
		var content []byte
		if err := rows.Scan(&content); err != nil {
			return nil, err
		}
		s, err := decode(content)
		if err != nil {
			return nil, fmt.Errorf("the catalog is damaged: %w", err)
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// spec gives the struct that a query selects, nil when there is none.
func spec(ctx context.Context, t tx, query string, args ...any) (*structure, error) {
	all, err := specs(ctx, t, query, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// names gives the strings that a query selects.
func names(ctx context.Context, t tx, query string, args ...any) ([]string, error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []string{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	return all, rows.Err()
}

// done counts what a statement did.
func done(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// exception is an error that the metastore's API declares.
type exception struct{ kind, text string }

func (e *exception) Error() string { return e.text }

// The kinds of exceptions, as Hive calls them.
const (
	alreadyExists    = "AlreadyExistsException"
	invalidObject    = "InvalidObjectException"
	invalidOperation = "InvalidOperationException"
	metaException    = "MetaException"
	noSuchObject     = "NoSuchObjectException"
)

func refusal(kind, format string, args ...any) error {
	return &exception{kind, fmt.Sprintf(format, args...)}
}

// unique gives a refusal in place of SQLite's when a name is taken.
func unique(err error, what, name string) error {
	if err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed") {
		return refusal(alreadyExists, "%s %s already exists", what, name)
	}
	return err
}

var plainName = regexp.MustCompile(`^[a-z0-9_]+$`)

// matching gives the names that a pattern of Hive's matches: parts between |,
// with * for anything.
func matching(all []string, pattern string) []string {
	if pattern == "" || pattern == "*" {
		return all
	}
	var parts []string
	for part := range strings.SplitSeq(pattern, "|") {
		part = strings.ReplaceAll(part, "*", ".*")
		if _, err := regexp.Compile(part); err != nil {
			part = regexp.QuoteMeta(part)
		}
		parts = append(parts, part)
	}
	match := regexp.MustCompile(`(?i)^(?:` + strings.Join(parts, "|") + `)$`)
	found := []string{}
	for _, name := range all {
		if match.MatchString(name) {
			found = append(found, name)
		}
	}
	return found
}

// below reports whether a path is in a directory, or is it.
func below(path, dir string) bool {
	path, dir = strings.TrimRight(path, "/"), strings.TrimRight(dir, "/")
	return path == dir || strings.HasPrefix(path, dir+"/")
}

func beneath(dir, name string) string { return strings.TrimRight(dir, "/") + "/" + name }

func now() int32 { return int32(time.Now().Unix()) }

func ignoreMissing(err error) error {
	if e, ok := errors.AsType[*exception](err); ok && e.kind == noSuchObject {
		return nil
	}
	return err
}
