package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"path"
	"time"

	"hearth"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. A step that was released is never
// edited: its checksum stands in every database that took it.
type migration struct {
	name, text string
}

func (m migration) checksum() string {
	sum := sha256.Sum256([]byte(m.text))
	return hex.EncodeToString(sum[:])
}

// migrations gives all steps in their order, which is that of their names.
func migrations() []migration {
	files, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		panic(err) // embedded files are always there
	}
	var all []migration
	for _, file := range files {
		text, err := migrationFiles.ReadFile(path.Join("migrations", file.Name()))
		if err != nil {
			panic(err)
		}
		all = append(all, migration{name: file.Name(), text: string(text)})
	}
	return all
}

// migrate takes the steps that the database has not taken, each in a
// transaction of its own. It always begins a write, also when there is no step
// to take, so that a file that cannot be written is found now.
func migrate(ctx context.Context, db *sql.DB, steps []migration, subject string) error {
	for done := false; !done; {
		err := transact(ctx, db, func(tx *sql.Tx) error {
			taken, err := stepsTaken(ctx, tx, steps, subject)
			if err != nil {
				return err
			}
			if done = taken == len(steps); done {
				return nil
			}
			return take(ctx, tx, steps[taken])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// last is the name of the newest of some steps.
func last(steps []migration) string {
	if len(steps) == 0 {
		return "the beginning"
	}
	return steps[len(steps)-1].name
}

func take(ctx context.Context, tx *sql.Tx, step migration) error {
	if _, err := tx.ExecContext(ctx, step.text); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO migrations (name, checksum, taken_at) VALUES (?, ?, ?)`,
		step.name, step.checksum(), time.Now().UnixMicro())
	return err
}

// stepsTaken counts the steps that the database took. It refuses a database
// whose steps are not the first of ours.
func stepsTaken(ctx context.Context, tx *sql.Tx, steps []migration, subject string) (int, error) {
	_, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (
		name     TEXT    NOT NULL PRIMARY KEY,
		checksum TEXT    NOT NULL,
		taken_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID`)
	if err != nil {
		return 0, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT name, checksum FROM migrations ORDER BY name`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	taken := 0
	for rows.Next() {
		var name, checksum string
		if err := rows.Scan(&name, &checksum); err != nil {
			return 0, err
		}
		if taken == len(steps) {
			return 0, hearth.Errorf(hearth.KindUnavailable, "%s was written by a newer version of Hearth: it has the schema step %s, and this version knows none after %s. "+
				"Start the newer version, or restore a backup of the older one into another data directory.", subject, name, last(steps))
		}
		if steps[taken].name != name || steps[taken].checksum() != checksum {
			return 0, hearth.Errorf(hearth.KindUnavailable, "%s was written by another build of Hearth: its schema step %s is not the one of this build. "+
				"Start the build that wrote it, or use another data directory.", subject, name)
		}
		taken++
	}
	return taken, rows.Err()
}
