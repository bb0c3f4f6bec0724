package storetest

import (
	"maps"
	"slices"
	"time"

	"hearth"
)

// model is a store in memory, written as plainly as can be, to compare with.
type model struct {
	sessions     []hearth.Session // in the order of creation
	calculations []hearth.Calculation
	stepped      map[string]time.Time // of each calculation's last step
	events       map[string][]hearth.Event
	tokens       map[tokenKey]tokenEntry
}

type tokenKey struct{ of, scope, value string }

type tokenEntry struct{ id, digest string }

func newModel() *model {
	return &model{
		stepped: map[string]time.Time{},
		events:  map[string][]hearth.Event{},
		tokens:  map[tokenKey]tokenEntry{},
	}
}

func (m *model) clone() *model {
	c := &model{
		sessions:     slices.Clone(m.sessions),
		calculations: slices.Clone(m.calculations),
		stepped:      maps.Clone(m.stepped),
		events:       map[string][]hearth.Event{},
		tokens:       maps.Clone(m.tokens),
	}
	for id, events := range m.events {
		c.events[id] = slices.Clone(events)
	}
	return c
}

func (m *model) session(id string) *hearth.Session {
	for i := range m.sessions {
		if m.sessions[i].ID == id {
			return &m.sessions[i]
		}
	}
	return nil
}

func (m *model) calculation(id string) *hearth.Calculation {
	for i := range m.calculations {
		if m.calculations[i].ID == id {
			return &m.calculations[i]
		}
	}
	return nil
}

func (m *model) live() []hearth.Session {
	var live []hearth.Session
	for _, s := range m.sessions {
		if !s.State.Ended() {
			live = append(live, s)
		}
	}
	return live
}

func (m *model) liveCalculation(sessionID string) *hearth.Calculation {
	for i := range m.calculations {
		if m.calculations[i].SessionID == sessionID && !m.calculations[i].State.Ended() {
			return &m.calculations[i]
		}
	}
	return nil
}

// known looks a token up. Found is "" for one that was not used.
func (m *model) known(of string, token *hearth.Token) (found string, err error) {
	if token == nil {
		return "", nil
	}
	entry, ok := m.tokens[tokenKey{of, token.Scope, token.Value}]
	if ok && entry.digest != token.Digest {
		return "", hearth.TokenMismatch()
	}
	return entry.id, nil
}

func (m *model) learn(of string, token *hearth.Token, id string) {
	if token != nil {
		m.tokens[tokenKey{of, token.Scope, token.Value}] = tokenEntry{id, token.Digest}
	}
}

func (m *model) claims() []hearth.Claim {
	var claims []hearth.Claim
	for _, s := range m.live() {
		if !s.Waiting || s.State == hearth.SessionCreating {
			claims = append(claims, s.Claim())
		}
	}
	return claims
}

func (m *model) admit(quotas hearth.Quotas, at time.Time) []string {
	ids := quotas.Admit(m.claims())
	for _, id := range ids {
		m.stepSession(m.session(id), hearth.SessionChange{To: hearth.SessionCreating, At: at, Note: "its turn has come"})
	}
	return ids
}

func (m *model) createSession(s hearth.Session, quotas hearth.Quotas, token *hearth.Token) (hearth.Session, bool, error) {
	found, err := m.known("session", token)
	switch {
	case err != nil:
		return hearth.Session{}, false, err
	case found != "":
		return *m.session(found), false, nil
	}
	if s.StateChangeReason, err = quotas.Enter(m.claims(), s.Claim()); err != nil {
		return hearth.Session{}, false, err
	}
	if s.Waiting = s.StateChangeReason != ""; s.Waiting {
		s.State = hearth.SessionCreating
	}
	m.sessions = append(m.sessions, s)
	m.learn("session", token, s.ID)
	m.log(hearth.Event{At: s.ModifiedAt, SessionID: s.ID, To: string(s.State), Reason: s.StateChangeReason})
	return s, true, nil
}

func (m *model) createCalculation(c hearth.Calculation, token *hearth.Token) (hearth.Calculation, bool, error) {
	found, err := m.known("calculation", token)
	switch {
	case err != nil:
		return hearth.Calculation{}, false, err
	case found != "":
		return *m.calculation(found), false, nil
	}
	session := m.session(c.SessionID)
	switch {
	case session == nil:
		return hearth.Calculation{}, false, hearth.SessionNotFound(c.SessionID)
	case session.State != hearth.SessionIdle:
		return hearth.Calculation{}, false, hearth.NotIdle(session.State)
	case m.liveCalculation(c.SessionID) != nil:
		return hearth.Calculation{}, false, hearth.NotIdle(hearth.SessionBusy)
	}
	m.stepSession(session, hearth.SessionChange{To: hearth.SessionBusy, At: c.SubmittedAt})
	c.SubmittedAt = session.ModifiedAt // never before the session's last step
	m.calculations = append(m.calculations, c)
	m.stepped[c.ID] = c.SubmittedAt
	m.learn("calculation", token, c.ID)
	m.log(hearth.Event{At: c.SubmittedAt, SessionID: c.SessionID, CalculationID: c.ID, To: string(c.State)})
	return c, true, nil
}

// apply works on a copy, so that an error leaves nothing behind.
func (m *model) apply(change hearth.Change) error {
	next := m.clone()
	if c := change.Session; c != nil {
		session := next.session(c.ID)
		if session == nil {
			return hearth.SessionNotFound(c.ID)
		}
		if !may(hearth.SessionTransitions, session.State, c.To) {
			return hearth.Errorf(hearth.KindConflict, "refused")
		}
		next.stepSession(session, *c)
	}
	if c := change.Calculation; c != nil {
		calculation := next.calculation(c.ID)
		if calculation == nil {
			return hearth.CalculationNotFound(c.ID)
		}
		if !may(hearth.CalculationTransitions, calculation.State, c.To) {
			return hearth.Errorf(hearth.KindConflict, "refused")
		}
		next.stepCalculation(calculation, *c)
	}
	if c := change.Session; c != nil && c.To.Ended() && next.liveCalculation(c.ID) != nil {
		return hearth.Errorf(hearth.KindConflict, "refused")
	}
	*m = *next
	return nil
}

func may[S ~string](table hearth.Transitions[S], from, to S) bool {
	return table.Allows(from, to) || from == to && !table.Final(from)
}

func (m *model) stepSession(s *hearth.Session, c hearth.SessionChange) {
	at := later(s.ModifiedAt, c.At)
	m.log(hearth.Event{At: at, SessionID: s.ID, From: string(s.State), To: string(c.To), Reason: c.Reason, Note: c.Note})
	switch {
	case c.To != hearth.SessionIdle:
		s.IdleSince = time.Time{}
	case s.State != hearth.SessionIdle:
		s.IdleSince = at
	}
	if c.To.Ended() {
		s.EndedAt = at
	}
	s.State, s.StateChangeReason, s.ModifiedAt = c.To, c.Reason, at
	s.DPUMillis += c.AddDPUMillis
	s.JournalOffset = max(s.JournalOffset, c.JournalOffset)
	s.EndRequested = s.EndRequested || c.EndRequested
	s.Waiting = s.Waiting && (c.To == hearth.SessionTerminating || c.To.Ended())
	if c.Phases != nil {
		s.Phases = c.Phases
	}
}

func (m *model) stepCalculation(calculation *hearth.Calculation, c hearth.CalculationChange) {
	at := later(m.stepped[c.ID], c.At)
	m.stepped[c.ID] = at
	m.log(hearth.Event{
		At: at, SessionID: calculation.SessionID, CalculationID: c.ID,
		From: string(calculation.State), To: string(c.To), Reason: c.Reason, Note: c.Note,
	})
	calculation.State, calculation.StateChangeReason = c.To, c.Reason
	calculation.DPUMillis += c.AddDPUMillis
	if c.Progress != "" {
		calculation.Progress = c.Progress
	}
	if c.To.Ended() {
		calculation.CompletedAt, calculation.ExitStatus = at, c.ExitStatus
	}
}

func (m *model) log(e hearth.Event) { m.events[e.SessionID] = append(m.events[e.SessionID], e) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
