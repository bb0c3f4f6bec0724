package storetest

import (
	"testing"
	"time"

	"hearth"
)

// keptTokens is how many of a session are kept though they have expired.
const keptTokens = 3

// addConnectToken records a token for a session.
func addConnectToken(t *testing.T, store hearth.Store, sessionID, text string) hearth.ConnectToken {
	t.Helper()
	token := hearth.ConnectToken{
		Digest: hearth.DigestOf(text), SessionID: sessionID, Owner: "AKIAEXAMPLE",
		CreatedAt: noon, ExpiresAt: after(30 * time.Minute),
	}
	if err := store.CreateConnectToken(t.Context(), token, keptTokens); err != nil {
		t.Fatalf("CreateConnectToken: %v", err)
	}
	return token
}

func (s suite) connectTokens(t *testing.T) {
	found := func(t *testing.T, store hearth.Store, want hearth.ConnectToken) {
		t.Helper()
		got, err := store.ConnectToken(t.Context(), want.Digest)
		if err != nil {
			t.Fatalf("ConnectToken: %v", err)
		}
		same(t, got, want)
	}

	t.Run("are found by their digests", func(t *testing.T) {
		store := s.open(t)
		session, other := addSession(t, store, sessionIn(hearth.SessionCreating)), addSession(t, store, sessionIn(hearth.SessionIdle))
		for _, token := range []hearth.ConnectToken{
			addConnectToken(t, store, session.ID, "first"), addConnectToken(t, store, session.ID, "second"), addConnectToken(t, store, other.ID, "third"),
		} {
			found(t, store, token)
		}
	})

	t.Run("are not found by anything else", func(t *testing.T) {
		store := s.open(t)
		token := addConnectToken(t, store, addSession(t, store, sessionIn(hearth.SessionIdle)).ID, "text")
		for _, digest := range []string{"", "text", hearth.DigestOf("other"), token.Digest[:63], token.Digest + "0", token.SessionID, "%"} {
			_, err := store.ConnectToken(t.Context(), digest)
			refused(t, err, hearth.KindNotFound)
		}
	})

	t.Run("are of sessions that there are", func(t *testing.T) {
		store := s.open(t)
		err := store.CreateConnectToken(t.Context(), hearth.ConnectToken{Digest: "d", SessionID: "nobody", CreatedAt: noon, ExpiresAt: noon}, keptTokens)
		refused(t, err, hearth.KindNotFound, "nobody")
		_, err = store.ConnectToken(t.Context(), "d")
		refused(t, err, hearth.KindNotFound)
	})

	t.Run("are kept while they are good, and the newest after that", func(t *testing.T) {
		store := s.open(t)
		session, other := addSession(t, store, sessionIn(hearth.SessionIdle)), addSession(t, store, sessionIn(hearth.SessionIdle))
		create := func(sessionID string, at time.Time) hearth.ConnectToken {
			t.Helper()
			token := hearth.ConnectToken{
				Digest: hearth.DigestOf(hearth.NewConnectToken()), SessionID: sessionID,
				CreatedAt: at, ExpiresAt: at.Add(time.Hour),
			}
			if err := store.CreateConnectToken(t.Context(), token, keptTokens); err != nil {
				t.Fatalf("CreateConnectToken: %v", err)
			}
			return token
		}
		others := create(other.ID, noon)
		var tokens []hearth.ConnectToken
		for i := range keptTokens + 3 {
			tokens = append(tokens, create(session.ID, after(time.Duration(i)*time.Millisecond)))
		}
		found(t, store, tokens[0]) // all are good
		newest := create(session.ID, tokens[1].ExpiresAt)
		for _, gone := range tokens[:2] {
			_, err := store.ConnectToken(t.Context(), gone.Digest)
			refused(t, err, hearth.KindNotFound)
		}
		for _, kept := range append(tokens[2:], newest, others) {
			found(t, store, kept)
		}
		create(session.ID, after(48*time.Hour))
		for _, gone := range tokens[:5] {
			_, err := store.ConnectToken(t.Context(), gone.Digest)
			refused(t, err, hearth.KindNotFound)
		}
		for _, kept := range append(tokens[5:], newest, others) {
			found(t, store, kept)
		}
	})

	t.Run("are there after the store was closed", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		store := open()
		token := addConnectToken(t, store, addSession(t, store, sessionIn(hearth.SessionIdle)).ID, "text")
		found(t, open(), token)
	})

	t.Run("stay with the record of an ended session, and go with it", func(t *testing.T) {
		store := s.open(t)
		old, _ := endedAt(t, store, after(time.Hour))
		token := addConnectToken(t, store, old.ID, "old")
		kept := addConnectToken(t, store, addSession(t, store, sessionIn(hearth.SessionIdle)).ID, "kept")
		found(t, store, token)
		deleteEnded(t, store, after(2*time.Hour), 10, 1)
		_, err := store.ConnectToken(t.Context(), token.Digest)
		refused(t, err, hearth.KindNotFound)
		found(t, store, kept)
	})
}
