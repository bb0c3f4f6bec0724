package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"hearth"
)

const selectConnectToken = `SELECT digest, session_id, owner, created_at, expires_at FROM connect_tokens WHERE digest = ?`

const deleteOldConnectTokens = `DELETE FROM connect_tokens WHERE session_id = ? AND expires_at <= ? AND digest NOT IN
	(SELECT digest FROM connect_tokens WHERE session_id = ? ORDER BY created_at DESC LIMIT ?)`

// CreateConnectToken implements hearth.Store.
func (s *Store) CreateConnectToken(ctx context.Context, t hearth.ConnectToken, keep int) error {
	return s.transact(ctx, "record a token for session "+t.SessionID, func(tx *sql.Tx) error {
		inserted, err := affected(tx.ExecContext(ctx, `INSERT INTO connect_tokens (digest, session_id, owner, created_at, expires_at)
			SELECT ?, id, ?, ?, ? FROM sessions WHERE id = ?`,
			t.Digest, t.Owner, micros(t.CreatedAt), micros(t.ExpiresAt), t.SessionID))
		if err != nil {
			return err
		}
		if !inserted {
			return hearth.SessionNotFound(t.SessionID)
		}
		_, err = tx.ExecContext(ctx, deleteOldConnectTokens, t.SessionID, micros(t.CreatedAt), t.SessionID, keep)
		return err
	})
}

// ConnectToken implements hearth.Store.
func (s *Store) ConnectToken(ctx context.Context, digest string) (t hearth.ConnectToken, err error) {
	err = s.connectToken.QueryRowContext(ctx, digest).
		Scan(&t.Digest, &t.SessionID, &t.Owner, (*timeColumn)(&t.CreatedAt), (*timeColumn)(&t.ExpiresAt))
	if errors.Is(err, sql.ErrNoRows) {
		return t, hearth.Errorf(hearth.KindNotFound, "There is no such token.")
	}
	return t, failure(err, serverDatabase, "read a token")
}
