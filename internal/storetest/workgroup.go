package storetest

import (
	"testing"

	"hearth"
)

func (s suite) workGroups(t *testing.T) {
	plain := hearth.WorkGroup{
		Name: "plain", CreatedAt: noon,
		Engine: hearth.EngineVersion{Selected: hearth.EngineSpark35, Effective: hearth.EngineSpark35},
	}
	full := hearth.WorkGroup{
		Name: "full", Description: "with everything", Enabled: true, CreatedAt: noon,
		Engine:         hearth.EngineVersion{Selected: hearth.EngineAuto, Effective: hearth.EnginePySpark3},
		ExecutionRole:  "arn:aws:iam::123456789012:role/hearth",
		OutputLocation: "s3://hearth/results/",
		Encryption:     &hearth.Encryption{Option: "SSE_KMS", KMSKey: "key"},
		EngineConfiguration: &hearth.EngineConfiguration{
			MaxConcurrentDPUs: 4, SparkProperties: map[string]string{},
			Classifications: []hearth.Classification{{Name: hearth.ClassificationSparkDefaults, Properties: map[string]string{"spark.a": "b"}}},
		},
		EnforceConfiguration: true, PublishMetrics: true,
	}
	for _, group := range []hearth.WorkGroup{plain, full} {
		t.Run("keeps every member of one that is "+group.Name, func(t *testing.T) {
			store := s.open(t)
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
		_, err := s.open(t).WorkGroup(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "is not found", "absent")
	})

	t.Run("refuses a name that is taken and changes nothing", func(t *testing.T) {
		store := s.open(t)
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

	t.Run("lists by name, byte by byte", func(t *testing.T) {
		store := s.open(t)
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
		groups, next, err := s.open(t).WorkGroups(t.Context(), hearth.Page{Limit: 10})
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
