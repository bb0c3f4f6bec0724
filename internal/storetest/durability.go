package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"hearth"
)

func (s suite) durability(t *testing.T) {
	t.Run("everything is there after the store was closed", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		store := open()
		group := hearth.WorkGroup{Name: "group", CreatedAt: noon}
		if err := store.CreateWorkGroup(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		c := addCalculation(t, store, hearth.CalculationRunning)
		step(t, store, hearth.SessionChange{ID: c.SessionID, To: hearth.SessionDegraded, At: after(time.Second), JournalOffset: 9})
		session, events := sessionOf(t, store, c.SessionID), eventsOf(t, store, c.SessionID)

		store = open()
		got, err := store.WorkGroup(t.Context(), group.Name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, group)
		same(t, sessionOf(t, store, c.SessionID), session)
		same(t, calculationOf(t, store, c.ID), c)
		same(t, eventsOf(t, store, c.SessionID), events)
	})

	t.Run("sessions added later are newer", func(t *testing.T) {
		open := reopenable(t, s.furnished(t))
		first := addSession(t, open(), sessionIn(hearth.SessionIdle))
		store := open()
		second := addSession(t, store, sessionIn(hearth.SessionIdle))
		got, _, err := store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, []hearth.Session{second, first})
	})

	t.Run("a store may be closed twice, and answers with errors then", func(t *testing.T) {
		store := s.open(t)
		session := addSession(t, store, sessionIn(hearth.SessionIdle))
		for range 2 {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := store.Session(t.Context(), session.ID); err == nil {
			t.Error("a closed store answered")
		}
	})
}

func (s suite) canceledContexts(t *testing.T) {
	store := s.open(t)
	session := addSession(t, store, sessionIn(hearth.SessionIdle))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"a session": func() error { _, err := store.Session(canceled, session.ID); return err },
		"a listing": func() error { _, err := store.LiveSessions(canceled); return err },
		"a session's creation": func() error {
			_, _, err := store.CreateSession(canceled, sessionIn(hearth.SessionIdle), hearth.Quotas{}, nil)
			return err
		},
		"a step": func() error {
			return store.Apply(canceled, hearth.Change{Session: &hearth.SessionChange{ID: session.ID, To: hearth.SessionBusy, At: noon}})
		},
	} {
		t.Run("are the error of "+name, func(t *testing.T) {
			if err := call(); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("leave nothing behind", func(t *testing.T) {
		live, err := store.LiveSessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, live, []hearth.Session{session})
	})
}
