package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"hearth"
)

const (
	selectEndedResults = `SELECT id, working_directory, ended_at FROM sessions
		WHERE ended_at IS NOT NULL AND results_removed_at IS NULL ORDER BY ended_at`

	updateRemovedResults = `UPDATE sessions SET results_removed_at = ?
		WHERE id = ? AND ended_at IS NOT NULL AND results_removed_at IS NULL`

	insertRemovedResults = `INSERT INTO events (session_id, at, from_state, to_state, reason, note)
		SELECT id, max(modified_at, ?), state, state, reason, ? FROM sessions WHERE id = ?`
)

// EndedResults implements hearth.Store.
func (s *Store) EndedResults(ctx context.Context) ([]hearth.EndedResults, error) {
	const doing = "list the results of ended sessions"
	rows, err := s.read.QueryContext(ctx, selectEndedResults)
	if err != nil {
		return nil, failure(err, serverDatabase, doing)
	}
	var all []hearth.EndedResults
	err = eachRow(rows, func(r row) error {
		var e hearth.EndedResults
		err := r.Scan(&e.SessionID, &e.Directory, (*timeColumn)(&e.EndedAt))
		all = append(all, e)
		return err
	})
	return all, failure(err, serverDatabase, doing)
}

// NoteRemovedResults implements hearth.Store.
func (s *Store) NoteRemovedResults(ctx context.Context, sessionID string, at time.Time, why string) error {
	return s.transact(ctx, "note that the results of session "+sessionID+" are removed", func(tx *sql.Tx) error {
		updated, err := tx.ExecContext(ctx, updateRemovedResults, micros(at), sessionID)
		if err != nil {
			return err
		}
		if n, err := updated.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertRemovedResults, micros(at), why, sessionID); err != nil {
			return err
		}
		return addReason(ctx, tx, sessionID, why)
	})
}

// addReason adds to the reasons of all calculations of a session.
func addReason(ctx context.Context, tx *sql.Tx, sessionID, why string) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, reason FROM calculations WHERE session_id = ?`, sessionID)
	if err != nil {
		return err
	}
	reasons := make(map[string]string)
	err = eachRow(rows, func(r row) error {
		var id, reason string
		err := r.Scan(&id, &reason)
		reasons[id] = reason
		return err
	})
	if err != nil {
		return err
	}
	for id, reason := range reasons {
		if reason != "" {
			reason = strings.TrimSuffix(reason, ".") + ". "
		}
		if _, err := tx.ExecContext(ctx, `UPDATE calculations SET reason = ? WHERE id = ?`, hearth.ClipReason(reason+why), id); err != nil {
			return err
		}
	}
	return nil
}
