package storetest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hearth"
)

// randomOperations does the same to a store and to the model, and compares the
// answers, what was changed, and now and then all that can be read.
func (s suite) randomOperations(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		open := s.furnished(t)
		r := &random{T: rt, model: newModel(), store: open()}
		defer func() { r.close() }()
		r.createSession(rt)
		r.createSession(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"create a session":     r.createSession,
			"create a calculation": r.createCalculation,
			"step a session":       func(*rapid.T) { r.apply(hearth.Change{Session: r.sessionChange()}) },
			"step a calculation":   func(*rapid.T) { r.apply(hearth.Change{Calculation: r.calculationChange()}) },
			"step both":            func(*rapid.T) { r.apply(hearth.Change{Session: r.sessionChange(), Calculation: r.calculationChange()}) },
			"end a calculation":    r.endCalculation,
			"admit sessions":       r.admit,
			"close, open and read": func(*rapid.T) { r.close(); r.store = open(); r.compare(rt) },
		})
		r.compare(rt)
	})
}

type random struct {
	*rapid.T
	model *model
	store hearth.Store
}

func (r *random) close() {
	if err := r.store.Close(); err != nil {
		r.Fatalf("Close: %v", err)
	}
}

func (r *random) createSession(*rapid.T) {
	state := rapid.SampledFrom([]hearth.SessionState{hearth.SessionIdle, hearth.SessionIdle, hearth.SessionCreating, hearth.SessionDegraded}).Draw(r.T, "state")
	wanted := sessionIn(state)
	wanted.WorkGroup = rapid.SampledFrom([]string{hearth.WorkGroupPrimary, "other"}).Draw(r.T, "workgroup")
	wanted.StartedAt = r.time()
	wanted.ModifiedAt = wanted.StartedAt
	quotas, token := r.quotas(), r.token()
	if quotas.Limit(wanted.WorkGroup) {
		wanted.State, wanted.IdleSince = rapid.SampledFrom([]hearth.SessionState{hearth.SessionCreating, hearth.SessionCreated}).Draw(r.T, "state within a limit"), time.Time{}
	}

	want, wantCreated, wantErr := r.model.createSession(wanted, quotas, token)
	got, created, err := r.store.CreateSession(r.Context(), wanted, quotas, token)
	r.sameError(err, wantErr)
	same(r.T, created, wantCreated)
	same(r.T, got, want)
}

// quotas are those of a server that is restarted with others all the time.
func (r *random) quotas() hearth.Quotas {
	return rapid.SampledFrom([]hearth.Quotas{{}, {}, quotaOf(2, 0), quotaOf(1, 2), quotaOf(3, 1)}).Draw(r.T, "quotas")
}

func (r *random) admit(*rapid.T) {
	quotas, at := r.quotas(), r.time()
	want := r.model.admit(quotas, at)
	got, err := r.store.AdmitSessions(r.Context(), quotas, at)
	r.sameError(err, nil)
	same(r.T, got, want)
}

func (r *random) createCalculation(*rapid.T) {
	state := rapid.SampledFrom([]hearth.CalculationState{hearth.CalculationCreating, hearth.CalculationRunning}).Draw(r.T, "state")
	wanted := calculationIn(state, r.anySession())
	wanted.SubmittedAt = r.time()
	token := r.token()

	want, wantCreated, wantErr := r.model.createCalculation(wanted, token)
	got, created, err := r.store.CreateCalculation(r.Context(), wanted, token)
	r.sameError(err, wantErr)
	same(r.T, created, wantCreated)
	same(r.T, got, want)
}

// endCalculation is what steps drawn at random seldom do: it ends what a
// session runs and makes room for the next one.
func (r *random) endCalculation(*rapid.T) {
	c := r.model.calculation(r.anyCalculation())
	if c == nil {
		r.Skip("none is on record")
	}
	r.apply(hearth.Change{
		Session:     &hearth.SessionChange{ID: c.SessionID, To: hearth.SessionIdle, At: r.time()},
		Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationCanceled, At: r.time()},
	})
}

func (r *random) apply(change hearth.Change) {
	want := r.model.apply(change)
	r.sameError(r.store.Apply(r.Context(), change), want)
	if c := change.Session; c != nil && r.model.session(c.ID) != nil {
		same(r.T, sessionOf(r.T, r.store, c.ID), *r.model.session(c.ID))
	}
	if c := change.Calculation; c != nil && r.model.calculation(c.ID) != nil {
		same(r.T, calculationOf(r.T, r.store, c.ID), *r.model.calculation(c.ID))
	}
}

func (r *random) sessionChange() *hearth.SessionChange {
	c := &hearth.SessionChange{
		ID:     r.anySession(),
		Reason: r.words(), At: r.time(), Note: r.words(),
		Phases:        rapid.SampledFrom([][]hearth.StartPhase{nil, {}, {{Name: "jvm", Took: 5}}}).Draw(r.T, "phases"),
		AddDPUMillis:  rapid.Int64Range(0, 1000).Draw(r.T, "DPU milliseconds"),
		JournalOffset: rapid.Int64Range(0, 1000).Draw(r.T, "journal offset"),
		EndRequested:  r.seldom("end requested"),
	}
	from := hearth.SessionIdle
	if s := r.model.session(c.ID); s != nil {
		from = s.State
	}
	c.To = next(r, hearth.SessionTransitions, from)
	return c
}

func (r *random) calculationChange() *hearth.CalculationChange {
	c := &hearth.CalculationChange{
		ID:     r.anyCalculation(),
		Reason: r.words(), At: r.time(), Note: r.words(),
		AddDPUMillis: rapid.Int64Range(0, 1000).Draw(r.T, "DPU milliseconds"),
		Progress:     r.words(),
		ExitStatus:   rapid.IntRange(0, 130).Draw(r.T, "exit status"),
	}
	from := hearth.CalculationRunning
	if of := r.model.calculation(c.ID); of != nil {
		from = of.State
	}
	c.To = next(r, hearth.CalculationTransitions, from)
	return c
}

// next draws a state to go to: mostly one that the table allows and that is
// not final, so that histories become long.
func next[S ~string](r *random, table hearth.Transitions[S], from S) S {
	all := states(table)
	onward := slices.DeleteFunc(slices.Clone(all), func(to S) bool { return !may(table, from, to) || table.Final(to) })
	if len(onward) == 0 || r.seldom("any state") {
		onward = all
	}
	return rapid.SampledFrom(onward).Draw(r.T, "to")
}

func states[S ~string](table hearth.Transitions[S]) []S { return slices.Sorted(maps.Keys(table)) }

func (r *random) anySession() string {
	var ids []string
	for _, s := range r.model.sessions {
		ids = append(ids, s.ID)
	}
	return r.any("session", ids)
}

func (r *random) anyCalculation() string {
	var ids []string
	for _, c := range r.model.calculations {
		ids = append(ids, c.ID)
	}
	return r.any("calculation", ids)
}

// any draws an id, and seldom one that is not there.
func (r *random) any(label string, ids []string) string {
	if len(ids) == 0 || r.seldom("absent "+label) {
		return "absent"
	}
	return rapid.SampledFrom(ids).Draw(r.T, label)
}

func (r *random) seldom(label string) bool { return rapid.IntRange(0, 9).Draw(r.T, label) == 9 }

func (r *random) time() time.Time {
	return after(time.Duration(rapid.Int64Range(-1e6, 1e6).Draw(r.T, "microseconds")) * time.Microsecond)
}

func (r *random) words() string {
	return rapid.SampledFrom([]string{"", "one", "two words"}).Draw(r.T, "words")
}

func (r *random) token() *hearth.Token {
	if rapid.Bool().Draw(r.T, "without a token") {
		return nil
	}
	return &hearth.Token{
		Scope:  rapid.SampledFrom([]string{"alice", "bob"}).Draw(r.T, "scope"),
		Value:  rapid.SampledFrom([]string{"1", "2"}).Draw(r.T, "token"),
		Digest: rapid.SampledFrom([]string{"x", "x", "x", "y"}).Draw(r.T, "digest"),
	}
}

// compare reads everything.
func (r *random) compare(*rapid.T) {
	for _, want := range r.model.sessions {
		same(r.T, sessionOf(r.T, r.store, want.ID), want)
		same(r.T, eventsByThing(eventsOf(r.T, r.store, want.ID)), eventsByThing(r.model.events[want.ID]))
		r.compareLive(want.ID)
		r.compareCalculations(want.ID)
	}
	live, err := r.store.LiveSessions(r.Context())
	if err != nil {
		r.Fatalf("LiveSessions: %v", err)
	}
	same(r.T, live, r.model.live())
	claims, err := r.store.Claims(r.Context())
	r.sameError(err, nil)
	same(r.T, claims, r.model.claims())
	r.compareSessions()
}

func (r *random) compareLive(sessionID string) {
	got, err := r.store.LiveCalculation(r.Context(), sessionID)
	if want := r.model.liveCalculation(sessionID); want != nil {
		r.sameError(err, nil)
		same(r.T, got, *want)
		return
	}
	refused(r.T, err, hearth.KindNotFound)
}

func (r *random) compareCalculations(sessionID string) {
	var want []hearth.Calculation
	for _, c := range r.model.calculations {
		if c.SessionID == sessionID {
			want = append(want, c)
			same(r.T, calculationOf(r.T, r.store, c.ID), c)
		}
	}
	slices.Reverse(want)
	same(r.T, listed(r.T, 3, func(p hearth.Page) ([]hearth.Calculation, hearth.Cursor, error) {
		return r.store.Calculations(r.Context(), hearth.CalculationFilter{SessionID: sessionID}, p)
	}, nothing), want)
}

func (r *random) compareSessions() {
	filter := hearth.SessionFilter{
		WorkGroup: rapid.SampledFrom([]string{"", hearth.WorkGroupPrimary, "other"}).Draw(r.T, "filter by workgroup"),
		State:     rapid.SampledFrom(append(states(hearth.SessionTransitions), "", "", "")).Draw(r.T, "filter by state"),
	}
	all := slices.Clone(r.model.sessions)
	slices.Reverse(all)
	same(r.T, listed(r.T, 3, func(p hearth.Page) ([]hearth.Session, hearth.Cursor, error) {
		return r.store.Sessions(r.Context(), filter, p)
	}, nothing), matching(all, filter))
}

// eventsByThing takes the log apart: only the order within one thing is given.
func eventsByThing(events []hearth.Event) map[string][]hearth.Event {
	things := map[string][]hearth.Event{}
	for _, e := range events {
		things[e.CalculationID] = append(things[e.CalculationID], e)
	}
	return things
}

// sameError compares kinds; texts are tested elsewhere.
func (r *random) sameError(got, want error) {
	r.Helper()
	if (got == nil) != (want == nil) || got != nil && hearth.KindOf(got) != hearth.KindOf(want) {
		r.Fatalf("error %v, want %v", got, want)
	}
}
