package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"hearth"
)

const (
	workGroupColumns = `name, description, enabled, created_at, engine_selected, engine_effective, configuration, tags, revision`

	selectHasWorkGroup = `SELECT EXISTS (SELECT 1 FROM work_groups WHERE name = ?)`
)

func scanWorkGroup(r row) (g hearth.WorkGroup, err error) {
	err = r.Scan(&g.Name, &g.Description, &g.Enabled, (*timeColumn)(&g.CreatedAt),
		&g.Engine.Selected, &g.Engine.Effective, jsonColumn{&g.WorkGroupSettings}, jsonColumn{&g.Tags}, &g.Revision)
	return g, err
}

// CreateWorkGroup implements hearth.Store.
func (s *Store) CreateWorkGroup(ctx context.Context, g hearth.WorkGroup) error {
	return s.transact(ctx, "record workgroup "+g.Name, func(tx *sql.Tx) error {
		inserted, err := affected(tx.ExecContext(ctx, `INSERT INTO work_groups (`+workGroupColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (name) DO NOTHING`,
			g.Name, g.Description, g.Enabled, micros(g.CreatedAt), g.Engine.Selected, g.Engine.Effective,
			jsonColumn{g.WorkGroupSettings}, jsonColumn{g.Tags}))
		if inserted || err != nil {
			return err
		}
		return hearth.Errorf(hearth.KindExists, "WorkGroup %s exists already. Use another name.", g.Name)
	})
}

// UpdateWorkGroup implements hearth.Store.
func (s *Store) UpdateWorkGroup(ctx context.Context, g hearth.WorkGroup) error {
	return s.transact(ctx, "change workgroup "+g.Name, func(tx *sql.Tx) error {
		updated, err := affected(tx.ExecContext(ctx, `UPDATE work_groups SET
				description = ?, enabled = ?, engine_selected = ?, engine_effective = ?, configuration = ?, revision = revision + 1
			WHERE name = ? AND revision = ?`,
			g.Description, g.Enabled, g.Engine.Selected, g.Engine.Effective, jsonColumn{g.WorkGroupSettings},
			g.Name, g.Revision))
		if updated || err != nil {
			return err
		}
		if err := s.checkWorkGroup(ctx, tx, g.Name); err != nil {
			return err
		}
		return hearth.Errorf(hearth.KindConflict, "WorkGroup %s was changed meanwhile. Read it, and change it again.", g.Name)
	})
}

// DeleteWorkGroup implements hearth.Store.
func (s *Store) DeleteWorkGroup(ctx context.Context, name string, withNotebooks bool) error {
	return s.transact(ctx, "delete workgroup "+name, func(tx *sql.Tx) error {
		if withNotebooks {
			if _, err := tx.ExecContext(ctx, `DELETE FROM notebooks WHERE work_group = ?`, name); err != nil {
				return err
			}
		}
		var sessions, notebooks int
		err := tx.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM sessions WHERE work_group = ?1 AND state IN (SELECT value FROM json_each(?2))),
			(SELECT count(*) FROM notebooks WHERE work_group = ?1)`, name, liveStates).Scan(&sessions, &notebooks)
		if err != nil {
			return err
		}
		if sessions > 0 || notebooks > 0 {
			return hearth.WorkGroupNotEmpty(name, sessions, notebooks)
		}
		deleted, err := affected(tx.ExecContext(ctx, `DELETE FROM work_groups WHERE name = ?`, name))
		if deleted || err != nil {
			return err
		}
		return hearth.WorkGroupNotFound(name)
	})
}

// checkWorkGroup returns KindNotFound when there is no such workgroup.
func (s *Store) checkWorkGroup(ctx context.Context, tx *sql.Tx, name string) error {
	var there bool
	err := tx.StmtContext(ctx, s.hasWorkGroup).QueryRowContext(ctx, name).Scan(&there)
	if err == nil && !there {
		return hearth.WorkGroupNotFound(name)
	}
	return err
}

// affected reports whether a statement changed a row.
func affected(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// WorkGroup implements hearth.Store.
func (s *Store) WorkGroup(ctx context.Context, name string) (hearth.WorkGroup, error) {
	g, err := scanWorkGroup(s.read.QueryRowContext(ctx, `SELECT `+workGroupColumns+` FROM work_groups WHERE name = ?`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.WorkGroup{}, hearth.WorkGroupNotFound(name)
	}
	return g, failure(err, serverDatabase, "read workgroup "+name)
}

// WorkGroups implements hearth.Store.
func (s *Store) WorkGroups(ctx context.Context, page hearth.Page) ([]hearth.WorkGroup, hearth.Cursor, error) {
	listing := hearth.ListingOf("workgroups")
	after, err := listing.Place(page.After)
	if err != nil {
		return nil, "", err
	}
	var groups []hearth.WorkGroup
	next, err := s.page(ctx, listing, page.Limit,
		`SELECT `+workGroupColumns+` FROM work_groups WHERE name > ? ORDER BY name LIMIT ?`, []any{after},
		func(r row) (string, error) {
			g, err := scanWorkGroup(r)
			groups = append(groups, g)
			return g.Name, err
		})
	if err != nil {
		return nil, "", failure(err, serverDatabase, "list workgroups")
	}
	return groups, next, nil
}
