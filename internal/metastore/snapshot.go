package metastore

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"hearth"
)

// Snapshot copies the catalog in a file, as it is at one moment, to a new file.
// Drivers may go on using it. It returns KindNotFound when there is none.
func Snapshot(ctx context.Context, path, to string) error {
	return look(path, "copied", func(c *catalog) error {
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // SQLite would let everybody read it
		if err != nil {
			return err
		}
		f.Close()
		_, err = c.db.ExecContext(ctx, `VACUUM INTO ?`, to)
		return err
	})
}

// Contents are how much a catalog has.
type Contents struct{ Databases, Tables int }

// Examine looks through the catalog in a file for damage. It changes nothing,
// and returns KindNotFound when there is none.
func Examine(ctx context.Context, path string) (has Contents, err error) {
	err = look(path, "examined", func(c *catalog) error {
		var verdict string
		if err := c.db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return errors.New(verdict)
		}
		return c.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM databases), (SELECT count(*) FROM tables)`).Scan(&has.Databases, &has.Tables)
	})
	return has, err
}

func look(path, done string, do func(*catalog) error) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return hearth.Errorf(hearth.KindNotFound, "There is no catalog %s.", path)
	}
	db, err := open(path)
	if err == nil {
		defer db.Close()
		err = do(&catalog{db: db})
	}
	if err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The catalog %s cannot be %s: %w. When the file is damaged, put a backup's in its place.", path, done, err)
	}
	return nil
}
