package hearth

import "time"

// Event is one row of a session's event log: a step of the session or of one
// of its calculations. The row that records their creation comes first, with
// an empty From.
type Event struct {
	At            time.Time // never before the one of the same thing's last event
	SessionID     string
	CalculationID string // "" for a step of the session itself
	From          string // a SessionState or a CalculationState, as CalculationID says
	To            string // the same as From for a step that changed figures only
	Reason        string // the StateChangeReason that the step gave
	Note          string // what the one who made the step said beside it
}
