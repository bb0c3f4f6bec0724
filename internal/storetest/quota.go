package storetest

import (
	"testing"

	"hearth"
)

// quotaOf lets so many sessions in, and so many of each workgroup wait.
func quotaOf(sessions, queue int) hearth.Quotas {
	return hearth.Quotas{
		Account:    hearth.Quota{Sessions: sessions},
		WorkGroups: map[string]hearth.WorkGroupQuota{hearth.OtherWorkGroups: {Queue: queue}},
	}
}

// enter records a session under quotas, which have to take it.
func enter(t tb, store hearth.Store, s hearth.Session, quotas hearth.Quotas) hearth.Session {
	t.Helper()
	got, created, err := store.CreateSession(t.Context(), s, quotas, nil)
	if err != nil || !created {
		t.Fatalf("CreateSession: created %v, %v", created, err)
	}
	return got
}

// waiting gives the ids of those that wait, in their order.
func waiting(t tb, store hearth.Store) []string {
	t.Helper()
	claims, err := store.Claims(t.Context())
	if err != nil {
		t.Fatalf("Claims: %v", err)
	}
	var ids []string
	for _, c := range claims {
		if c.Waiting {
			ids = append(ids, c.SessionID)
		}
	}
	return ids
}

func (s suite) quotas(t *testing.T) {
	create := func(t *testing.T, store hearth.Store, sessions int, token *hearth.Token) (hearth.Session, bool, error) {
		return store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), quotaOf(sessions, 0), token)
	}

	t.Run("refuse a session over them, and nothing is recorded", func(t *testing.T) {
		store := s.open(t)
		for range 2 {
			if _, created, err := create(t, store, 2, nil); !created || err != nil {
				t.Fatalf("created %v, %v", created, err)
			}
		}
		_, created, err := create(t, store, 2, nil)
		refused(t, err, hearth.KindTooMany, "Maximum allowed sessions")
		live, err := store.LiveSessions(t.Context())
		if created || err != nil || len(live) != 2 {
			t.Errorf("created %v, %d live, %v", created, len(live), err)
		}
	})

	t.Run("count sessions of every state but the final ones", func(t *testing.T) {
		for state := range hearth.SessionTransitions {
			store := s.open(t)
			addSession(t, store, sessionIn(state))
			_, created, err := create(t, store, 1, nil)
			if created != state.Ended() {
				t.Errorf("beside a session that is %s: created %v, %v", state, created, err)
			}
		}
	})

	t.Run("count DPUs as the session holds them", func(t *testing.T) {
		store := s.open(t)
		session := sessionIn(hearth.SessionCreating)
		session.EngineConfiguration.MaxConcurrentDPUs = 20
		addSession(t, store, session)
		claims, err := store.Claims(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, claims, []hearth.Claim{{SessionID: session.ID, WorkGroup: session.WorkGroup, DPUs: session.EngineConfiguration.DPUs()}})
		_, _, err = store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{Account: hearth.Quota{DPUs: claims[0].DPUs}}, nil)
		refused(t, err, hearth.KindTooMany, "required capacity not being available")
	})

	t.Run("count memory as the session started with it", func(t *testing.T) {
		store := s.open(t)
		session := sessionIn(hearth.SessionCreating)
		session.EngineConfiguration.Memory = 3 << 30
		addSession(t, store, session)
		for memory, room := range map[int64]bool{4 << 30: false, 6 << 30: true} {
			other := sessionIn(hearth.SessionCreating)
			other.EngineConfiguration.Memory = 3 << 30
			_, created, err := store.CreateSession(t.Context(), other, hearth.Quotas{Account: hearth.Quota{Memory: memory}}, nil)
			if created != room {
				t.Errorf("a quota of %d: created %v, %v", memory, created, err)
			}
			if !room {
				refused(t, err, hearth.KindTooMany, "required capacity not being available")
			}
		}
	})

	t.Run("have room again after an end", func(t *testing.T) {
		store := s.open(t)
		first, _, err := create(t, store, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		step(t, store, hearth.SessionChange{ID: first.ID, To: hearth.SessionFailed, At: noon})
		if _, created, err := create(t, store, 1, nil); !created || err != nil {
			t.Errorf("created %v, %v", created, err)
		}
	})

	t.Run("yield to a token that was used before", func(t *testing.T) {
		store := s.open(t)
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		first, _, err := create(t, store, 1, token)
		if err != nil {
			t.Fatal(err)
		}
		again, created, err := create(t, store, 1, token)
		if created || err != nil {
			t.Fatalf("created %v, %v", created, err)
		}
		same(t, again, first)
	})

	t.Run("do not use up the token of what they refuse", func(t *testing.T) {
		store := s.open(t)
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		addSession(t, store, sessionIn(hearth.SessionIdle))
		_, _, err := create(t, store, 1, token)
		refused(t, err, hearth.KindTooMany)
		if _, created, err := create(t, store, 2, token); !created || err != nil {
			t.Errorf("created %v, %v", created, err)
		}
	})

	t.Run("let a session wait where there is a queue, and refuse it when that is full", func(t *testing.T) {
		store := s.open(t)
		first := enter(t, store, sessionIn(hearth.SessionCreating), quotaOf(1, 1))
		if first.Waiting {
			t.Error("the first waits")
		}
		second := enter(t, store, sessionIn(hearth.SessionCreating), quotaOf(1, 1))
		same(t, waiting(t, store), []string{second.ID})
		same(t, sessionOf(t, store, second.ID), second)
		if events := eventsOf(t, store, second.ID); !second.Waiting || second.StateChangeReason == "" || events[0].Reason != second.StateChangeReason {
			t.Errorf("waiting %v, reason %q, events %+v", second.Waiting, second.StateChangeReason, events)
		}
		_, _, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), quotaOf(1, 1), nil)
		refused(t, err, hearth.KindTooMany, "Maximum allowed sessions")
		other := sessionIn(hearth.SessionCreating)
		other.WorkGroup = otherGroup
		if !enter(t, store, other, quotaOf(1, 1)).Waiting {
			t.Error("the other workgroup has no queue of its own")
		}
	})

	t.Run("have a session that waits be CREATING, though a driver is there for it", func(t *testing.T) {
		store := s.open(t)
		if first := enter(t, store, sessionIn(hearth.SessionCreated), quotaOf(1, 1)); first.State != hearth.SessionCreated {
			t.Errorf("the first is %s", first.State)
		}
		second := enter(t, store, sessionIn(hearth.SessionCreated), quotaOf(1, 1))
		if events := eventsOf(t, store, second.ID); second.State != hearth.SessionCreating || len(events) != 1 || events[0].To != "CREATING" {
			t.Errorf("it is %s; events %+v", second.State, events)
		}
	})

	t.Run("give a token the session that waits", func(t *testing.T) {
		store := s.open(t)
		addSession(t, store, sessionIn(hearth.SessionIdle))
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		first, _, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), quotaOf(1, 1), token)
		if err != nil {
			t.Fatal(err)
		}
		again, created, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), quotaOf(1, 1), token)
		if created || err != nil || !again.Waiting {
			t.Fatalf("created %v, waiting %v, %v", created, again.Waiting, err)
		}
		same(t, again, first)
	})
}

func (s suite) admission(t *testing.T) {
	admit := func(t *testing.T, store hearth.Store, quotas hearth.Quotas) []string {
		t.Helper()
		ids, err := store.AdmitSessions(t.Context(), quotas, after(1))
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	// full has one session, and some that wait for its place.
	full := func(t *testing.T, store hearth.Store, waiting int) (first hearth.Session, waiters []string) {
		t.Helper()
		first = enter(t, store, sessionIn(hearth.SessionCreating), quotaOf(1, waiting))
		for range waiting {
			waiters = append(waiters, enter(t, store, sessionIn(hearth.SessionCreating), quotaOf(1, waiting)).ID)
		}
		return first, waiters
	}

	t.Run("lets nobody in while there is no room", func(t *testing.T) {
		store := s.open(t)
		_, waiters := full(t, store, 2)
		same(t, admit(t, store, quotaOf(1, 2)), []string(nil))
		same(t, waiting(t, store), waiters)
	})

	t.Run("lets in who waits longest, also after the store was closed", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		store := open()
		first, waiters := full(t, store, 3)
		step(t, store, hearth.SessionChange{ID: first.ID, To: hearth.SessionFailed, At: noon})
		store = open()
		same(t, waiting(t, store), waiters)
		same(t, admit(t, store, quotaOf(1, 3)), waiters[:1])
		same(t, waiting(t, store), waiters[1:])
		admitted := sessionOf(t, store, waiters[0])
		if admitted.Waiting || admitted.State != hearth.SessionCreating || admitted.StateChangeReason != "" {
			t.Errorf("waiting %v, %s, reason %q", admitted.Waiting, admitted.State, admitted.StateChangeReason)
		}
		if events := eventsOf(t, store, waiters[0]); len(events) != 2 || events[1].Note != "its turn has come" {
			t.Errorf("events %+v", events)
		}
		same(t, admit(t, store, quotaOf(1, 3)), []string(nil))
	})

	t.Run("does not know a session whose end was asked for", func(t *testing.T) {
		store := s.open(t)
		first, waiters := full(t, store, 2)
		ending := step(t, store, hearth.SessionChange{ID: waiters[0], To: hearth.SessionTerminating, EndRequested: true, At: noon})
		if !ending.Waiting {
			t.Error("it holds something now")
		}
		same(t, waiting(t, store), waiters[1:])
		step(t, store, hearth.SessionChange{ID: first.ID, To: hearth.SessionFailed, At: noon})
		same(t, admit(t, store, quotaOf(1, 2)), waiters[1:])
		if ended := step(t, store, hearth.SessionChange{ID: waiters[0], To: hearth.SessionTerminated, At: noon}); !ended.Waiting {
			t.Error("it ended as if it had had its turn")
		}
	})
}
