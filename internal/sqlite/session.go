package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strconv"

	"hearth"
)

const (
	sessionColumns = `id, work_group, description, owner, engine_selected, engine_effective, engine_configuration,
		notebook_version, execution_role, working_directory, idle_timeout, encryption,
		state, reason, started_at, modified_at, ended_at, idle_since,
		dpu_millis, phases, journal_offset, end_requested, notebook_id, monitoring, tags, waiting, ownership, results_removed_at`

	selectSession        = `SELECT ` + sessionColumns + ` FROM sessions WHERE id = ?`
	selectSessionState   = `SELECT state FROM sessions WHERE id = ?`
	selectSessionOfToken = `SELECT ` + sessionColumns + `, token_digest FROM sessions WHERE token_scope = ? AND token_value = ?`

	selectLiveSessions = `SELECT ` + sessionColumns + ` FROM sessions
		WHERE state IN (SELECT value FROM json_each(?)) ORDER BY number`

	insertSession = `INSERT INTO sessions (` + sessionColumns + `, token_scope, token_value, token_digest)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING ` + sessionColumns
)

// liveStates are the states of sessions that have not ended.
var liveStates = jsonColumn{slices.DeleteFunc(slices.Sorted(maps.Keys(hearth.SessionTransitions)), hearth.SessionState.Ended)}

// scanSession reads sessionColumns, and what a query gives after them.
func scanSession(r row, more ...any) (s hearth.Session, err error) {
	err = r.Scan(append([]any{
		&s.ID, &s.WorkGroup, &s.Description, &s.Owner, &s.Engine.Selected, &s.Engine.Effective,
		jsonColumn{&s.EngineConfiguration},
		&s.NotebookVersion, &s.Configuration.ExecutionRole, &s.Configuration.WorkingDirectory,
		(*durationColumn)(&s.Configuration.IdleTimeout),
		jsonColumn{&s.Configuration.Encryption},
		&s.State, &s.StateChangeReason, (*timeColumn)(&s.StartedAt), (*timeColumn)(&s.ModifiedAt), (*timeColumn)(&s.EndedAt), (*timeColumn)(&s.IdleSince),
		&s.DPUMillis,
		jsonColumn{&s.Phases},
		&s.JournalOffset, &s.EndRequested, &s.NotebookID,
		jsonColumn{&s.Monitoring},
		jsonColumn{&s.Tags},
		&s.Waiting,
		jsonColumn{&s.Configuration.Ownership},
		(*timeColumn)(&s.ResultsRemovedAt),
	}, more...)...)
	return s, err
}

// CreateSession implements hearth.Store.
func (s *Store) CreateSession(ctx context.Context, wanted hearth.Session, quotas hearth.Quotas, token *hearth.Token) (session hearth.Session, created bool, err error) {
	err = s.transact(ctx, "record session "+wanted.ID, func(tx *sql.Tx) error {
		if token != nil {
			var digest string
			session, err = scanSession(tx.StmtContext(ctx, s.sessionOfToken).QueryRowContext(ctx, token.Scope, token.Value), &digest)
			if !errors.Is(err, sql.ErrNoRows) {
				return replay(err, digest, token)
			}
		}
		if wanted, err = s.enter(ctx, tx, wanted, quotas); err != nil {
			return err
		}
		if err := s.checkWorkGroup(ctx, tx, wanted.WorkGroup); err != nil {
			return err
		}
		if err := checkNotebook(ctx, tx, wanted); err != nil {
			return err
		}
		if session, err = s.addSession(ctx, tx, wanted, token); err != nil {
			return err
		}
		created = true
		return nil
	})
	if err != nil {
		return hearth.Session{}, false, err
	}
	return session, created, nil
}

// replay judges a token that was found with err.
func replay(err error, digest string, token *hearth.Token) error {
	if err == nil && digest != token.Digest {
		return hearth.TokenMismatch()
	}
	return err
}

// addSession gives the session back as it is on record.
func (s *Store) addSession(ctx context.Context, tx *sql.Tx, n hearth.Session, token *hearth.Token) (hearth.Session, error) {
	session, err := scanSession(tx.StmtContext(ctx, s.insertSession).QueryRowContext(ctx, append([]any{
		n.ID, n.WorkGroup, n.Description, n.Owner, n.Engine.Selected, n.Engine.Effective,
		jsonColumn{n.EngineConfiguration},
		n.NotebookVersion, n.Configuration.ExecutionRole, n.Configuration.WorkingDirectory,
		n.Configuration.IdleTimeout.Microseconds(),
		jsonColumn{n.Configuration.Encryption},
		n.State, hearth.ClipReason(n.StateChangeReason), micros(n.StartedAt), micros(n.ModifiedAt), micros(n.EndedAt), micros(n.IdleSince),
		n.DPUMillis,
		jsonColumn{n.Phases},
		n.JournalOffset, n.EndRequested, n.NotebookID,
		jsonColumn{n.Monitoring},
		jsonColumn{n.Tags},
		n.Waiting,
		jsonColumn{n.Configuration.Ownership},
		micros(n.ResultsRemovedAt),
	}, tokenColumns(token)...)...))
	if err != nil {
		return hearth.Session{}, err
	}
	_, err = tx.StmtContext(ctx, s.created).ExecContext(ctx, session.ID, nil, micros(session.ModifiedAt), session.State, session.StateChangeReason)
	return session, err
}

// tokenColumns are NULL without a token, and NULLs are never the same.
func tokenColumns(token *hearth.Token) []any {
	if token == nil {
		return []any{nil, nil, nil}
	}
	return []any{token.Scope, token.Value, token.Digest}
}

// SessionOfToken implements hearth.Store.
func (s *Store) SessionOfToken(ctx context.Context, token hearth.Token) (hearth.Session, error) {
	var digest string
	session, err := scanSession(s.read.QueryRowContext(ctx, selectSessionOfToken, token.Scope, token.Value), &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.Session{}, hearth.Errorf(hearth.KindNotFound, "No session was created with the token.")
	}
	if err := replay(err, digest, &token); err != nil {
		return hearth.Session{}, failure(err, serverDatabase, "find the session of a token")
	}
	return session, nil
}

// Session implements hearth.Store.
func (s *Store) Session(ctx context.Context, id string) (hearth.Session, error) {
	session, err := scanSession(s.session.QueryRowContext(ctx, id))
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.Session{}, hearth.SessionNotFound(id)
	}
	return session, failure(err, serverDatabase, "read session "+id)
}

// Sessions implements hearth.Store.
func (s *Store) Sessions(ctx context.Context, filter hearth.SessionFilter, page hearth.Page) ([]hearth.Session, hearth.Cursor, error) {
	listing := hearth.ListingOf("sessions", filter)
	number, err := before(listing, page.After)
	if err != nil {
		return nil, "", err
	}
	query, args := selectSessions(filter, number)
	var sessions []hearth.Session
	next, err := s.page(ctx, listing, page.Limit, query, args, func(r row) (string, error) {
		var number int64
		session, err := scanSession(r, &number)
		sessions = append(sessions, session)
		return strconv.FormatInt(number, 10), err
	})
	if err != nil {
		return nil, "", failure(err, serverDatabase, "list sessions")
	}
	return sessions, next, nil
}

// selectSessions has a LIMIT as its last parameter, which args lack.
func selectSessions(filter hearth.SessionFilter, before int64) (query string, args []any) {
	where, args := "number < ?", []any{before}
	if filter.WorkGroup != "" {
		where, args = where+" AND work_group = ?", append(args, filter.WorkGroup)
	}
	if filter.State != "" {
		where, args = where+" AND state = ?", append(args, filter.State)
	}
	if filter.NotebookID != "" {
		where, args = where+" AND notebook_id = ? AND notebook_id <> ''", append(args, filter.NotebookID)
	}
	return `SELECT ` + sessionColumns + `, number FROM sessions WHERE ` + where + ` ORDER BY number DESC LIMIT ?`, args
}

// LiveSessions implements hearth.Store.
func (s *Store) LiveSessions(ctx context.Context) ([]hearth.Session, error) {
	var sessions []hearth.Session
	err := s.each(ctx, selectLiveSessions, []any{liveStates}, func(r row) error {
		session, err := scanSession(r)
		sessions = append(sessions, session)
		return err
	})
	if err != nil {
		return nil, failure(err, serverDatabase, "list sessions that have not ended")
	}
	return sessions, nil
}
