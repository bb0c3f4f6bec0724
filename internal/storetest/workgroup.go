package storetest

import (
	"testing"
	"time"

	"hearth"
)

// everySetting has all members.
var everySetting = hearth.WorkGroupSettings{
	ExecutionRole:  "arn:aws:iam::123456789012:role/hearth",
	OutputLocation: "s3://hearth/results/",
	Encryption:     &hearth.Encryption{Option: "SSE_KMS", KMSKey: "key"},
	EngineConfiguration: &hearth.EngineConfiguration{
		MaxConcurrentDPUs: 4, SparkProperties: map[string]string{},
		Classifications: []hearth.Classification{{Name: hearth.ClassificationSparkDefaults, Properties: map[string]string{"spark.a": "b"}}},
	},
	EnforceConfiguration: true, PublishMetrics: true, RequesterPays: true, MinimumEncryption: true,
	BytesScannedCutoff: 1 << 40, ExpectedBucketOwner: "123456789012", ACL: "BUCKET_OWNER_FULL_CONTROL",
	ContentKey: "alias/content", AdditionalConfiguration: "additional",
	ManagedResults: &hearth.ManagedResults{KMSKey: "alias/results"},
	IdentityCenter: &hearth.IdentityCenter{Enabled: new(false), InstanceARN: "arn"},
	AccessGrants:   &hearth.AccessGrants{Enabled: true, UserLevelPrefix: new(true), AuthenticationType: "DIRECTORY_IDENTITY"},
	Monitoring:     everyLog,
}

var everyLog = &hearth.Monitoring{
	CloudWatch: &hearth.CloudWatchLogging{
		Enabled: true, Group: "/aws/athena", StreamPrefix: "session-",
		Types: map[string][]string{"SPARK_DRIVER": {"STDOUT", "STDERR"}, "SPARK_EXECUTOR": {}},
	},
	Managed: &hearth.ManagedLogging{},
	S3:      &hearth.S3Logging{Enabled: true, KMSKey: "key", Location: "s3://hearth/logs"},
}

func (s suite) workGroups(t *testing.T) {
	plain := hearth.WorkGroup{
		Name: "plain", CreatedAt: noon,
		Engine: hearth.EngineVersion{Selected: hearth.EngineSpark35, Effective: hearth.EngineSpark35},
	}
	full := hearth.WorkGroup{
		Name: "full", Description: "with everything", Enabled: true, CreatedAt: noon,
		Engine:            hearth.EngineVersion{Selected: hearth.EngineAuto, Effective: hearth.EnginePySpark3},
		WorkGroupSettings: everySetting,
		Tags:              hearth.Tags{"team": "data", "": ""},
	}
	for _, group := range []hearth.WorkGroup{plain, full} {
		t.Run("keeps every member of one that is "+group.Name, func(t *testing.T) {
			store := s.empty(t)
			if err := store.CreateWorkGroup(t.Context(), group); err != nil {
				t.Fatal(err)
			}
			got, err := store.WorkGroup(t.Context(), group.Name)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, group)
		})
	}

	t.Run("says that one is not found", func(t *testing.T) {
		_, err := s.empty(t).WorkGroup(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "is not found", "absent")
	})

	t.Run("refuses a name that is taken and changes nothing", func(t *testing.T) {
		store := s.empty(t)
		if err := store.CreateWorkGroup(t.Context(), plain); err != nil {
			t.Fatal(err)
		}
		other := full
		other.Name = plain.Name
		refused(t, store.CreateWorkGroup(t.Context(), other), hearth.KindExists, plain.Name)
		got, err := store.WorkGroup(t.Context(), plain.Name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, plain)
	})

	t.Run("tells settings that are empty from those that are absent", func(t *testing.T) {
		store := s.empty(t)
		group := plain
		group.EngineConfiguration, group.Monitoring = &hearth.EngineConfiguration{}, &hearth.Monitoring{}
		group.ManagedResults, group.IdentityCenter = &hearth.ManagedResults{}, &hearth.IdentityCenter{}
		group.AccessGrants = &hearth.AccessGrants{}
		addWorkGroup(t, store, group)
		same(t, workGroupOf(t, store, group.Name), group)
	})

	t.Run("lists by name, byte by byte", func(t *testing.T) {
		store := s.empty(t)
		for _, name := range []string{"b", "é", "a", "B", "a-1", "_"} {
			if err := store.CreateWorkGroup(t.Context(), hearth.WorkGroup{Name: name, CreatedAt: noon}); err != nil {
				t.Fatal(err)
			}
		}
		for limit := 1; limit <= 7; limit++ {
			groups := listed(t, limit, func(p hearth.Page) ([]hearth.WorkGroup, hearth.Cursor, error) {
				return store.WorkGroups(t.Context(), p)
			}, nothing)
			var names []string
			for _, g := range groups {
				names = append(names, g.Name)
			}
			same(t, names, []string{"B", "_", "a", "a-1", "b", "é"})
		}
	})

	t.Run("lists nothing when there is nothing", func(t *testing.T) {
		groups, next, err := s.empty(t).WorkGroups(t.Context(), hearth.Page{Limit: 10})
		if len(groups) != 0 || next != "" || err != nil {
			t.Errorf("got %v, %q, %v", groups, next, err)
		}
	})

	t.Run("refuses a malformed cursor", func(t *testing.T) {
		store := s.open(t)
		own, foreign := cursors(t, store)
		for _, cursor := range malformed(foreign, own) {
			_, _, err := store.WorkGroups(t.Context(), hearth.Page{Limit: 10, After: cursor})
			refused(t, err, hearth.KindInvalid, "nextPageToken")
		}
	})
}

func (s suite) workGroupUpdates(t *testing.T) {
	engine := hearth.EngineVersion{Selected: hearth.EngineSpark35, Effective: hearth.EngineSpark35}
	before := hearth.WorkGroup{Name: "group", Description: "before", Enabled: true, CreatedAt: noon, Engine: engine, Tags: hearth.Tags{"a": "b"}}

	t.Run("replace everything but tags and the time of creation", func(t *testing.T) {
		store := s.empty(t)
		addWorkGroup(t, store, before)
		update := hearth.WorkGroup{
			Name: "group", Description: "after", CreatedAt: after(time.Hour), WorkGroupSettings: everySetting,
			Engine: hearth.EngineVersion{Selected: hearth.EngineAuto, Effective: hearth.EngineSQL3},
		}
		if err := store.UpdateWorkGroup(t.Context(), update); err != nil {
			t.Fatal(err)
		}
		update.CreatedAt, update.Tags, update.Revision = before.CreatedAt, before.Tags, 1
		same(t, workGroupOf(t, store, "group"), update)
	})

	t.Run("are refused when somebody else was quicker, and change nothing", func(t *testing.T) {
		store := s.empty(t)
		addWorkGroup(t, store, before)
		first := before
		first.Description = "first"
		if err := store.UpdateWorkGroup(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		late := before
		late.Description = "late"
		refused(t, store.UpdateWorkGroup(t.Context(), late), hearth.KindConflict, "group")
		first.Revision = 1
		same(t, workGroupOf(t, store, "group"), first)
	})

	t.Run("of one that is not there are refused", func(t *testing.T) {
		refused(t, s.empty(t).UpdateWorkGroup(t.Context(), before), hearth.KindNotFound, "is not found")
	})

	t.Run("of one that was deleted and made again are new updates", func(t *testing.T) {
		store := s.empty(t)
		addWorkGroup(t, store, before)
		if err := store.DeleteWorkGroup(t.Context(), before.Name, false); err != nil {
			t.Fatal(err)
		}
		addWorkGroup(t, store, before)
		if err := store.UpdateWorkGroup(t.Context(), before); err != nil {
			t.Error(err)
		}
	})

	t.Run("at once lose none of the changes", func(t *testing.T) {
		store := s.empty(t)
		addWorkGroup(t, store, before)
		race(func(int) error {
			for {
				group, err := store.WorkGroup(t.Context(), "group")
				if err != nil {
					return err
				}
				group.BytesScannedCutoff++
				if err = store.UpdateWorkGroup(t.Context(), group); hearth.KindOf(err) != hearth.KindConflict {
					return err
				}
			}
		})
		if got := workGroupOf(t, store, "group"); got.BytesScannedCutoff != racers || got.Revision != racers {
			t.Errorf("%d changes, revision %d, after %d updates", got.BytesScannedCutoff, got.Revision, racers)
		}
	})
}

func (s suite) workGroupDeletion(t *testing.T) {
	t.Run("leaves nothing of it", func(t *testing.T) {
		store := s.open(t)
		if err := store.DeleteWorkGroup(t.Context(), otherGroup, false); err != nil {
			t.Fatal(err)
		}
		_, err := store.WorkGroup(t.Context(), otherGroup)
		refused(t, err, hearth.KindNotFound, "is not found")
		groups, _, err := store.WorkGroups(t.Context(), hearth.Page{Limit: 10})
		if err != nil || len(groups) != 1 {
			t.Errorf("%d workgroups are left, %v", len(groups), err)
		}
		refused(t, store.DeleteWorkGroup(t.Context(), otherGroup, false), hearth.KindNotFound, "is not found")
	})

	t.Run("is refused while one of its sessions has not ended", func(t *testing.T) {
		for state := range hearth.SessionTransitions {
			store := s.open(t)
			addSession(t, store, sessionIn(state))
			err := store.DeleteWorkGroup(t.Context(), hearth.WorkGroupPrimary, true)
			if state.Ended() {
				if err != nil {
					t.Errorf("beside a session that is %s: %v", state, err)
				}
				continue
			}
			refused(t, err, hearth.KindConflict, "WorkGroup primary is not empty", "not ended: 1")
			workGroupOf(t, store, hearth.WorkGroupPrimary)
		}
	})

	t.Run("is refused while it has notebooks, unless these go with it", func(t *testing.T) {
		store := s.open(t)
		id, err := store.CreateNotebook(t.Context(), hearth.Notebook{
			ID: hearth.NewNotebookID(), WorkGroup: otherGroup, Name: "n", CreatedAt: noon, ModifiedAt: noon,
		}, "{}", nil)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, store.DeleteWorkGroup(t.Context(), otherGroup, false), hearth.KindConflict, "is not empty", "notebooks: 1")
		if err := store.DeleteWorkGroup(t.Context(), otherGroup, true); err != nil {
			t.Fatal(err)
		}
		_, err = store.Notebook(t.Context(), id)
		refused(t, err, hearth.KindNotFound)
	})

	t.Run("that is refused keeps the notebooks", func(t *testing.T) {
		store := s.open(t)
		addSession(t, store, sessionIn(hearth.SessionIdle))
		id, err := store.CreateNotebook(t.Context(), hearth.Notebook{
			ID: hearth.NewNotebookID(), WorkGroup: hearth.WorkGroupPrimary, Name: "n", CreatedAt: noon, ModifiedAt: noon,
		}, "{}", nil)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, store.DeleteWorkGroup(t.Context(), hearth.WorkGroupPrimary, true), hearth.KindConflict, "not ended: 1")
		if _, err := store.Notebook(t.Context(), id); err != nil {
			t.Error(err)
		}
	})

	t.Run("minds no session of another", func(t *testing.T) {
		store := s.open(t)
		addSession(t, store, sessionIn(hearth.SessionIdle))
		if err := store.DeleteWorkGroup(t.Context(), otherGroup, false); err != nil {
			t.Error(err)
		}
	})

	t.Run("keeps the sessions that have ended", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionTerminated))
		if err := store.DeleteWorkGroup(t.Context(), session.WorkGroup, false); err != nil {
			t.Fatal(err)
		}
		same(t, sessionOf(t, store, session.ID), session)
	})

	t.Run("leaves no room for a session, and none is recorded", func(t *testing.T) {
		store := s.open(t)
		if err := store.DeleteWorkGroup(t.Context(), hearth.WorkGroupPrimary, false); err != nil {
			t.Fatal(err)
		}
		_, created, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, nil)
		refused(t, err, hearth.KindNotFound, "WorkGroup is not found")
		if live, err := store.LiveSessions(t.Context()); created || err != nil || len(live) != 0 {
			t.Errorf("created %v, %d live, %v", created, len(live), err)
		}
	})

	t.Run("does not take a token's answer away", func(t *testing.T) {
		store := s.open(t)
		token := &hearth.Token{Scope: "scope", Value: "value", Digest: "digest"}
		first, _, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionTerminated), hearth.Quotas{}, token)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.DeleteWorkGroup(t.Context(), first.WorkGroup, false); err != nil {
			t.Fatal(err)
		}
		again, created, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, token)
		if created || err != nil {
			t.Fatalf("created %v, %v", created, err)
		}
		same(t, again, first)
	})

	t.Run("and a session that comes meanwhile are never both", func(t *testing.T) {
		store := s.open(t)
		errs := race(func(racer int) error {
			if racer == 0 {
				return store.DeleteWorkGroup(t.Context(), hearth.WorkGroupPrimary, false)
			}
			_, _, err := store.CreateSession(t.Context(), sessionIn(hearth.SessionCreating), hearth.Quotas{}, nil)
			return err
		})
		live, err := store.LiveSessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if deleted := errs[0] == nil; deleted == (len(live) > 0) {
			t.Errorf("deleted: %v, with %d live sessions", errs[0], len(live))
		}
	})
}

// cursors makes a listing of sessions and one of workgroups give a cursor.
func cursors(t *testing.T, store hearth.Store) (sessions, workGroups hearth.Cursor) {
	t.Helper()
	for i := range 2 {
		addSession(t, store, sessionIn(hearth.SessionCreating))
		if err := store.CreateWorkGroup(t.Context(), hearth.WorkGroup{Name: number("group", i), CreatedAt: noon}); err != nil {
			t.Fatal(err)
		}
	}
	_, sessions, err := store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 1})
	if err != nil || sessions == "" {
		t.Fatalf("cursor %q, %v", sessions, err)
	}
	_, workGroups, err = store.WorkGroups(t.Context(), hearth.Page{Limit: 1})
	if err != nil || workGroups == "" {
		t.Fatalf("cursor %q, %v", workGroups, err)
	}
	return sessions, workGroups
}
