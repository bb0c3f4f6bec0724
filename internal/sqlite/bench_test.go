package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth"
)

// sizes are how many sessions, all but the last of them ended, are on record.
var sizes = []int{10, 1_000, 100_000}

// populated gives a store with n sessions, and the last one, which is IDLE.
func populated(b *testing.B, n int) (*Store, hearth.Session) {
	b.Helper()
	store := mustOpen(b, b.TempDir()+"/hearth.db")
	b.Cleanup(func() { store.Close() })
	ensureWorkGroup(b, store)
	started := time.Now()
	session := hearth.Session{
		WorkGroup: hearth.WorkGroupPrimary, Description: "nightly", Owner: "AKIAEXAMPLE", State: hearth.SessionTerminated,
		Engine:              hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3},
		EngineConfiguration: hearth.EngineConfiguration{}.WithDefaults(hearth.EngineVersion{}, hearth.EngineConfiguration{}),
		Configuration:       hearth.SessionConfiguration{WorkingDirectory: "s3://hearth/x", IdleTimeout: hearth.DefaultIdleTimeout},
		StateChangeReason:   hearth.ReasonTerminated,
		StartedAt:           started, ModifiedAt: started, EndedAt: started,
		Phases: []hearth.StartPhase{{Name: "python", Took: time.Second}, {Name: "jvm", Took: time.Second}},
	}
	add := func() {
		session.ID = hearth.NewID(started)
		if _, _, err := store.CreateSession(b.Context(), session, hearth.Quotas{}, nil); err != nil {
			b.Fatal(err)
		}
	}
	add()
	columns := strings.TrimPrefix(sessionColumns, "id,")
	if _, err := store.write.Exec(`WITH RECURSIVE copies (n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)
		INSERT INTO sessions (id, `+columns+`) SELECT lower(hex(randomblob(16))), `+columns+` FROM copies, sessions WHERE number = 1`, n); err != nil {
		b.Fatal(err)
	}
	session.State, session.EndedAt, session.IdleSince = hearth.SessionIdle, time.Time{}, started
	add()
	if _, err := store.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		b.Fatal(err)
	}
	return store, session
}

func benchmark(b *testing.B, run func(b *testing.B, store *Store, session hearth.Session)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			store, session := populated(b, n)
			b.ReportAllocs()
			run(b, store, session)
		})
	}
}

func BenchmarkSession(b *testing.B) {
	benchmark(b, func(b *testing.B, store *Store, session hearth.Session) {
		for b.Loop() {
			if _, err := store.Session(b.Context(), session.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTransition makes one step, with its event and its disk sync.
func BenchmarkTransition(b *testing.B) {
	benchmark(b, func(b *testing.B, store *Store, session hearth.Session) {
		to := []hearth.SessionState{hearth.SessionBusy, hearth.SessionIdle}
		for i := 0; b.Loop(); i++ {
			if err := store.Apply(b.Context(), hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: to[i%2], At: time.Now()}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCreateSession(b *testing.B) {
	benchmark(b, func(b *testing.B, store *Store, session hearth.Session) {
		for b.Loop() {
			session.ID = hearth.NewID(time.Now())
			if _, _, err := store.CreateSession(b.Context(), session, hearth.Quotas{}, &hearth.Token{Scope: "scope", Value: session.ID}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSessions lists a page of 50, the newest and by a state that few have.
func BenchmarkSessions(b *testing.B) {
	for name, filter := range map[string]hearth.SessionFilter{
		"newest": {WorkGroup: hearth.WorkGroupPrimary},
		"idle":   {WorkGroup: hearth.WorkGroupPrimary, State: hearth.SessionIdle},
	} {
		b.Run(name, func(b *testing.B) {
			benchmark(b, func(b *testing.B, store *Store, _ hearth.Session) {
				for b.Loop() {
					if _, _, err := store.Sessions(b.Context(), filter, hearth.Page{Limit: 50}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkLiveSessions(b *testing.B) {
	benchmark(b, func(b *testing.B, store *Store, _ hearth.Session) {
		for b.Loop() {
			if live, err := store.LiveSessions(b.Context()); len(live) != 1 || err != nil {
				b.Fatal(len(live), err)
			}
		}
	})
}

func BenchmarkClaims(b *testing.B) {
	benchmark(b, func(b *testing.B, store *Store, _ hearth.Session) {
		for b.Loop() {
			if claims, err := store.Claims(b.Context()); len(claims) != 1 || err != nil {
				b.Fatal(len(claims), err)
			}
		}
	})
}
