package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"hearth"
)

// Tag implements hearth.Store.
func (s *Store) Tag(ctx context.Context, r hearth.Resource, set hearth.Tags, remove []string) error {
	absent := hearth.WorkGroupNotFound(r.WorkGroup)
	table, where, named := "work_groups", "name = ?", []any{r.WorkGroup}
	if r.SessionID != "" {
		absent = hearth.SessionNotFound(r.SessionID)
		table, where, named = "sessions", "work_group = ? AND id = ?", []any{r.WorkGroup, r.SessionID}
	}
	return s.transact(ctx, "change tags", func(tx *sql.Tx) error {
		var tags hearth.Tags
		err := tx.QueryRowContext(ctx, `SELECT tags FROM `+table+` WHERE `+where, named...).Scan(jsonColumn{&tags})
		if errors.Is(err, sql.ErrNoRows) {
			return absent
		}
		if err != nil {
			return err
		}
		if tags = tags.Without(remove).With(set); len(tags) == 0 {
			tags = nil
		}
		if err := tags.Check(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE `+table+` SET tags = ? WHERE `+where, append([]any{jsonColumn{tags}}, named...)...)
		return err
	})
}
