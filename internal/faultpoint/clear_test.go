package faultpoint_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
	"hearth/internal/sessions"
	"hearth/internal/sqlite"
	"hearth/internal/testenv"
)

// A server that clears up finds three drivers: that of a session that ended
// long ago, that of one that goes on, and one that is on no record.
const (
	over   = "over"
	goesOn = "goes on"
	stray  = "00000000-0000-4000-8000-000000000000"
)

// forgetful settings keep nothing of sessions that ended an hour ago. Their
// clock is a day ahead.
var forgetful = sessions.Config{
	KeepDrivers: time.Hour, KeepRecords: time.Hour,
	Now: func() time.Time { return time.Now().Add(24 * time.Hour) },
}

// clearUp is a server that lives until it has cleared up.
func clearUp(home, python string) error {
	done, heed := make(chan struct{}), faultpoint.Reached
	faultpoint.Reached = func(thing, moment string) {
		heed(thing, moment)
		if thing == "records" && moment == "deleted" { // the last thing to be done; it comes once
			close(done)
		}
	}
	s, err := open(context.Background(), home, python, forgetful)
	if err != nil {
		return err
	}
	select {
	case <-done:
	case <-time.After(patience / 2):
		err = errors.New("the records have not been deleted")
	}
	return errors.Join(err, s.leave())
}

// cleared has servers clear up until one comes to its end, and looks at what is
// there then, and was when one was killed.
func cleared(t *testing.T, python, crash string) *story {
	t.Helper()
	s := newStory(t)
	s.Choose(t, "")
	ids := s.furnish(python)
	s.Choose(t, crash)
	if !s.live("clear up", python) {
		s.checkRecords(ids, crash)
		if !s.live("clear up", python) {
			t.Fatal("a server was killed again")
		}
	}
	if (s.Died() == "the server") != (crash != "") {
		t.Fatalf("%q died", s.Died())
	}
	s.checkRecords(ids, "the end")
	if left, err := filepath.Glob(s.path("drivers/*" + ids[over])); err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
	if hidden, err := filepath.Glob(s.path("drivers/.*")); err != nil || len(hidden) > 0 {
		t.Errorf("%v is left (%v)", hidden, err)
	}
	testenv.AwaitNoProcess(t, s.path("drivers/"+stray))
	s.checkGoesOn(python, ids[goesOn])
	return s
}

// furnish makes what there is to be cleared up. It gives the ids of the sessions,
// and of the one's calculation.
func (s *story) furnish(python string) map[string]string {
	s.Helper()
	ctx, ids := s.Context(), make(map[string]string)
	server, err := open(ctx, s.home, python, sessions.Config{})
	if err == nil {
		ids[over], err = server.start(ctx, over)
	}
	if err == nil {
		err = server.settled(ctx, ids[over])
	}
	if err == nil {
		ids[whole] = server.submit(ctx, ids[over], whole)
		err = server.over(ctx, ids[whole])
	}
	if err == nil {
		err = server.end(ctx, ids[over])
	}
	if err == nil {
		ids[goesOn], err = server.start(ctx, goesOn)
	}
	if err == nil {
		err = server.settled(ctx, ids[goesOn])
	}
	if err == nil {
		err = server.leave()
	}
	if err != nil {
		s.Fatal(err)
	}
	drivers, err := driversIn(s.home, python)
	if err == nil {
		_, err = drivers.Launch(ctx, hearth.Launch{SessionID: stray, IdleTimeout: time.Hour})
	}
	if err != nil {
		s.Fatal(err)
	}
	testenv.AwaitNoProcess(s, s.path("drivers/"+ids[over])) // its shim tells its end a moment before its own
	return ids
}

// checkRecords checks that there is all of an ended session's records, or none:
// none in the end.
func (s *story) checkRecords(ids map[string]string, at string) {
	s.Helper()
	store, err := sqlite.Open(s.path("hearth.db"))
	if err != nil {
		s.Fatal(err)
	}
	defer store.Close()
	_, session := store.Session(s.Context(), ids[over])
	_, calculation := store.Calculation(s.Context(), ids[whole])
	events, _ := store.Events(s.Context(), ids[over])
	gone := hearth.KindOf(session) == hearth.KindNotFound
	if hearth.KindOf(calculation) == hearth.KindNotFound != gone || (len(events) == 0) != gone || !gone && at == "the end" {
		s.Errorf("at %q, of an ended session there is: the session (%v), its calculation (%v), and %d events", at, session, calculation, len(events))
	}
	if live, err := store.Session(s.Context(), ids[goesOn]); err != nil || live.State != hearth.SessionIdle {
		s.Errorf("at %q, the session that goes on is %s, %v", at, live.State, err)
	}
}

// checkGoesOn uses the session that nobody ended.
func (s *story) checkGoesOn(python, id string) {
	s.Helper()
	ctx := s.Context()
	if err := os.Remove(s.path(whole)); err != nil { // of the other session
		s.Fatal(err)
	}
	server, err := open(ctx, s.home, python, sessions.Config{})
	if err != nil {
		s.Fatal(err)
	}
	calculation := server.submit(ctx, id, whole)
	if err = server.over(ctx, calculation); err == nil {
		err = server.end(ctx, id)
	}
	c, reading := server.Calculation(ctx, calculation)
	if err := errors.Join(err, reading, server.leave()); err != nil || c.State != hearth.CalculationCompleted {
		s.Errorf("in the session that goes on, a calculation is %s (%s), %v\n%s", c.State, c.StateChangeReason, err, strings.TrimSpace(s.read(answersFile)))
	}
	if _, err := os.Stat(s.path(fmt.Sprintf("drivers/%s/journal", id))); err != nil {
		s.Error(err)
	}
}
