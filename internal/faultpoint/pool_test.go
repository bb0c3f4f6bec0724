package faultpoint_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/sessions"
	"hearth/internal/sqlite"
	"hearth/internal/testenv"
)

// one driver waits for a session.
var oneWaits = sessions.Config{Pool: sessions.PoolConfig{Drivers: 1, Age: time.Hour}}

// haveDriversWait is the story of a session whose driver has waited for it, and of
// the driver that waits after that, for two servers. Told again it goes on.
func haveDriversWait(home, python string) error {
	ctx := context.Background()
	s, err := open(ctx, home, python, oneWaits)
	if err != nil {
		return err
	}
	if err := s.waits(ctx); err != nil {
		return err
	}
	id, err := s.start(ctx, "one")
	if err != nil {
		return err
	}
	if err := s.settled(ctx, id); err != nil {
		return err
	}
	if c := s.submit(ctx, id, whole); c != "" {
		if err := s.over(ctx, c); err != nil {
			return err
		}
	}
	if err := s.waits(ctx); err != nil { // the next one
		return err
	}
	if err := s.leave(); err != nil {
		return err
	}
	if s, err = open(ctx, home, python, oneWaits); err != nil {
		return err
	}
	if err := s.waits(ctx); err != nil {
		return err
	}
	if err := s.end(ctx, id); err != nil {
		return err
	}
	if err := s.EndAll(ctx); err != nil {
		return err
	}
	return s.leave()
}

// waits returns when a driver waits, of which nothing tells.
func (s *server) waits(ctx context.Context) error {
	for {
		figures, err := s.Figures(ctx)
		if err != nil || figures.Pool.Warm > 0 {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// waited has servers tell it until one comes to its end.
func waited(t *testing.T, python, crash string) *story {
	t.Helper()
	s := newStory(t)
	s.Choose(t, crash)
	for !s.live("have drivers wait", python) {
	}
	s.died = s.Died()
	if (s.died != "") != (crash != "") {
		t.Fatalf("%q died", s.died)
	}
	var err error
	if s.store, err = sqlite.Open(s.path("hearth.db")); err != nil {
		t.Fatal(err)
	}
	defer s.store.Close()
	all, _, err := s.store.Sessions(t.Context(), hearth.SessionFilter{}, hearth.Page{Limit: 10})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d sessions are on record (%v)", len(all), err)
	}
	session, ids := all[0], s.answered()
	if session.ID != ids["session one"] {
		t.Errorf("nobody was told of session %s", session.ID)
	}
	lost := s.died == "the shim" && session.State == hearth.SessionFailed && strings.Contains(session.StateChangeReason, "killed")
	if session.State != hearth.SessionTerminated && !lost {
		t.Errorf("session %s is %s: %s", session.ID, session.State, session.StateChangeReason)
	}
	s.checkEvents(session.ID)
	if c, err := s.store.Calculation(t.Context(), ids["calculation "+whole]); !lost && (err != nil || c.State != hearth.CalculationCompleted || s.read(whole) != "be") {
		t.Errorf("the calculation is %s, and has left %q (%v)", c.State, s.read(whole), err)
	}
	drivers, err := driversIn(s.home, python)
	if err != nil {
		t.Fatal(err)
	}
	if known, err := drivers.Known(t.Context()); err != nil || !slices.Equal(known, []string{session.ID}) {
		t.Errorf("there are the drivers %v (%v)", known, err)
	}
	testenv.AwaitNoProcess(t, s.path("drivers"))
	if t.Failed() {
		t.Logf("answers:\n%s\nmoments:\n%q", s.read(answersFile), s.Came())
	}
	return s
}
