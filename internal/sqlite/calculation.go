package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"hearth"
)

const (
	calculationColumns = `id, session_id, description, state, reason, submitted_at, completed_at,
		dpu_millis, progress, working_directory, exit_status, code`

	selectCalculation        = `SELECT ` + calculationColumns + ` FROM calculations WHERE id = ?`
	selectLiveCalculation    = `SELECT ` + calculationColumns + ` FROM calculations WHERE session_id = ? AND completed_at IS NULL`
	selectHasLive            = `SELECT EXISTS (SELECT 1 FROM calculations WHERE session_id = ? AND completed_at IS NULL)`
	selectCalculationState   = `SELECT state FROM calculations WHERE id = ?`
	selectCalculationOfToken = `SELECT ` + calculationColumns + `, token_digest FROM calculations WHERE token_scope = ? AND token_value = ?`

	insertCalculation = `INSERT INTO calculations (` + calculationColumns + `, token_scope, token_value, token_digest, modified_at)
		SELECT ?1, ?2, ?3, ?4, ?5, max(?6, modified_at), ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, max(?6, modified_at)
		FROM sessions WHERE id = ?2
		RETURNING ` + calculationColumns
)

// scanCalculation reads calculationColumns, and what a query gives after them.
func scanCalculation(r row, more ...any) (c hearth.Calculation, err error) {
	err = r.Scan(append([]any{
		&c.ID, &c.SessionID, &c.Description, &c.State, &c.StateChangeReason, (*timeColumn)(&c.SubmittedAt), (*timeColumn)(&c.CompletedAt),
		&c.DPUMillis, &c.Progress, &c.WorkingDirectory, &c.ExitStatus, &c.Code,
	}, more...)...)
	return c, err
}

// CreateCalculation implements hearth.Store.
func (s *Store) CreateCalculation(ctx context.Context, wanted hearth.Calculation, token *hearth.Token) (calculation hearth.Calculation, created bool, err error) {
	err = s.transact(ctx, "record calculation "+wanted.ID, func(tx *sql.Tx) error {
		if token != nil {
			var digest string
			calculation, err = scanCalculation(tx.StmtContext(ctx, s.calculationOfToken).QueryRowContext(ctx, token.Scope, token.Value), &digest)
			if !errors.Is(err, sql.ErrNoRows) {
				return replay(err, digest, token)
			}
		}
		if err := s.occupy(ctx, tx, wanted); err != nil {
			return err
		}
		if calculation, err = s.addCalculation(ctx, tx, wanted, token); err != nil {
			return err
		}
		created = true
		return nil
	})
	if err != nil {
		return hearth.Calculation{}, false, err
	}
	return calculation, created, nil
}

// occupy takes the calculation's session from IDLE to BUSY.
func (s *Store) occupy(ctx context.Context, tx *sql.Tx, c hearth.Calculation) error {
	busy := hearth.SessionChange{ID: c.SessionID, To: hearth.SessionBusy, At: c.SubmittedAt}
	taken, err := s.enterSession(ctx, tx, busy, []hearth.SessionState{hearth.SessionIdle})
	if err != nil {
		return err
	}
	if !taken {
		state, err := s.stateOfSession(ctx, tx, c.SessionID)
		if err != nil {
			return err
		}
		return hearth.NotIdle(state)
	}
	var live bool
	if err := tx.StmtContext(ctx, s.hasLive).QueryRowContext(ctx, c.SessionID).Scan(&live); err != nil {
		return err
	}
	if live {
		return hearth.NotIdle(hearth.SessionBusy)
	}
	return nil
}

// addCalculation gives the calculation back as it is on record.
func (s *Store) addCalculation(ctx context.Context, tx *sql.Tx, n hearth.Calculation, token *hearth.Token) (hearth.Calculation, error) {
	c, err := scanCalculation(tx.StmtContext(ctx, s.insertCalculation).QueryRowContext(ctx, append([]any{
		n.ID, n.SessionID, n.Description, n.State, hearth.ClipReason(n.StateChangeReason), micros(n.SubmittedAt), micros(n.CompletedAt),
		n.DPUMillis, n.Progress, n.WorkingDirectory, n.ExitStatus, n.Code,
	}, tokenColumns(token)...)...))
	if err != nil {
		return hearth.Calculation{}, err
	}
	_, err = tx.StmtContext(ctx, s.created).ExecContext(ctx, c.SessionID, c.ID, micros(c.SubmittedAt), c.State, c.StateChangeReason)
	return c, err
}

// Calculation implements hearth.Store.
func (s *Store) Calculation(ctx context.Context, id string) (hearth.Calculation, error) {
	c, err := scanCalculation(s.calculation.QueryRowContext(ctx, id))
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.Calculation{}, hearth.CalculationNotFound(id)
	}
	return c, failure(err, serverDatabase, "read calculation "+id)
}

// Calculations implements hearth.Store.
func (s *Store) Calculations(ctx context.Context, filter hearth.CalculationFilter, page hearth.Page) ([]hearth.Calculation, hearth.Cursor, error) {
	listing := hearth.ListingOf("calculations", filter)
	number, err := before(listing, page.After)
	if err != nil {
		return nil, "", err
	}
	query, args := selectCalculations(filter, number)
	var calculations []hearth.Calculation
	next, err := s.page(ctx, listing, page.Limit, query, args, func(r row) (string, error) {
		var number int64
		c, err := scanCalculation(r, &number)
		calculations = append(calculations, c)
		return strconv.FormatInt(number, 10), err
	})
	if err != nil {
		return nil, "", failure(err, serverDatabase, "list calculations of session "+filter.SessionID)
	}
	return calculations, next, nil
}

// selectCalculations has a LIMIT as its last parameter, which args lack.
func selectCalculations(filter hearth.CalculationFilter, before int64) (query string, args []any) {
	where, args := "session_id = ? AND number < ?", []any{filter.SessionID, before}
	if filter.State != "" {
		where, args = where+" AND state = ?", append(args, filter.State)
	}
	return `SELECT ` + calculationColumns + `, number FROM calculations WHERE ` + where + ` ORDER BY number DESC LIMIT ?`, args
}

// LiveCalculation implements hearth.Store.
func (s *Store) LiveCalculation(ctx context.Context, sessionID string) (hearth.Calculation, error) {
	c, err := scanCalculation(s.liveCalculation.QueryRowContext(ctx, sessionID))
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.Calculation{}, hearth.Errorf(hearth.KindNotFound, "Session %s has no calculation that has not ended.", sessionID)
	}
	return c, failure(err, serverDatabase, "read the calculation that session "+sessionID+" runs")
}
