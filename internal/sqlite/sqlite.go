// Package sqlite keeps Hearth's records in one SQLite file: hearth.Store for a
// server on one machine.
//
// A step of a state machine is one guarded UPDATE and one event row in one
// transaction. Writers queue for a single connection, because two of them in
// SQLite would only wait for each other in its busy loop; readers have
// connections of their own and never wait for a writer.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	_ "modernc.org/sqlite" // the driver with the name "sqlite"

	"hearth"
)

// busyTimeout is how long a write waits for another process, such as a backup,
// that holds the file.
const busyTimeout = 5 * time.Second

// Store is a hearth.Store in a SQLite file.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB
	path  string
	file  os.FileInfo // what was there when the store was opened
	statements
}

var _ hearth.Store = (*Store)(nil)

// Open opens the database file at path, makes it when there is none (mode
// 0600, in a directory that has to exist), and brings its schema up to date.
// It returns KindUnavailable when the file cannot be read or written, is
// damaged, is locked by another process, or was written by a newer Hearth.
func Open(path string) (*Store, error) {
	return open(path, migrations(), busyTimeout)
}

func open(path string, migrations []migration, timeout time.Duration) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, hearth.Internal(err, "find the database")
	}
	file, err := create(path)
	if err != nil {
		return nil, err
	}
	subject := "The database " + path
	s := &Store{path: path, file: file}
	if s.write, err = connect(path, timeout, 1); err != nil {
		return nil, failure(err, subject, "open the database")
	}
	if s.read, err = connect(path, timeout, max(4, runtime.GOMAXPROCS(0)), "query_only(1)"); err != nil {
		return nil, failure(errors.Join(err, s.Close()), subject, "open the database")
	}
	ctx := context.Background()
	err = migrate(ctx, s.write, migrations, subject)
	if err == nil {
		err = s.prepare(ctx, s.write, s.read)
	}
	if err != nil {
		return nil, failure(errors.Join(err, s.Close()), subject, "open the database")
	}
	return s, nil
}

// create makes the file, because SQLite would make it readable by everybody.
// SQLite gives the files beside it (-wal, -shm) the same mode.
func create(path string) (os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The database cannot be opened: %w. Its directory has to exist, and the server has to be allowed to write there.", err)
	}
	info, err := f.Stat()
	return info, errors.Join(err, f.Close())
}

// connect makes a pool. Settings stand in the data source name, so that every
// connection of the pool gets them.
func connect(path string, timeout time.Duration, connections int, pragmas ...string) (*sql.DB, error) {
	pragmas = append(pragmas,
		fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()),
		"foreign_keys(1)",
		"journal_mode(WAL)",
		"synchronous(FULL)", // a commit is on disk when it returns
	)
	name := url.URL{
		Scheme:   "file",
		Path:     path,
		RawQuery: url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}.Encode(),
	}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Close waits for the transactions under way. It may be called twice.
func (s *Store) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{s.read, s.write} { // the last one folds the write-ahead log into the file
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return failure(errors.Join(errs...), serverDatabase, "close the database")
}

// statements are those on the way of every request, compiled once.
type statements struct {
	session, claims, calculation, liveCalculation, events, connectToken *sql.Stmt // on read

	insertSession, sessionOfToken, sessionState, sessionEvent, stepSession, claimsNow, hasWorkGroup *sql.Stmt // on write

	insertCalculation, calculationOfToken, calculationState, calculationEvent, stepCalculation, hasLive *sql.Stmt // on write

	created, unsynced *sql.Stmt // on write
}

func (s *statements) prepare(ctx context.Context, write, read *sql.DB) error {
	for _, p := range []struct {
		on        *sql.DB
		statement **sql.Stmt
		text      string
	}{
		{read, &s.session, selectSession},
		{read, &s.claims, selectClaims},
		{read, &s.calculation, selectCalculation},
		{read, &s.liveCalculation, selectLiveCalculation},
		{read, &s.events, selectEvents},
		{read, &s.connectToken, selectConnectToken},

		{write, &s.insertSession, insertSession},
		{write, &s.sessionOfToken, selectSessionOfToken},
		{write, &s.sessionState, selectSessionState},
		{write, &s.sessionEvent, insertSessionEvent},
		{write, &s.stepSession, updateSession},
		{write, &s.claimsNow, selectClaims},
		{write, &s.hasWorkGroup, selectHasWorkGroup},

		{write, &s.insertCalculation, insertCalculation},
		{write, &s.calculationOfToken, selectCalculationOfToken},
		{write, &s.calculationState, selectCalculationState},
		{write, &s.calculationEvent, insertCalculationEvent},
		{write, &s.stepCalculation, updateCalculation},
		{write, &s.hasLive, selectHasLive},

		{write, &s.created, insertCreated},
		{write, &s.unsynced, insertUnsynced},
	} {
		var err error
		if *p.statement, err = p.on.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

// transact makes all writes of do, or none of them.
func (s *Store) transact(ctx context.Context, doing string, do func(*sql.Tx) error) error {
	if err := s.inPlace(); err != nil {
		return err
	}
	return failure(transact(ctx, s.write, do), serverDatabase, doing)
}

// inPlace refuses to write to a file that is not at its path any more: what it
// is told then, the next server would not find.
func (s *Store) inPlace() error {
	now, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(s.file, now) {
		return hearth.Errorf(hearth.KindUnavailable, serverDatabase+" was removed, moved or replaced while the server ran, so that nothing can be recorded. Put it back in its place, or restart the server to go on with what is there now.")
	}
	return nil // another reason not to find it is none not to write
}

func transact(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
