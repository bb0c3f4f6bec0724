package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/go-cmp/cmp"

	"hearth"
)

// Histories are short, because the check of a bad one tries all orders, and
// many.
const (
	histories = 15
	clients   = 4
	callsEach = 10
)

// histories has several clients use a store at once, and looks for an order of
// their calls, one after the other, in which the model gives the same answers.
func (s suite) histories(t *testing.T) {
	t.Run("are those of calls one after the other", func(t *testing.T) {
		for seed := range uint64(histories) {
			if history := play(t, s.open(t), seed); !porcupine.CheckOperations(oneAfterTheOther, history) {
				t.Errorf("no order explains the history of seed %d:\n%s", seed, told(history))
			}
		}
	})
	for name, spoil := range map[string]func(hearth.Store) hearth.Store{
		"a lost step is found":        func(store hearth.Store) hearth.Store { return &forgetful{Store: store} },
		"an old answer is found":      func(store hearth.Store) hearth.Store { return &stale{Store: store} },
		"a token used twice is found": func(store hearth.Store) hearth.Store { return tokenless{store} },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(histories) {
				if !porcupine.CheckOperations(oneAfterTheOther, play(t, spoil(s.open(t)), seed)) {
					return
				}
			}
			t.Error("it is not")
		})
	}
}

// forgetful answers for every third step and does not make it.
type forgetful struct {
	hearth.Store
	steps atomic.Int64
}

func (f *forgetful) Apply(ctx context.Context, change hearth.Change) error {
	if f.steps.Add(1)%3 == 0 {
		return nil
	}
	return f.Store.Apply(ctx, change)
}

// stale gives a session as it saw it first.
type stale struct {
	hearth.Store
	seen sync.Map
}

func (s *stale) Session(ctx context.Context, id string) (hearth.Session, error) {
	if session, ok := s.seen.Load(id); ok {
		return session.(hearth.Session), nil
	}
	session, err := s.Store.Session(ctx, id)
	if err == nil {
		s.seen.Store(id, session)
	}
	return session, err
}

// tokenless does not know tokens again.
type tokenless struct{ hearth.Store }

func (s tokenless) CreateSession(ctx context.Context, session hearth.Session, quotas hearth.Quotas, _ *hearth.Token) (hearth.Session, bool, error) {
	return s.Store.CreateSession(ctx, session, quotas, nil)
}

// call is made to a store and to the model alike. Events are compared as
// eventsByThing has them.
type call struct {
	text  string
	store func(context.Context, hearth.Store) (any, error)
	model func(*model) (any, error)
}

// reply is what a call comes back with: a value or a kind of error.
type reply struct {
	value any
	kind  hearth.Kind
}

func replyOf(value any, err error) reply {
	if err != nil {
		return reply{kind: hearth.KindOf(err)}
	}
	return reply{value: value}
}

// oneAfterTheOther is the model, for porcupine.
var oneAfterTheOther = porcupine.Model{
	Init: func() any { return newModel() },
	Step: func(state, input, output any) (bool, any) {
		next := state.(*model).clone()
		want, got := replyOf(input.(call).model(next)), output.(reply)
		return want.kind == got.kind && cmp.Equal(want.value, got.value), next
	},
	Equal: reflect.DeepEqual,
}

// play has all clients make the calls of a seed at once, and gives what was
// called and answered, and in which order.
func play(t *testing.T, store hearth.Store, seed uint64) []porcupine.Operation {
	t.Helper()
	p := &plan{Rand: rand.New(rand.NewPCG(seed, 0))}
	first := []call{p.createSession(), p.createSession()}
	var calls [clients][]call
	for range callsEach {
		for client := range calls {
			calls[client] = append(calls[client], p.call())
		}
	}

	var clock atomic.Int64
	ask := func(client int, c call) porcupine.Operation {
		asked := clock.Add(1)
		got := replyOf(c.store(t.Context(), store))
		return porcupine.Operation{ClientId: client, Input: c, Call: asked, Output: got, Return: clock.Add(1)}
	}
	var history []porcupine.Operation
	for _, c := range first {
		history = append(history, ask(0, c))
	}
	var parts [clients][]porcupine.Operation
	var playing sync.WaitGroup
	for client := range clients {
		playing.Go(func() {
			for _, c := range calls[client] {
				parts[client] = append(parts[client], ask(client, c))
			}
		})
	}
	playing.Wait()
	return append(history, slices.Concat(parts[:]...)...)
}

func told(history []porcupine.Operation) string {
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var text strings.Builder
	for _, o := range history {
		fmt.Fprintf(&text, "%d–%d client %d: %s: %+v\n", o.Call, o.Return, o.ClientId, o.Input.(call).text, o.Output)
	}
	return text.String()
}

// plan draws calls. It knows the ids of what they will have made, if they are
// not refused.
type plan struct {
	*rand.Rand
	sessions, calculations []string
}

func (p *plan) call() call {
	calls := []func() call{
		p.createSession, p.createCalculation, p.createCalculation, p.createCalculation, p.admit,
		p.stepSession, p.stepCalculation, p.endCalculation, p.endCalculation,
		p.session, p.session, p.calculation, p.calculation, p.liveCalculation, p.liveSessions, p.claims, p.events,
	}
	return calls[p.IntN(len(calls))]()
}

func draw[T any](p *plan, from ...T) T { return from[p.IntN(len(from))] }

func (p *plan) time() time.Time { return after(time.Duration(p.IntN(2000)-1000) * time.Microsecond) }

func (p *plan) quotas() hearth.Quotas { return draw(p, hearth.Quotas{}, quotaOf(2, 2)) }

func (p *plan) token() *hearth.Token {
	if p.IntN(2) == 0 {
		return nil
	}
	return &hearth.Token{Scope: "scope", Value: draw(p, "1", "2"), Digest: draw(p, "x", "x", "x", "y")}
}

// made is what a call that creates answers.
type made[T any] struct {
	Thing   T
	Created bool
}

func (p *plan) createSession() call {
	s, quotas, token := sessionIn(hearth.SessionIdle), p.quotas(), p.token()
	if quotas.Limit(s.WorkGroup) {
		s = sessionIn(hearth.SessionCreating)
	}
	p.sessions = append(p.sessions, s.ID)
	return call{
		fmt.Sprintf("create session %s, %+v, token %+v", s.ID, quotas, token),
		func(ctx context.Context, store hearth.Store) (any, error) {
			got, created, err := store.CreateSession(ctx, s, quotas, token)
			return made[hearth.Session]{got, created}, err
		},
		func(m *model) (any, error) {
			got, created, err := m.createSession(s, quotas, token)
			return made[hearth.Session]{got, created}, err
		},
	}
}

func (p *plan) createCalculation() call {
	c, token := calculationIn(hearth.CalculationCreating, draw(p, p.sessions...)), p.token()
	c.SubmittedAt = p.time()
	p.calculations = append(p.calculations, c.ID)
	return call{
		fmt.Sprintf("create calculation %s of session %s, token %+v", c.ID, c.SessionID, token),
		func(ctx context.Context, store hearth.Store) (any, error) {
			got, created, err := store.CreateCalculation(ctx, c, token)
			return made[hearth.Calculation]{got, created}, err
		},
		func(m *model) (any, error) {
			got, created, err := m.createCalculation(c, token)
			return made[hearth.Calculation]{got, created}, err
		},
	}
}

func (p *plan) admit() call {
	quotas, at := p.quotas(), p.time()
	return call{
		fmt.Sprintf("admit sessions, %+v", quotas),
		func(ctx context.Context, store hearth.Store) (any, error) {
			ids, err := store.AdmitSessions(ctx, quotas, at)
			return len(ids), err
		},
		func(m *model) (any, error) { return len(m.admit(quotas, at)), nil },
	}
}

func (p *plan) stepSession() call {
	to := draw(p, hearth.SessionIdle, hearth.SessionIdle, hearth.SessionDegraded, hearth.SessionTerminating, hearth.SessionTerminated)
	return p.apply(hearth.Change{Session: &hearth.SessionChange{
		ID: draw(p, p.sessions...), To: to, At: p.time(), AddDPUMillis: int64(p.IntN(10)), JournalOffset: int64(p.IntN(10)),
	}})
}

func (p *plan) stepCalculation() call {
	to := draw(p, hearth.CalculationRunning, hearth.CalculationCanceling, hearth.CalculationCompleted)
	return p.apply(hearth.Change{Calculation: &hearth.CalculationChange{
		ID: p.anyCalculation(), To: to, At: p.time(), AddDPUMillis: int64(p.IntN(10)),
	}})
}

func (p *plan) endCalculation() call {
	return p.apply(hearth.Change{
		Session:     &hearth.SessionChange{ID: draw(p, p.sessions...), To: hearth.SessionIdle, At: p.time()},
		Calculation: &hearth.CalculationChange{ID: p.anyCalculation(), To: hearth.CalculationCanceled, At: p.time()},
	})
}

func (p *plan) apply(change hearth.Change) call {
	text := "step"
	if c := change.Session; c != nil {
		text += fmt.Sprintf(" session %s to %s", c.ID, c.To)
	}
	if c := change.Calculation; c != nil {
		text += fmt.Sprintf(" calculation %s to %s", c.ID, c.To)
	}
	return call{
		text,
		func(ctx context.Context, store hearth.Store) (any, error) { return nil, store.Apply(ctx, change) },
		func(m *model) (any, error) { return nil, m.apply(change) },
	}
}

func (p *plan) anyCalculation() string {
	return draw(p, append([]string{"absent"}, p.calculations...)...)
}

func (p *plan) session() call {
	id := draw(p, p.sessions...)
	return call{
		"read session " + id,
		func(ctx context.Context, store hearth.Store) (any, error) { return store.Session(ctx, id) },
		func(m *model) (any, error) { return found(m.session(id), hearth.SessionNotFound(id)) },
	}
}

func (p *plan) calculation() call {
	id := p.anyCalculation()
	return call{
		"read calculation " + id,
		func(ctx context.Context, store hearth.Store) (any, error) { return store.Calculation(ctx, id) },
		func(m *model) (any, error) { return found(m.calculation(id), hearth.CalculationNotFound(id)) },
	}
}

func (p *plan) liveCalculation() call {
	id := draw(p, p.sessions...)
	return call{
		"read the live calculation of session " + id,
		func(ctx context.Context, store hearth.Store) (any, error) { return store.LiveCalculation(ctx, id) },
		func(m *model) (any, error) { return found(m.liveCalculation(id), hearth.CalculationNotFound(id)) },
	}
}

func found[T any](thing *T, missing error) (any, error) {
	if thing == nil {
		return nil, missing
	}
	return *thing, nil
}

func (p *plan) liveSessions() call {
	return call{
		"list live sessions",
		func(ctx context.Context, store hearth.Store) (any, error) { return store.LiveSessions(ctx) },
		func(m *model) (any, error) { return m.live(), nil },
	}
}

func (p *plan) claims() call {
	return call{
		"list claims",
		func(ctx context.Context, store hearth.Store) (any, error) { return store.Claims(ctx) },
		func(m *model) (any, error) { return m.claims(), nil },
	}
}

func (p *plan) events() call {
	id := draw(p, p.sessions...)
	return call{
		"list events of session " + id,
		func(ctx context.Context, store hearth.Store) (any, error) {
			events, err := store.Events(ctx, id)
			return eventsByThing(events), err
		},
		func(m *model) (any, error) {
			if m.session(id) == nil {
				return nil, hearth.SessionNotFound(id)
			}
			return eventsByThing(m.events[id]), nil
		},
	}
}
