package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"hearth"
)

// Steps are written as an event first, then as an update, both under the same
// guard: the event takes over the state of before. All expressions of an
// UPDATE see the row as it was.
const (
	insertSessionEvent = `INSERT INTO events (session_id, at, from_state, to_state, reason, note)
		SELECT id, max(modified_at, :at), state, :to, :reason, :note
		FROM sessions WHERE id = :id AND state IN (SELECT value FROM json_each(:from))`

	updateSession = `UPDATE sessions SET
			state          = :to,
			reason         = :reason,
			modified_at    = max(modified_at, :at),
			ended_at       = CASE WHEN :final THEN max(modified_at, :at) END,
			idle_since     = CASE WHEN :idle THEN coalesce(idle_since, max(modified_at, :at)) END,
			dpu_millis     = dpu_millis + :dpu_millis,
			phases         = coalesce(:phases, phases),
			journal_offset = max(journal_offset, :journal_offset),
			end_requested  = max(end_requested, :end_requested),
			waiting        = waiting AND :waiting
		WHERE id = :id AND state IN (SELECT value FROM json_each(:from))`

	insertCalculationEvent = `INSERT INTO events (session_id, calculation_id, at, from_state, to_state, reason, note)
		SELECT session_id, id, max(modified_at, :at), state, :to, :reason, :note
		FROM calculations WHERE id = :id AND state IN (SELECT value FROM json_each(:from))`

	updateCalculation = `UPDATE calculations SET
			state        = :to,
			reason       = :reason,
			modified_at  = max(modified_at, :at),
			completed_at = CASE WHEN :final THEN max(modified_at, :at) END,
			dpu_millis   = dpu_millis + :dpu_millis,
			progress     = coalesce(nullif(:progress, ''), progress),
			exit_status  = CASE WHEN :final THEN :exit_status ELSE exit_status END
		WHERE id = :id AND state IN (SELECT value FROM json_each(:from))`
)

// Apply implements hearth.Store.
func (s *Store) Apply(ctx context.Context, change hearth.Change) error {
	return s.transact(ctx, "apply a change", func(tx *sql.Tx) error {
		if c := change.Session; c != nil {
			if err := s.applySession(ctx, tx, *c); err != nil {
				return err
			}
		}
		if c := change.Calculation; c != nil {
			if err := s.applyCalculation(ctx, tx, *c); err != nil {
				return err
			}
		}
		if c := change.Session; c != nil && c.To.Ended() {
			if err := s.refuseAlone(ctx, tx, c.ID); err != nil {
				return err
			}
		}
		return s.addUnsynced(ctx, tx, change.Unsynced)
	})
}

// refuseAlone refuses that a session ends and its calculation does not.
func (s *Store) refuseAlone(ctx context.Context, tx *sql.Tx, sessionID string) error {
	var live bool
	err := tx.StmtContext(ctx, s.hasLive).QueryRowContext(ctx, sessionID).Scan(&live)
	if err == nil && live {
		err = hearth.Errorf(hearth.KindConflict, "Session %s cannot end before its calculation does.", sessionID)
	}
	return err
}

func (s *Store) applySession(ctx context.Context, tx *sql.Tx, c hearth.SessionChange) error {
	entered, err := s.enterSession(ctx, tx, c, guard(hearth.SessionTransitions, c.To))
	if entered || err != nil {
		return err
	}
	state, err := s.stateOfSession(ctx, tx, c.ID)
	if err != nil {
		return err
	}
	return hearth.Errorf(hearth.KindConflict, "Session %s is in the %s state, which does not allow that.", c.ID, state)
}

func (s *Store) applyCalculation(ctx context.Context, tx *sql.Tx, c hearth.CalculationChange) error {
	entered, err := s.enterCalculation(ctx, tx, c)
	if entered || err != nil {
		return err
	}
	var state hearth.CalculationState
	err = tx.StmtContext(ctx, s.calculationState).QueryRowContext(ctx, c.ID).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.CalculationNotFound(c.ID)
	}
	if err != nil {
		return err
	}
	return hearth.Errorf(hearth.KindConflict, "Calculation %s is in the %s state, which does not allow that.", c.ID, state)
}

// guard lists the states that a step to a state may be made from: those that
// it may follow, and the state itself unless it is final.
func guard[S ~string](table hearth.Transitions[S], to S) []S {
	from := table.Into(to)
	if !table.Final(to) {
		from = append(from, to)
	}
	return from
}

// enterSession makes a step from one of the states of from. It reports whether
// the session was in one of them.
func (s *Store) enterSession(ctx context.Context, tx *sql.Tx, c hearth.SessionChange, from []hearth.SessionState) (bool, error) {
	return enter(ctx, tx, s.sessionEvent, s.stepSession,
		[]any{
			sql.Named("id", c.ID),
			sql.Named("from", jsonColumn{from}),
			sql.Named("to", c.To),
			sql.Named("reason", hearth.ClipReason(c.Reason)),
			sql.Named("at", micros(c.At)),
		},
		[]any{sql.Named("note", c.Note)},
		[]any{
			sql.Named("final", c.To.Ended()),
			sql.Named("idle", c.To == hearth.SessionIdle),
			sql.Named("dpu_millis", c.AddDPUMillis),
			sql.Named("phases", jsonColumn{c.Phases}),
			sql.Named("journal_offset", c.JournalOffset),
			sql.Named("end_requested", c.EndRequested),
			sql.Named("waiting", c.To == hearth.SessionTerminating || c.To.Ended()),
		})
}

// enterCalculation reports whether the calculation was in a state that the step
// may follow.
func (s *Store) enterCalculation(ctx context.Context, tx *sql.Tx, c hearth.CalculationChange) (bool, error) {
	return enter(ctx, tx, s.calculationEvent, s.stepCalculation,
		[]any{
			sql.Named("id", c.ID),
			sql.Named("from", jsonColumn{guard(hearth.CalculationTransitions, c.To)}),
			sql.Named("to", c.To),
			sql.Named("reason", hearth.ClipReason(c.Reason)),
			sql.Named("at", micros(c.At)),
		},
		[]any{sql.Named("note", c.Note)},
		[]any{
			sql.Named("final", c.To.Ended()),
			sql.Named("dpu_millis", c.AddDPUMillis),
			sql.Named("progress", c.Progress),
			sql.Named("exit_status", c.ExitStatus),
		})
}

func enter(ctx context.Context, tx *sql.Tx, event, step *sql.Stmt, both, ofEvent, ofStep []any) (bool, error) {
	result, err := tx.StmtContext(ctx, event).ExecContext(ctx, append(ofEvent, both...)...)
	if err != nil {
		return false, err
	}
	if logged, err := result.RowsAffected(); err != nil || logged == 0 {
		return false, err
	}
	_, err = tx.StmtContext(ctx, step).ExecContext(ctx, append(ofStep, both...)...)
	return true, err
}

func (s *Store) stateOfSession(ctx context.Context, tx *sql.Tx, id string) (state hearth.SessionState, err error) {
	err = tx.StmtContext(ctx, s.sessionState).QueryRowContext(ctx, id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", hearth.SessionNotFound(id)
	}
	return state, err
}
