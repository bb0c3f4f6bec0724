package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"hearth"
)

const (
	notebookColumns = `id, work_group, name, created_at, modified_at`

	selectNotebook        = `SELECT ` + notebookColumns + ` FROM notebooks WHERE id = ?`
	selectNotebookContent = `SELECT ` + notebookColumns + `, content FROM notebooks WHERE id = ?`

	selectNotebookSession = `SELECT ` + sessionColumns + ` FROM sessions
		WHERE notebook_id = ? AND notebook_id <> '' AND ended_at IS NULL`
)

// scanNotebook reads notebookColumns, and what a query gives after them.
func scanNotebook(r row, more ...any) (n hearth.Notebook, err error) {
	err = r.Scan(append([]any{&n.ID, &n.WorkGroup, &n.Name, (*timeColumn)(&n.CreatedAt), (*timeColumn)(&n.ModifiedAt)}, more...)...)
	return n, err
}

// CreateNotebook implements hearth.Store.
func (s *Store) CreateNotebook(ctx context.Context, n hearth.Notebook, content string, token *hearth.Token) (string, error) {
	id := n.ID
	err := s.transact(ctx, "record notebook "+n.ID, func(tx *sql.Tx) error {
		used, first, err := useNotebookToken(ctx, tx, token, n.ID)
		if used || err != nil {
			id = first
			return err
		}
		if err := s.checkWorkGroup(ctx, tx, n.WorkGroup); err != nil {
			return err
		}
		inserted, err := affected(tx.ExecContext(ctx, `INSERT INTO notebooks (`+notebookColumns+`, content)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (work_group, name) DO NOTHING`,
			n.ID, n.WorkGroup, n.Name, micros(n.CreatedAt), micros(n.ModifiedAt), content))
		if inserted || err != nil {
			return err
		}
		return hearth.NotebookExists(n.WorkGroup, n.Name)
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// useNotebookToken uses a token up. used reports that it was before, and first
// is the notebook that it was used for.
func useNotebookToken(ctx context.Context, tx *sql.Tx, token *hearth.Token, id string) (used bool, first string, err error) {
	if token == nil {
		return false, id, nil
	}
	var digest string
	err = tx.QueryRowContext(ctx, `SELECT notebook_id, digest FROM notebook_tokens WHERE scope = ? AND value = ?`,
		token.Scope, token.Value).Scan(&first, &digest)
	if !errors.Is(err, sql.ErrNoRows) {
		return true, first, replay(err, digest, token)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO notebook_tokens (scope, value, digest, notebook_id) VALUES (?, ?, ?, ?)`,
		token.Scope, token.Value, token.Digest, id)
	return false, id, err
}

// Notebook implements hearth.Store.
func (s *Store) Notebook(ctx context.Context, id string) (hearth.Notebook, error) {
	n, err := scanNotebook(s.read.QueryRowContext(ctx, selectNotebook, id))
	return n, notebookFailure(err, id)
}

// NotebookContent implements hearth.Store.
func (s *Store) NotebookContent(ctx context.Context, id string) (hearth.Notebook, string, error) {
	var content string
	n, err := scanNotebook(s.read.QueryRowContext(ctx, selectNotebookContent, id), &content)
	return n, content, notebookFailure(err, id)
}

func notebookFailure(err error, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.NotebookNotFound(id)
	}
	return failure(err, serverDatabase, "read notebook "+id)
}

// Notebooks implements hearth.Store.
func (s *Store) Notebooks(ctx context.Context, filter hearth.NotebookFilter, page hearth.Page) ([]hearth.Notebook, hearth.Cursor, error) {
	listing := hearth.ListingOf("notebooks", filter)
	number, err := before(listing, page.After)
	if err != nil {
		return nil, "", err
	}
	query, args := selectNotebooks(filter, number)
	var notebooks []hearth.Notebook
	next, err := s.page(ctx, listing, page.Limit, query, args, func(r row) (string, error) {
		var number int64
		n, err := scanNotebook(r, &number)
		notebooks = append(notebooks, n)
		return strconv.FormatInt(number, 10), err
	})
	if err != nil {
		return nil, "", failure(err, serverDatabase, "list notebooks")
	}
	return notebooks, next, nil
}

// selectNotebooks has a LIMIT as its last parameter, which args lack.
func selectNotebooks(filter hearth.NotebookFilter, before int64) (query string, args []any) {
	where, args := "work_group = ? AND number < ?", []any{filter.WorkGroup, before}
	if filter.Name != "" {
		where, args = where+" AND instr(name, ?) > 0", append(args, filter.Name)
	}
	return `SELECT ` + notebookColumns + `, number FROM notebooks WHERE ` + where + ` ORDER BY number DESC LIMIT ?`, args
}

// NotebookSession implements hearth.Store.
func (s *Store) NotebookSession(ctx context.Context, id string) (hearth.Session, error) {
	session, err := scanSession(s.read.QueryRowContext(ctx, selectNotebookSession, id))
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.Session{}, hearth.Errorf(hearth.KindNotFound, "Notebook %s has no active session.", id)
	}
	return session, failure(err, serverDatabase, "read the session of notebook "+id)
}

// RenameNotebook implements hearth.Store.
func (s *Store) RenameNotebook(ctx context.Context, id, name string, at time.Time, token *hearth.Token) error {
	return s.changeNotebook(ctx, "rename notebook "+id, id, token, func(tx *sql.Tx, n hearth.Notebook, active string) error {
		if active != "" {
			return hearth.NotebookActive(id, active)
		}
		renamed, err := affected(tx.ExecContext(ctx, `UPDATE OR IGNORE notebooks SET name = ?, modified_at = max(modified_at, ?) WHERE id = ?`,
			name, micros(at), id))
		if renamed || err != nil {
			return err
		}
		return hearth.NotebookExists(n.WorkGroup, name)
	})
}

// SaveNotebook implements hearth.Store.
func (s *Store) SaveNotebook(ctx context.Context, id, content, sessionID string, at time.Time, token *hearth.Token) error {
	return s.changeNotebook(ctx, "save notebook "+id, id, token, func(tx *sql.Tx, _ hearth.Notebook, active string) error {
		switch {
		case active != "" && sessionID != active:
			return hearth.NotebookSessionRequired(id, active)
		case sessionID != "":
			var had bool
			err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ? AND notebook_id = ?)`, sessionID, id).Scan(&had)
			if err != nil {
				return err
			}
			if !had {
				return hearth.NotSessionOfNotebook(id, sessionID)
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE notebooks SET content = ?, modified_at = max(modified_at, ?) WHERE id = ?`,
			content, micros(at), id)
		return err
	})
}

// DeleteNotebook implements hearth.Store.
func (s *Store) DeleteNotebook(ctx context.Context, id string) error {
	return s.changeNotebook(ctx, "delete notebook "+id, id, nil, func(tx *sql.Tx, _ hearth.Notebook, active string) error {
		if active != "" {
			return hearth.NotebookActive(id, active)
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM notebooks WHERE id = ?`, id)
		return err
	})
}

// changeNotebook has a notebook changed, unless the token was used before.
// active is its session that has not ended, "" when there is none.
func (s *Store) changeNotebook(ctx context.Context, doing, id string, token *hearth.Token, change func(tx *sql.Tx, n hearth.Notebook, active string) error) error {
	return s.transact(ctx, doing, func(tx *sql.Tx) error {
		if used, _, err := useNotebookToken(ctx, tx, token, id); used || err != nil {
			return err
		}
		n, err := scanNotebook(tx.QueryRowContext(ctx, selectNotebook, id))
		if err != nil {
			return notebookFailure(err, id)
		}
		active, err := liveSessionOfNotebook(ctx, tx, id)
		if err != nil {
			return err
		}
		return change(tx, n, active)
	})
}

// liveSessionOfNotebook gives the id of the session that has not ended, "" when
// there is none.
func liveSessionOfNotebook(ctx context.Context, tx *sql.Tx, id string) (string, error) {
	session, err := scanSession(tx.QueryRowContext(ctx, selectNotebookSession, id))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return session.ID, err
}

// checkNotebook refuses a session that its notebook cannot have.
func checkNotebook(ctx context.Context, tx *sql.Tx, s hearth.Session) error {
	if s.NotebookID == "" {
		return nil
	}
	n, err := scanNotebook(tx.QueryRowContext(ctx, selectNotebook, s.NotebookID))
	if errors.Is(err, sql.ErrNoRows) || err == nil && n.WorkGroup != s.WorkGroup {
		return hearth.NotebookNotFound(s.NotebookID)
	}
	if err != nil {
		return err
	}
	active, err := liveSessionOfNotebook(ctx, tx, n.ID)
	if err == nil && active != "" {
		return hearth.NotebookSessionExists(n.ID, active)
	}
	return err
}
