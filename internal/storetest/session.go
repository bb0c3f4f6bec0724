package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
)

func (s suite) sessions(t *testing.T) {
	plain := sessionIn(hearth.SessionCreating)
	full := sessionIn(hearth.SessionIdle)
	full.Description = "it's a \"session\" – with 日本語, a\ttab and a\nline break"
	full.EngineConfiguration = hearth.EngineConfiguration{
		CoordinatorDPUSize: 1, MaxConcurrentDPUs: 20, DefaultExecutorDPUSize: 1,
		AdditionalConfigs: map[string]string{"NotebookId": "n"},
		SparkProperties:   map[string]string{},
		Classifications:   []hearth.Classification{{Name: hearth.ClassificationSparkDefaults, Properties: map[string]string{"spark.a": "b"}}},
	}
	full.Monitoring, full.Tags = everyLog, hearth.Tags{"team": "data"}
	full.NotebookVersion = "Athena notebook version 1"
	full.Configuration = hearth.SessionConfiguration{
		ExecutionRole: "role", WorkingDirectory: "s3://hearth/x", IdleTimeout: 20 * time.Minute,
		Encryption: &hearth.Encryption{Option: "SSE_S3"},
		Ownership:  hearth.Ownership{BucketOwner: "123456789012", ACL: hearth.BucketOwnerFullControl},
	}
	full.StateChangeReason = "a reason"
	full.ModifiedAt, full.IdleSince = after(time.Second), after(2*time.Second)
	full.ResultsRemovedAt = after(3 * time.Second)
	full.DPUMillis, full.JournalOffset, full.EndRequested, full.Waiting = 1<<40, 1<<41, true, true
	full.Phases = []hearth.StartPhase{{Name: "python", Took: time.Millisecond}, {Name: "jvm", Took: 1234567}}
	ended := sessionIn(hearth.SessionFailed)
	ended.Phases = []hearth.StartPhase{}
	ended.EngineConfiguration.Classifications = []hearth.Classification{}

	for name, session := range map[string]hearth.Session{"plain": plain, "full": full, "ended": ended} {
		t.Run("keeps every member of one that is "+name, func(t *testing.T) {
			store := s.open(t)
			same(t, addSession(t, store, session), session)
			same(t, sessionOf(t, store, session.ID), session)
		})
	}

	t.Run("keeps times to the microsecond in UTC", func(t *testing.T) {
		store := s.open(t)
		session := sessionIn(hearth.SessionCreating)
		session.StartedAt = noon.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600))
		if got := addSession(t, store, session).StartedAt; !got.Equal(noon) || got.Location() != time.UTC {
			t.Errorf("got %v, want %v", got, noon)
		}
	})

	t.Run("clips a reason", func(t *testing.T) {
		store := s.open(t)
		session := sessionIn(hearth.SessionCreating)
		session.StateChangeReason = strings.Repeat("é", 3000)
		same(t, addSession(t, store, session).StateChangeReason, hearth.ClipReason(session.StateChangeReason))
	})

	t.Run("says that one is not found", func(t *testing.T) {
		_, err := s.open(t).Session(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "Session absent is not found.")
	})

	t.Run("never replaces one", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionCreating))
		other := session
		other.Description = "another one with the same id"
		if _, _, err := store.CreateSession(t.Context(), other, hearth.Quotas{}, nil); err == nil {
			t.Error("an id was given twice")
		}
		same(t, sessionOf(t, store, session.ID), session)
	})
}

// population records sessions of two workgroups and of several states. It gives
// them newest first.
func population(t *testing.T, store hearth.Store, n int) []hearth.Session {
	t.Helper()
	states := []hearth.SessionState{hearth.SessionIdle, hearth.SessionTerminated, hearth.SessionBusy, hearth.SessionIdle, hearth.SessionFailed}
	var all []hearth.Session
	for i := range n {
		session := sessionIn(states[i%len(states)])
		session.WorkGroup = []string{hearth.WorkGroupPrimary, "other"}[i%2]
		session.Description = number("session", i)
		all = append(all, addSession(t, store, session)) // all have the same times: these do not make the order
	}
	slices.Reverse(all)
	return all
}

func matching(all []hearth.Session, f hearth.SessionFilter) []hearth.Session {
	var some []hearth.Session
	for _, session := range all {
		if (f.WorkGroup == "" || session.WorkGroup == f.WorkGroup) && (f.State == "" || session.State == f.State) && (f.NotebookID == "" || session.NotebookID == f.NotebookID) {
			some = append(some, session)
		}
	}
	return some
}

func (s suite) sessionListing(t *testing.T) {
	t.Run("lists newest first by every filter and page size", func(t *testing.T) {
		store := s.open(t)
		all := population(t, store, 20)
		for _, group := range []string{"", hearth.WorkGroupPrimary, "other", "absent"} {
			for _, state := range []hearth.SessionState{"", hearth.SessionIdle, hearth.SessionTerminated, hearth.SessionCreating} {
				filter := hearth.SessionFilter{WorkGroup: group, State: state}
				for _, limit := range []int{1, 2, 3, 5, 10, 20, 100} {
					got := listed(t, limit, func(p hearth.Page) ([]hearth.Session, hearth.Cursor, error) {
						return store.Sessions(t.Context(), filter, p)
					}, nothing)
					same(t, got, matching(all, filter))
				}
			}
		}
	})

	t.Run("no page shifts while sessions are added", func(t *testing.T) {
		store := s.open(t)
		all := population(t, store, 20)
		filter := hearth.SessionFilter{WorkGroup: "other"}
		got := listed(t, 3, func(p hearth.Page) ([]hearth.Session, hearth.Cursor, error) {
			return store.Sessions(t.Context(), filter, p)
		}, func() { population(t, store, 4) })
		same(t, got, matching(all, filter))
	})

	t.Run("a page goes on though the session at its end has left the filter", func(t *testing.T) {
		store := s.open(t)
		idle := matching(population(t, store, 20), hearth.SessionFilter{State: hearth.SessionIdle})
		filter := hearth.SessionFilter{State: hearth.SessionIdle}
		first, next, err := store.Sessions(t.Context(), filter, hearth.Page{Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		step(t, store, hearth.SessionChange{ID: first[1].ID, To: hearth.SessionBusy, At: noon})
		rest, _, err := store.Sessions(t.Context(), filter, hearth.Page{Limit: 100, After: next})
		if err != nil {
			t.Fatal(err)
		}
		same(t, rest, idle[2:])
	})

	t.Run("a cursor outlives the store's closing", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		store := open()
		all := population(t, store, 5)
		_, next, err := store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		rest, _, err := open().Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 10, After: next})
		if err != nil {
			t.Fatal(err)
		}
		same(t, rest, all[2:])
	})

	t.Run("gives at least one item", func(t *testing.T) {
		store := s.open(t)
		all := population(t, store, 2)
		for _, limit := range []int{0, -1} {
			got, next, err := store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: limit})
			if err != nil || next == "" {
				t.Fatalf("next %q, %v", next, err)
			}
			same(t, got, all[:1])
		}
	})

	t.Run("a cursor is for its workgroup and filter only", func(t *testing.T) {
		store := s.open(t)
		population(t, store, 20)
		bound(t, store.Sessions,
			hearth.SessionFilter{}, hearth.SessionFilter{State: hearth.SessionIdle},
			hearth.SessionFilter{WorkGroup: hearth.WorkGroupPrimary}, hearth.SessionFilter{WorkGroup: hearth.WorkGroupPrimary, State: hearth.SessionIdle},
			hearth.SessionFilter{WorkGroup: "other"}, hearth.SessionFilter{WorkGroup: "other", State: hearth.SessionTerminated})
	})

	t.Run("refuses a malformed cursor", func(t *testing.T) {
		store := s.open(t)
		own, foreign := cursors(t, store)
		for _, cursor := range malformed(own, foreign) {
			_, _, err := store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 10, After: cursor})
			refused(t, err, hearth.KindInvalid, "nextPageToken")
		}
	})
}

func (s suite) liveSessions(t *testing.T) {
	t.Run("are those that have not ended, oldest first", func(t *testing.T) {
		store := s.open(t)
		all := population(t, store, 20)
		slices.Reverse(all)
		want := slices.DeleteFunc(all, func(session hearth.Session) bool { return session.State.Ended() })
		got, err := store.LiveSessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	})

	t.Run("are those of every state but the final ones", func(t *testing.T) {
		store := s.open(t)
		var want []string
		for state := range hearth.SessionTransitions {
			session := addSession(t, store, sessionIn(state))
			if !state.Ended() {
				want = append(want, session.ID)
			}
		}
		live, err := store.LiveSessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, session := range live {
			got = append(got, session.ID)
		}
		same(t, got, want)
	})

	t.Run("do not have one that ended by a step", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionTerminating))
		step(t, store, hearth.SessionChange{ID: session.ID, To: hearth.SessionTerminated, At: noon})
		if live, err := store.LiveSessions(t.Context()); len(live) != 0 || err != nil {
			t.Errorf("got %v, %v", live, err)
		}
	})
}
