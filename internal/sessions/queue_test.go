package sessions_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
)

// under gives a world quotas.
func under(quotas hearth.Quotas) func(*world) {
	return func(w *world) { w.quotas = quotas }
}

// oneAtATime lets one session of primary run and three wait.
var oneAtATime = hearth.Quotas{WorkGroups: map[string]hearth.WorkGroupQuota{
	"primary": {Quota: hearth.Quota{Sessions: 1}, Queue: 3},
}}

// join starts a session that has to wait.
func (w *world) join(r hearth.SessionRequest) hearth.Session {
	w.t.Helper()
	r.WorkGroup = "primary"
	s, err := w.service.Start(w.t.Context(), "KEY", r)
	if err != nil || s.State != hearth.SessionCreating || !strings.HasPrefix(s.StateChangeReason, "Waiting: position ") {
		w.t.Fatalf("session is %s (%s), %v", s.State, s.StateChangeReason, err)
	}
	return s
}

// waits checks what a session that waits says.
func (w *world) waits(id, want string) {
	w.t.Helper()
	s, err := w.service.Session(w.t.Context(), id)
	if err != nil || s.State != hearth.SessionCreating || !strings.Contains(s.StateChangeReason, want) {
		w.t.Errorf("session is %s (%s), %v; want one that waits at %s", s.State, s.StateChangeReason, err, want)
	}
}

// ends lets a driver end by itself.
func (w *world) ends(id string, d *driver) {
	w.t.Helper()
	d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle, Reason: "idle"})
	w.awaitSession(id, hearth.SessionTerminated)
}

func TestQueue(t *testing.T) {
	t.Run("sessions wait and start one after the other", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		first, d := w.idle()
		second, third := w.join(hearth.SessionRequest{}), w.join(hearth.SessionRequest{})
		w.waits(second.ID, "position 1 of 2 in the queue of WorkGroup primary")
		w.waits(third.ID, "position 2 of 2")
		if executors, err := w.service.Executors(t.Context(), second.ID, ""); err != nil || len(executors) != 0 {
			t.Errorf("one that waits has the executors %v, %v", executors, err)
		}
		w.ends(first.ID, d)
		if d = <-w.drivers.launched; d.launch.SessionID != second.ID {
			t.Errorf("launched %s, want %s", d.launch.SessionID, second.ID)
		}
		s := w.awaitSession(second.ID, hearth.SessionCreated)
		if s.StateChangeReason != "" || s.Waiting {
			t.Errorf("reason %q, waiting %v", s.StateChangeReason, s.Waiting)
		}
		w.waits(third.ID, "position 1 of 1")
		w.ends(second.ID, d)
		if d = <-w.drivers.launched; d.launch.SessionID != third.ID {
			t.Errorf("launched %s, want %s", d.launch.SessionID, third.ID)
		}
	})
	t.Run("a listing says where each waits", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		first, _ := w.idle()
		w.join(hearth.SessionRequest{})
		w.join(hearth.SessionRequest{})
		all, _, err := w.service.Sessions(t.Context(), hearth.SessionFilter{WorkGroup: "primary"}, hearth.Page{Limit: 10})
		if err != nil || len(all) != 3 || !strings.Contains(all[0].StateChangeReason, "position 2 of 2") ||
			!strings.Contains(all[1].StateChangeReason, "position 1 of 2") || all[2].ID != first.ID || all[2].StateChangeReason != "" {
			t.Errorf("listed %+v, %v", all, err)
		}
	})
	t.Run("one over the queue is refused", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		w.idle()
		for range 3 {
			w.join(hearth.SessionRequest{})
		}
		_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		refused(t, err, hearth.KindTooMany, "Maximum allowed sessions")
	})
	t.Run("a repeated token gives the session that waits", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		w.idle()
		r := hearth.SessionRequest{Token: strings.Repeat("t", 32)}
		if first, again := w.join(r), w.join(r); first.ID != again.ID || first.StateChangeReason != again.StateChangeReason {
			t.Errorf("%s (%s), then %s (%s)", first.ID, first.StateChangeReason, again.ID, again.StateChangeReason)
		}
	})
	t.Run("one that is asked to end has ended, without a driver, and the others move up", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		first, d := w.idle()
		second, third := w.join(hearth.SessionRequest{}), w.join(hearth.SessionRequest{})
		if state, err := w.service.Terminate(t.Context(), second.ID); err != nil || state != hearth.SessionTerminating && state != hearth.SessionTerminated {
			t.Fatalf("state %s, %v", state, err)
		}
		s := w.awaitSession(second.ID, hearth.SessionTerminated)
		if s.StateChangeReason != hearth.ReasonTerminated || s.DPUMillis != 0 {
			t.Errorf("reason %q, %d DPU ms", s.StateChangeReason, s.DPUMillis)
		}
		if executors := s.Executors(); len(executors) != 0 {
			t.Errorf("it had %+v", executors)
		}
		w.waits(third.ID, "position 1 of 1")
		w.ends(first.ID, d)
		if d = <-w.drivers.launched; d.launch.SessionID != third.ID {
			t.Errorf("launched %s, want %s", d.launch.SessionID, third.ID)
		}
	})
	t.Run("whoever holds on to one that waits gets it when it does not any more", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		first, d := w.idle()
		second := w.join(hearth.SessionRequest{})
		held := make(chan hearth.Session)
		go func() {
			s, _ := w.service.AwaitSession(t.Context(), second.ID, hearth.SessionCreating)
			held <- s
		}()
		w.ends(first.ID, d)
		if s := <-held; s.State != hearth.SessionCreated {
			t.Errorf("got one that is %s", s.State)
		}
		short, stop := context.WithCancel(t.Context())
		stop()
		third := w.join(hearth.SessionRequest{})
		s, err := w.service.AwaitSession(short, third.ID, hearth.SessionCreating)
		if err != nil || !strings.Contains(s.StateChangeReason, "position 1 of 1") {
			t.Errorf("who cannot wait gets one that is %s (%s), %v", s.State, s.StateChangeReason, err)
		}
	})
	t.Run("none has its turn while all are being ended", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		_, d := w.idle()
		second, third := w.join(hearth.SessionRequest{}), w.join(hearth.SessionRequest{})
		go func() {
			<-d.told
			d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		}()
		if err := w.service.EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{second.ID, third.ID} {
			w.awaitSession(id, hearth.SessionTerminated)
		}
		w.service.Close()
		if n := len(w.drivers.launched); n != 0 {
			t.Errorf("%d were launched", n)
		}
	})
}

func TestQueue_Resume(t *testing.T) {
	t.Run("those that wait go on waiting, in their order", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		first, d := w.idle()
		second, third := w.join(hearth.SessionRequest{}), w.join(hearth.SessionRequest{})
		w.restart()
		w.waits(second.ID, "position 1 of 2")
		w.waits(third.ID, "position 2 of 2")
		w.ends(first.ID, d)
		if d = <-w.drivers.launched; d.launch.SessionID != second.ID {
			t.Errorf("launched %s, want %s", d.launch.SessionID, second.ID)
		}
	})
	t.Run("room that there is now is used", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		w.idle()
		ids := []string{w.join(hearth.SessionRequest{}).ID, w.join(hearth.SessionRequest{}).ID}
		w.quotas = hearth.Quotas{}
		w.restart()
		for range ids {
			if d := <-w.drivers.launched; !slices.Contains(ids, d.launch.SessionID) {
				t.Errorf("launched %s", d.launch.SessionID)
			}
		}
	})
	t.Run("one that was admitted and not launched is launched", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		w.idle()
		second := w.join(hearth.SessionRequest{})
		w.service.Close()
		if ids, err := w.store.AdmitSessions(t.Context(), hearth.Quotas{}, time.Now()); err != nil || len(ids) != 1 {
			t.Fatalf("admitted %v, %v", ids, err)
		}
		w.drivers.adoption[second.ID] = hearth.NeverLaunched
		w.restart()
		if d := <-w.drivers.launched; d.launch.SessionID != second.ID {
			t.Errorf("launched %s, want %s", d.launch.SessionID, second.ID)
		}
	})
	t.Run("an end that was asked for is carried out", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		w.idle()
		second := w.join(hearth.SessionRequest{})
		w.service.Close()
		if _, err := w.service.Terminate(t.Context(), second.ID); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.awaitSession(second.ID, hearth.SessionTerminated)
	})
}
