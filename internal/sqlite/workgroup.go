package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"hearth"
)

const workGroupColumns = `name, description, enabled, created_at, engine_selected, engine_effective, configuration`

// workGroupConfiguration are the members of a workgroup that are read together
// and never searched for.
type workGroupConfiguration struct {
	ExecutionRole        string
	OutputLocation       string
	Encryption           *hearth.Encryption
	EngineConfiguration  *hearth.EngineConfiguration
	EnforceConfiguration bool
	PublishMetrics       bool
}

func scanWorkGroup(r row) (g hearth.WorkGroup, err error) {
	var c workGroupConfiguration
	err = r.Scan(&g.Name, &g.Description, &g.Enabled, (*timeColumn)(&g.CreatedAt),
		&g.Engine.Selected, &g.Engine.Effective, jsonColumn{&c})
	g.ExecutionRole = c.ExecutionRole
	g.OutputLocation = c.OutputLocation
	g.Encryption = c.Encryption
	g.EngineConfiguration = c.EngineConfiguration
	g.EnforceConfiguration = c.EnforceConfiguration
	g.PublishMetrics = c.PublishMetrics
	return g, err
}

// CreateWorkGroup implements hearth.Store.
func (s *Store) CreateWorkGroup(ctx context.Context, g hearth.WorkGroup) error {
	return s.transact(ctx, "record workgroup "+g.Name, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO work_groups (`+workGroupColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
			g.Name, g.Description, g.Enabled, micros(g.CreatedAt), g.Engine.Selected, g.Engine.Effective,
			jsonColumn{workGroupConfiguration{
				ExecutionRole:        g.ExecutionRole,
				OutputLocation:       g.OutputLocation,
				Encryption:           g.Encryption,
				EngineConfiguration:  g.EngineConfiguration,
				EnforceConfiguration: g.EnforceConfiguration,
				PublishMetrics:       g.PublishMetrics,
			}})
		if err != nil {
			return err
		}
		if inserted, err := result.RowsAffected(); err != nil || inserted == 1 {
			return err
		}
		return hearth.Errorf(hearth.KindExists, "WorkGroup %s exists already. Use another name.", g.Name)
	})
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
	after, err := listingWorkGroups.after(page.After)
	if err != nil {
		return nil, "", err
	}
	var groups []hearth.WorkGroup
	next, err := s.page(ctx, listingWorkGroups, page.Limit,
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
