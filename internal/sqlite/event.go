package sqlite

import (
	"context"

	"hearth"
)

const (
	insertCreated = `INSERT INTO events (session_id, calculation_id, at, from_state, to_state, reason, note)
		VALUES (?, ?, ?, '', ?, ?, '')`

	selectEvents = `SELECT session_id, coalesce(calculation_id, ''), at, from_state, to_state, reason, note
		FROM events WHERE session_id = ? ORDER BY number`
)

// Events implements hearth.Store.
func (s *Store) Events(ctx context.Context, sessionID string) ([]hearth.Event, error) {
	doing := "read the events of session " + sessionID
	rows, err := s.events.QueryContext(ctx, sessionID)
	if err != nil {
		return nil, failure(err, serverDatabase, doing)
	}
	var events []hearth.Event
	err = eachRow(rows, func(r row) error {
		var e hearth.Event
		err := r.Scan(&e.SessionID, &e.CalculationID, (*timeColumn)(&e.At), &e.From, &e.To, &e.Reason, &e.Note)
		events = append(events, e)
		return err
	})
	if err != nil {
		return nil, failure(err, serverDatabase, doing)
	}
	if len(events) == 0 { // a session begins with one
		return nil, hearth.SessionNotFound(sessionID)
	}
	return events, nil
}
