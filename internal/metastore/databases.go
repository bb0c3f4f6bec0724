package metastore

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
)

// Fields of a Database.
const (
	databaseName     = 1
	databaseLocation = 3
)

func (c *catalog) database(ctx context.Context, t tx, name string) (*structure, error) {
	found, err := spec(ctx, t, `SELECT spec FROM databases WHERE name = ?`, name)
	if err == nil && found == nil {
		err = refusal(noSuchObject, "%s: the database does not exist", name)
	}
	return found, err
}

func (c *catalog) createDatabase(ctx context.Context, a *structure) (value, error) {
	database := a.sub(1)
	name := strings.ToLower(database.text(databaseName))
	if !plainName.MatchString(name) {
		return nil, refusal(invalidObject, "%q is no name for a database", name)
	}
	if _, err := c.database(ctx, c.db, name); err == nil {
		return nil, refusal(alreadyExists, "Database %s already exists", name)
	} else if ignoreMissing(err) != nil {
		return nil, err
	}
	if location := database.text(databaseLocation); location != "" {
		if err := c.files.Make(ctx, location); err != nil {
			return nil, refusal(metaException, "The directory %s of the database %s cannot be made: %v", location, name, err)
		}
	}
	database.set(databaseName, name)
	_, err := c.db.ExecContext(ctx, `INSERT INTO databases (name, spec) VALUES (?, ?)`, name, encode(database))
	return nil, unique(err, "Database", name)
}

func (c *catalog) getDatabase(ctx context.Context, a *structure) (value, error) {
	return orNone(c.database(ctx, c.db, strings.ToLower(a.text(1))))
}

func (c *catalog) getDatabases(ctx context.Context, a *structure) (value, error) {
	all, err := names(ctx, c.db, `SELECT name FROM databases ORDER BY name`)
	return textList(matching(all, a.text(1))), err
}

func (c *catalog) alterDatabase(ctx context.Context, a *structure) (value, error) {
	name, database := strings.ToLower(a.text(1)), a.sub(2)
	database.set(databaseName, name)
	n, err := done(c.db.ExecContext(ctx, `UPDATE databases SET spec = ? WHERE name = ?`, encode(database), name))
	if err == nil && n == 0 {
		err = refusal(noSuchObject, "%s: the database does not exist", name)
	}
	return nil, err
}

// dropDatabase drops an empty database: clients drop its tables one by one
// before, and with them their files. With cascade it takes its functions along.
// What else is in its directory is somebody's: files of an external table, or
// those that were there before a database was given the place.
func (c *catalog) dropDatabase(ctx context.Context, a *structure) (value, error) {
	name, deleteData, cascade := strings.ToLower(a.text(1)), a.flag(2), a.flag(3)
	var database *structure
	err := c.change(ctx, func(t tx) error {
		var err error
		if database, err = c.database(ctx, t, name); err != nil {
			return err
		}
		if cascade {
			if _, err := t.ExecContext(ctx, `DELETE FROM functions WHERE database = ?`, name); err != nil {
				return err
			}
		}
		for _, kind := range []string{"tables", "functions"} {
			left, err := names(ctx, t, `SELECT name FROM `+kind+` WHERE database = ? LIMIT 1`, name)
			if err != nil {
				return err
			}
			if len(left) > 0 {
				return refusal(invalidOperation, "Database %s is not empty. One or more %s exist.", name, kind)
			}
		}
		_, err = t.ExecContext(ctx, `DELETE FROM databases WHERE name = ?`, name)
		return err
	})
	if err != nil || !deleteData {
		return nil, err
	}
	removeEmpty(database.text(databaseLocation))
	return nil, nil
}

// removeEmpty removes a directory on this machine that has nothing in it. In
// one step, so that a table that is made there meanwhile loses nothing: the file
// systems of a session do not all have that, and keep the empty directory.
func removeEmpty(location string) {
	path, local := strings.CutPrefix(location, "file:")
	path = strings.TrimPrefix(path, "//")
	if local && filepath.IsAbs(path) {
		_ = syscall.Rmdir(filepath.Clean(path)) // it may be gone, and may not be empty
	}
}

// delete deletes what was dropped, whose record is gone by then.
func (c *catalog) delete(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	if err := c.files.Delete(ctx, path); err != nil {
		return refusal(metaException, "It was dropped, and its files at %s could not be deleted: %v", path, err)
	}
	return nil
}

// orNone keeps a nil pointer from being a value.
func orNone(s *structure, err error) (value, error) {
	if s == nil {
		return nil, err
	}
	return s, err
}
