package sqlite

import (
	"context"
	"database/sql"

	"hearth"
)

const insertUnsynced = `INSERT INTO unsynced_objects (id, uri, kept) VALUES (?, ?, ?)`

func (s *Store) addUnsynced(ctx context.Context, tx *sql.Tx, all []hearth.Unsynced) error {
	for _, u := range all {
		if _, err := tx.StmtContext(ctx, s.unsynced).ExecContext(ctx, u.ID, u.URI, u.Kept); err != nil {
			return err
		}
	}
	return nil
}

// Unsynced implements hearth.Store.
func (s *Store) Unsynced(ctx context.Context) ([]hearth.Unsynced, error) {
	const doing = "list the objects that are not synced"
	rows, err := s.read.QueryContext(ctx, `SELECT id, uri, kept FROM unsynced_objects ORDER BY number`)
	if err != nil {
		return nil, failure(err, serverDatabase, doing)
	}
	var all []hearth.Unsynced
	err = eachRow(rows, func(r row) error {
		var u hearth.Unsynced
		err := r.Scan(&u.ID, &u.URI, &u.Kept)
		all = append(all, u)
		return err
	})
	return all, failure(err, serverDatabase, doing)
}

// NoteSynced implements hearth.Store.
func (s *Store) NoteSynced(ctx context.Context, ids []string) error {
	return s.transact(ctx, "note that objects are synced", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM unsynced_objects WHERE id IN (SELECT value FROM json_each(?))`, jsonColumn{ids})
		return err
	})
}
