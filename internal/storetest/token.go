package storetest

import (
	"testing"

	"hearth"
)

// tokens are tested on sessions and calculations alike.
func (s suite) tokens(t *testing.T) {
	t.Run("of sessions", func(t *testing.T) {
		s.tokensOf(t, func(t *testing.T, store hearth.Store, token *hearth.Token) (string, bool, error) {
			session, created, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, token)
			return session.ID, created, err
		})
	})
	t.Run("of calculations", func(t *testing.T) {
		s.tokensOf(t, func(t *testing.T, store hearth.Store, token *hearth.Token) (string, bool, error) {
			session := addSession(t, store, sessionIn(hearth.SessionIdle))
			c, created, err := store.CreateCalculation(t.Context(), calculationIn(hearth.CalculationCreating, session.ID), token)
			return c.ID, created, err
		})
	})

	t.Run("a replay gives the session as it is now", func(t *testing.T) {
		store := s.open(t)
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		first, _, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, token)
		if err != nil {
			t.Fatal(err)
		}
		now := step(t, store, hearth.SessionChange{ID: first.ID, To: hearth.SessionFailed, Reason: "gone", At: noon})
		again, created, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, token)
		if created || err != nil {
			t.Fatalf("created %v, %v", created, err)
		}
		same(t, again, now)
	})

	t.Run("give their session alone", func(t *testing.T) {
		store := s.open(t)
		token := hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		_, err := store.SessionOfToken(t.Context(), token)
		refused(t, err, hearth.KindNotFound)
		first, _, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, &token)
		if err != nil {
			t.Fatal(err)
		}
		again, err := store.SessionOfToken(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, first)
		for _, other := range []struct {
			token hearth.Token
			kind  hearth.Kind
		}{
			{hearth.Token{Scope: "other", Value: "value", Digest: "digest"}, hearth.KindNotFound},
			{hearth.Token{Scope: "scope", Value: "other", Digest: "digest"}, hearth.KindNotFound},
			{hearth.Token{Scope: "scope", Value: "value", Digest: "other"}, hearth.KindIdempotencyMismatch},
		} {
			_, err := store.SessionOfToken(t.Context(), other.token)
			refused(t, err, other.kind)
		}
	})

	t.Run("a replay of a calculation wins over its session's state", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		wanted := calculationIn(hearth.CalculationCreating, session.ID)
		first, _, err := store.CreateCalculation(t.Context(), wanted, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []hearth.SessionState{hearth.SessionBusy, hearth.SessionTerminating, hearth.SessionTerminated} {
			if to.Ended() {
				first = stepCalculation(t, store, hearth.CalculationChange{ID: first.ID, To: hearth.CalculationCanceled, At: noon})
			}
			step(t, store, hearth.SessionChange{ID: session.ID, To: to, At: noon})
			again, created, err := store.CreateCalculation(t.Context(), wanted, token)
			if created || err != nil {
				t.Fatalf("in a session that is %s: created %v, %v", to, created, err)
			}
			same(t, again, first)
		}
	})

	t.Run("a mismatch wins over the session's state", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		wanted := calculationIn(hearth.CalculationCreating, session.ID)
		if _, _, err := store.CreateCalculation(t.Context(), wanted, &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}); err != nil {
			t.Fatal(err)
		}
		_, _, err := store.CreateCalculation(t.Context(), wanted, &hearth.Token{Scope: "scope", Value: "value", Digest: "another"})
		refused(t, err, hearth.KindIdempotencyMismatch)
	})

	t.Run("a calculation that was refused does not use up its token", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionCreated))
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		wanted := calculationIn(hearth.CalculationCreating, session.ID)
		_, _, err := store.CreateCalculation(t.Context(), wanted, token)
		refused(t, err, hearth.KindConflict)
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionIdle, At: noon})
		if _, created, err := store.CreateCalculation(t.Context(), wanted, token); !created || err != nil {
			t.Errorf("created %v, %v", created, err)
		}
	})
}

// tokensOf tests what creates a thing with a token and gives its id.
func (s suite) tokensOf(t *testing.T, create func(*testing.T, hearth.Store, *hearth.Token) (string, bool, error)) {
	token := hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
	mustCreate := func(t *testing.T, store hearth.Store, token *hearth.Token) string {
		t.Helper()
		id, created, err := create(t, store, token)
		if !created || err != nil {
			t.Fatalf("created %v, %v", created, err)
		}
		return id
	}

	t.Run("repeated, give what was created first", func(t *testing.T) {
		store := s.open(t)
		first := mustCreate(t, store, &token)
		for range 2 {
			id, created, err := create(t, store, &token)
			if id != first || created || err != nil {
				t.Errorf("got %s, created %v, %v; want %s", id, created, err, first)
			}
		}
	})

	t.Run("with another digest are a mismatch", func(t *testing.T) {
		store := s.open(t)
		first := mustCreate(t, store, &token)
		other := token
		other.Digest = "another"
		_, created, err := create(t, store, &other)
		refused(t, err, hearth.KindIdempotencyMismatch, "Idempotent parameters do not match")
		if created {
			t.Error("created")
		}
		if id, _, err := create(t, store, &token); id != first || err != nil {
			t.Errorf("the first token gives %s, %v; want %s", id, err, first)
		}
	})

	t.Run("of other scopes and values are other tokens", func(t *testing.T) {
		store := s.open(t)
		seen := map[string]bool{}
		for _, other := range []hearth.Token{
			token,
			{Scope: "Scope", Value: "value", Digest: "digest"},
			{Scope: "scope", Value: "Value", Digest: "digest"},
			{Scope: "scope", Value: "value ", Digest: "digest"},
			{Scope: "scopev", Value: "alue", Digest: "digest"},
			{Scope: "", Value: "", Digest: ""},
		} {
			seen[mustCreate(t, store, &other)] = true
		}
		if len(seen) != 6 {
			t.Errorf("%d were created, want 6", len(seen))
		}
	})

	t.Run("that are not given, are never the same", func(t *testing.T) {
		store := s.open(t)
		if a, b := mustCreate(t, store, nil), mustCreate(t, store, nil); a == b {
			t.Error("one was created, want two")
		}
	})

	t.Run("survive the store's closing", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		first := mustCreate(t, open(), &token)
		id, created, err := create(t, open(), &token)
		if id != first || created || err != nil {
			t.Errorf("got %s, created %v, %v; want %s", id, created, err, first)
		}
	})
}
