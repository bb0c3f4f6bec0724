package sqlite

import (
	"errors"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"hearth"
)

// serverDatabase is what the database is called before people who are not on
// its machine.
const serverDatabase = "The server's database"

// remedies says of each failure that an operator can mend what it is and what
// to do. All others are faults of ours.
var remedies = map[int]string{
	sqlite3.SQLITE_BUSY:     "is locked by another process. Stop that process, and try again.",
	sqlite3.SQLITE_LOCKED:   "is locked by another process. Stop that process, and try again.",
	sqlite3.SQLITE_PERM:     "cannot be opened. Let the server read and write the file and its directory, and open enough files (ulimit -n).",
	sqlite3.SQLITE_CANTOPEN: "cannot be opened. Let the server read and write the file and its directory, and open enough files (ulimit -n).",
	sqlite3.SQLITE_READONLY: "cannot be written. Let the server write the file and its directory.",
	sqlite3.SQLITE_FULL:     "has no room to grow. Free some space on its disk, and try again.",
	sqlite3.SQLITE_IOERR:    "cannot be read or written, because its disk or a limit of the server's process is in the way.",
	sqlite3.SQLITE_CORRUPT:  "is damaged. Stop the server, and put a backup in its place (hearth restore, into an empty data directory) or move it away to begin with an empty one.",
	sqlite3.SQLITE_NOTADB:   "is damaged. Stop the server, and put a backup in its place (hearth restore, into an empty data directory) or move it away to begin with an empty one.",
}

// failure gives an error the form in which it leaves the package. Errors that
// have it already stay as they are.
func failure(err error, subject, doing string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*hearth.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*driver.Error](err); ok {
		const primary = 0xff // the rest of a result code says which kind of it
		if remedy, ok := remedies[e.Code()&primary]; ok {
			message := subject + " " + remedy
			if e.Code()&primary == sqlite3.SQLITE_IOERR {
				message += " Look at the disk and at ulimit -f; SQLite says: " + e.Error() + "." // has a number that tells which
			}
			return &hearth.Error{Kind: hearth.KindUnavailable, Message: message, Err: err}
		}
	}
	return hearth.Internal(err, doing)
}
