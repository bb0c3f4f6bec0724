package sqlite

import (
	"context"
	"database/sql"
	"time"

	"hearth"
)

const selectClaims = `SELECT id, work_group, engine_configuration, waiting FROM sessions
	WHERE state IN (SELECT value FROM json_each(?)) AND (state = 'CREATING' OR NOT waiting) ORDER BY number`

// Claims implements hearth.Store.
func (s *Store) Claims(ctx context.Context) ([]hearth.Claim, error) {
	claims, err := claimsOf(s.claims.QueryContext(ctx, liveStates))
	return claims, failure(err, serverDatabase, "read what sessions take of the quotas")
}

func claimsOf(rows *sql.Rows, err error) ([]hearth.Claim, error) {
	if err != nil {
		return nil, err
	}
	var claims []hearth.Claim
	err = eachRow(rows, func(r row) error {
		var session hearth.Session
		err := r.Scan(&session.ID, &session.WorkGroup, jsonColumn{&session.EngineConfiguration}, &session.Waiting)
		claims = append(claims, session.Claim())
		return err
	})
	return claims, err
}

// enter gives a new session as the quotas let it in: no other session can take
// its room before the transaction is over.
func (s *Store) enter(ctx context.Context, tx *sql.Tx, session hearth.Session, quotas hearth.Quotas) (hearth.Session, error) {
	if !quotas.Limit(session.WorkGroup) {
		return session, nil
	}
	live, err := claimsOf(tx.StmtContext(ctx, s.claimsNow).QueryContext(ctx, liveStates))
	if err != nil {
		return hearth.Session{}, err
	}
	waiting, err := quotas.Enter(live, session.Claim())
	if err == nil && waiting != "" {
		session.Waiting, session.State, session.StateChangeReason = true, hearth.SessionCreating, waiting
	}
	return session, err
}

// AdmitSessions implements hearth.Store.
func (s *Store) AdmitSessions(ctx context.Context, quotas hearth.Quotas, at time.Time) (ids []string, err error) {
	err = s.transact(ctx, "admit sessions that waited", func(tx *sql.Tx) error {
		live, err := claimsOf(tx.StmtContext(ctx, s.claimsNow).QueryContext(ctx, liveStates))
		if err != nil {
			return err
		}
		ids = quotas.Admit(live)
		for _, id := range ids {
			if err := s.applySession(ctx, tx, hearth.SessionChange{ID: id, To: hearth.SessionCreating, At: at, Note: "its turn has come"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}
