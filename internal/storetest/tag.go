package storetest

import (
	"fmt"
	"testing"

	"hearth"
)

func (s suite) tags(t *testing.T) {
	group := hearth.Resource{WorkGroup: hearth.WorkGroupPrimary}
	// Both kinds of things keep the same rules.
	for name, make := range map[string]func(*testing.T, hearth.Store) (hearth.Resource, func() hearth.Tags){
		"a workgroup": func(t *testing.T, store hearth.Store) (hearth.Resource, func() hearth.Tags) {
			return group, func() hearth.Tags { return workGroupOf(t, store, group.WorkGroup).Tags }
		},
		"a session": func(t *testing.T, store hearth.Store) (hearth.Resource, func() hearth.Tags) {
			session := addSession(t, store, sessionIn(hearth.SessionTerminated))
			return hearth.Resource{WorkGroup: session.WorkGroup, SessionID: session.ID}, func() hearth.Tags { return sessionOf(t, store, session.ID).Tags }
		},
	} {
		t.Run("of "+name+" are set, replaced and removed", func(t *testing.T) {
			store := s.open(t)
			thing, tags := make(t, store)
			change := func(set hearth.Tags, remove ...string) {
				t.Helper()
				if err := store.Tag(t.Context(), thing, set, remove); err != nil {
					t.Fatal(err)
				}
			}
			change(hearth.Tags{"a": "1", `"quoted" $.é[0]`: "", "c": "3"})
			same(t, tags(), hearth.Tags{"a": "1", `"quoted" $.é[0]`: "", "c": "3"})
			change(hearth.Tags{"a": "2", "b": "null"}, "c", "absent")
			same(t, tags(), hearth.Tags{"a": "2", `"quoted" $.é[0]`: "", "b": "null"})
			change(nil, "a", "b", `"quoted" $.é[0]`)
			same(t, tags(), hearth.Tags(nil))
		})

		t.Run("of "+name+" are no more than allowed, and a refusal changes none", func(t *testing.T) {
			store := s.open(t)
			thing, tags := make(t, store)
			full := hearth.Tags{}
			for i := range hearth.MaxTags {
				full[fmt.Sprint(i)] = "x"
			}
			if err := store.Tag(t.Context(), thing, full, nil); err != nil {
				t.Fatal(err)
			}
			refused(t, store.Tag(t.Context(), thing, hearth.Tags{"0": "y", "more": "y"}, nil), hearth.KindInvalid, "51", "50")
			same(t, tags(), full)
			if err := store.Tag(t.Context(), thing, hearth.Tags{"more": "y"}, []string{"0"}); err != nil {
				t.Error(err)
			}
		})

		t.Run("of "+name+" that several set at once are all there", func(t *testing.T) {
			store := s.open(t)
			thing, tags := make(t, store)
			for _, err := range race(func(racer int) error {
				return store.Tag(t.Context(), thing, hearth.Tags{fmt.Sprint(racer): ""}, nil)
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			if got := tags(); len(got) != racers {
				t.Errorf("got %v", got)
			}
		})
	}

	t.Run("of a workgroup are no update of it", func(t *testing.T) {
		store := s.open(t)
		was := workGroupOf(t, store, group.WorkGroup)
		if err := store.Tag(t.Context(), group, hearth.Tags{"a": "b"}, nil); err != nil {
			t.Fatal(err)
		}
		if err := store.UpdateWorkGroup(t.Context(), was); err != nil {
			t.Error(err)
		}
		same(t, workGroupOf(t, store, group.WorkGroup).Tags, hearth.Tags{"a": "b"})
	})

	t.Run("of a session are no step of it", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		if err := store.Tag(t.Context(), hearth.Resource{WorkGroup: session.WorkGroup, SessionID: session.ID}, hearth.Tags{"a": "b"}, nil); err != nil {
			t.Fatal(err)
		}
		session.Tags = hearth.Tags{"a": "b"}
		same(t, sessionOf(t, store, session.ID), session)
		if events := eventsOf(t, store, session.ID); len(events) != 1 {
			t.Errorf("%d events", len(events))
		}
	})

	t.Run("need something that is there", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		set := hearth.Tags{"a": "b"}
		refused(t, store.Tag(t.Context(), hearth.Resource{WorkGroup: "absent"}, set, nil), hearth.KindNotFound, "is not found")
		refused(t, store.Tag(t.Context(), hearth.Resource{WorkGroup: group.WorkGroup, SessionID: "absent"}, set, nil), hearth.KindNotFound, "is not found")
		refused(t, store.Tag(t.Context(), hearth.Resource{WorkGroup: otherGroup, SessionID: session.ID}, set, nil), hearth.KindNotFound, "is not found")
	})
}
