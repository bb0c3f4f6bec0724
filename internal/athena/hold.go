package athena

import (
	"context"
	"net/http"
	"time"

	"hearth"
)

// HoldHeader asks for an answer that is held back while the session, or the
// calculation, is in the state that the header names. It is Hearth's own: a
// client that polls with it learns of a change at once, and polls seldom.
const HoldHeader = "X-Hearth-While"

// maxHold is how long an answer is held at most. Clients give up on an answer
// after 60 seconds (botocore's default).
const maxHold = 20 * time.Second

type holdKey struct{}

func holding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state := r.Header.Get(HoldHeader); state != "" {
			r = r.WithContext(context.WithValue(r.Context(), holdKey{}, state))
		}
		next.ServeHTTP(w, r)
	})
}

func (a *api) session(ctx context.Context, id string) (hearth.Session, error) {
	return held(ctx, id, hearth.SessionTransitions, a.sessions.Session, a.sessions.AwaitSession)
}

func (a *api) calculation(ctx context.Context, id string) (hearth.Calculation, error) {
	return held(ctx, id, hearth.CalculationTransitions, a.sessions.Calculation, a.sessions.AwaitCalculation)
}

// held gets a thing as it is, or waits for it when the request asks for that.
func held[S ~string, T any](
	ctx context.Context, id string, states hearth.Transitions[S],
	get func(context.Context, string) (T, error),
	await func(context.Context, string, S) (T, error),
) (T, error) {
	name, hold := ctx.Value(holdKey{}).(string)
	if !hold {
		return get(ctx, id)
	}
	if _, known := states[S(name)]; !known {
		var none T
		return none, hearth.Errorf(hearth.KindInvalid, "%s has to name a state, and %q is none.", HoldHeader, name)
	}
	ctx, stop := context.WithTimeout(ctx, maxHold)
	defer stop()
	return await(ctx, id, S(name))
}
