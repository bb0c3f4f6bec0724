package sqlite

import (
	"context"
	"database/sql"
	"time"

	"hearth/internal/faultpoint"
)

const selectEndedBefore = `SELECT id FROM sessions WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?`

// DeleteEnded implements hearth.Store.
func (s *Store) DeleteEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	deleted := 0
	err := s.transact(ctx, "delete records of ended sessions", func(tx *sql.Tx) error {
		var ids []string
		rows, err := tx.QueryContext(ctx, selectEndedBefore, micros(before), limit)
		if err != nil {
			return err
		}
		err = eachRow(rows, func(r row) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM events WHERE session_id IN (SELECT value FROM json_each(?))`,
			`DELETE FROM connect_tokens WHERE session_id IN (SELECT value FROM json_each(?))`,
			`DELETE FROM calculations WHERE session_id IN (SELECT value FROM json_each(?))`,
			`DELETE FROM sessions WHERE id IN (SELECT value FROM json_each(?))`,
		} {
			if _, err := tx.ExecContext(ctx, statement, jsonColumn{ids}); err != nil {
				return err
			}
			faultpoint.At("records", "deleted in part")
		}
		deleted = len(ids)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return deleted, nil
}
