package sessions_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/internal/sessions"
)

// pooled is a world whose server has drivers wait for sessions.
func pooled(t *testing.T, size int, options ...func(*world)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*world){func(w *world) { w.pooling = sessions.PoolConfig{Drivers: size, Age: time.Hour} }}, options...)...)
	w.restart()
	return w
}

// waiting gives the next driver that is started ahead, which is warm then.
func (w *world) waiting() *driver {
	w.t.Helper()
	d := <-w.drivers.launched
	if d.launch.Warm == nil {
		w.t.Fatalf("it was launched for a session: %+v", d.launch)
	}
	before := w.figures().Warm
	d.happens(hearth.DriverEvent{Type: hearth.DriverWarm})
	w.pool(func(p hearth.PoolState) bool { return p.Warm == before+1 })
	return d
}

func (w *world) figures() hearth.PoolState {
	w.t.Helper()
	figures, err := w.service.Figures(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return figures.Pool
}

// pool waits until nothing happens any more. The pool is in a state then.
func (w *world) pool(is func(hearth.PoolState) bool) {
	w.t.Helper()
	synctest.Wait()
	if p := w.figures(); !is(p) {
		w.t.Fatalf("the pool is %+v", p)
	}
}

// begin starts a session that has its driver already.
func (w *world) begin(r hearth.SessionRequest) hearth.Session {
	w.t.Helper()
	r.WorkGroup = "primary"
	s, err := w.service.Start(w.t.Context(), "KEY", r)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func properties(of map[string]string) hearth.SessionRequest {
	return hearth.SessionRequest{EngineConfiguration: hearth.EngineConfiguration{SparkProperties: of}}
}

func TestPool(t *testing.T) {
	t.Run("the first start has a driver ready for the usual session", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		if d.launch.Engine != hearth.EnginePySpark3 || d.launch.Master == "" || d.launch.Warm.Age != time.Hour || d.launch.Warm.Key == "" || !d.launch.StartedAt.IsZero() {
			t.Errorf("it was launched as %+v", d.launch)
		}
	}))
	t.Run("a session has the driver that waits, which is told of it, and another one is started when it is ready", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		s := w.begin(hearth.SessionRequest{})
		if s.ID != d.launch.SessionID || s.State != hearth.SessionCreated || s.Configuration.WorkingDirectory != "s3://hearth/"+s.ID {
			t.Errorf("session %+v", s)
		}
		w.told(d, "claim primary")
		if p := w.figures(); p.Hits != 1 || p.Misses != 0 || p.Warm != 0 {
			t.Errorf("the pool is %+v", p)
		}
		synctest.Wait()
		if n := len(w.drivers.launched); n != 0 {
			t.Errorf("while the session starts, %d drivers are launched", n)
		}
		d.happens(hearth.DriverEvent{Type: hearth.DriverReady, Phases: []hearth.StartPhase{{Name: "jvm", Took: time.Second, Ahead: true}, {Name: "claim", Took: time.Millisecond}}})
		if s := w.awaitSession(s.ID, hearth.SessionIdle); len(s.Phases) != 2 || !s.Phases[0].Ahead || s.Phases[1].Ahead {
			t.Errorf("its start had %+v", s.Phases)
		}
		if next := w.waiting(); next.launch.SessionID == s.ID || next.launch.Warm.Key != d.launch.Warm.Key {
			t.Errorf("the next is %+v", next.launch)
		}
		events, err := w.store.Events(t.Context(), s.ID)
		if err != nil || len(events) != 2 || events[0].To != "CREATED" || events[1].To != "IDLE" {
			t.Errorf("its events are %+v (%v)", events, err)
		}
	}))
	t.Run("what Spark takes while it runs is no reason for another driver", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		if s := w.begin(properties(map[string]string{"spark.sql.shuffle.partitions": "3"})); s.ID != d.launch.SessionID {
			t.Errorf("session %+v", s)
		}
	}))
	t.Run("other sessions start as ever, and the next drivers are of their kind", bubble(func(t *testing.T) {
		w := pooled(t, 2)
		one, other := w.waiting(), w.waiting()
		w.clock.move(time.Hour)
		for range 3 {
			s, d := w.start(properties(map[string]string{"spark.default.parallelism": "3"}))
			if d.launch.Warm != nil || s.ID != d.launch.SessionID {
				t.Errorf("launched %+v", d.launch)
			}
			d.happens(hearth.DriverEvent{Type: hearth.DriverReady})
			w.awaitSession(s.ID, hearth.SessionIdle)
		}
		if p := w.figures(); p.Hits != 0 || p.Misses != 3 {
			t.Errorf("the pool is %+v", p)
		}
		for range 2 {
			if len(one.told) == 0 {
				one, other = other, one
			}
			w.told(one, "end")
			one.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
			next := w.waiting()
			if key := next.launch.Warm.Key; key == one.launch.Warm.Key || next.launch.Properties["spark.default.parallelism"] != "3" {
				t.Errorf("the next is %+v", next.launch)
			}
			one = other
		}
	}))
	t.Run("a session that is refused leaves the driver to the next", bubble(func(t *testing.T) {
		w := pooled(t, 1, func(w *world) { w.quotas = hearth.Quotas{Account: hearth.Quota{Sessions: 1}} })
		d := w.waiting()
		first := w.begin(properties(map[string]string{"spark.default.parallelism": "3"}))
		_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		refused(t, err, hearth.KindTooMany, "Maximum allowed sessions")
		if _, err := w.service.Terminate(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		cold := <-w.drivers.launched
		w.told(cold, "end")
		cold.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		w.awaitEnd(first.ID)
		if s := w.begin(hearth.SessionRequest{}); s.ID != d.launch.SessionID {
			t.Errorf("session %+v", s)
		}
	}))
	t.Run("a request that is repeated leaves the driver to the next", bubble(func(t *testing.T) {
		w := pooled(t, 2)
		one, other := w.waiting(), w.waiting()
		request := hearth.SessionRequest{Token: strings.Repeat("t", 32)}
		first := w.begin(request)
		if first.ID == other.launch.SessionID { // they were started in the same moment
			one, other = other, one
		}
		w.told(one, "claim primary")
		if again := w.begin(request); again.ID != first.ID {
			t.Errorf("session %+v", again)
		}
		if s := w.begin(hearth.SessionRequest{}); s.ID != other.launch.SessionID {
			t.Errorf("session %+v", s)
		}
		w.told(other, "claim primary")
	}))
	t.Run("a session that waits for its turn has none", bubble(func(t *testing.T) {
		w := pooled(t, 1, func(w *world) {
			w.quotas = hearth.Quotas{Account: hearth.Quota{Sessions: 1}, WorkGroups: map[string]hearth.WorkGroupQuota{"*": {Queue: 1}}}
		})
		w.begin(properties(map[string]string{"spark.default.parallelism": "3"}))
		cold := <-w.drivers.launched
		if cold.launch.Warm != nil {
			cold = <-w.drivers.launched
		}
		cold.happens(hearth.DriverEvent{Type: hearth.DriverReady})
		s := w.begin(hearth.SessionRequest{})
		if s.State != hearth.SessionCreating || !s.Waiting {
			t.Errorf("session %+v", s)
		}
	}))
	t.Run("a session that waits for its turn leaves the drivers that wait to others", bubble(func(t *testing.T) {
		w := pooled(t, 2, func(w *world) {
			w.quotas = hearth.Quotas{WorkGroups: map[string]hearth.WorkGroupQuota{"primary": {Quota: hearth.Quota{Sessions: 1}, Queue: 1}}}
		})
		one, other := w.waiting(), w.waiting()
		first := w.begin(hearth.SessionRequest{})
		if first.ID == other.launch.SessionID { // they were started in the same moment
			one, other = other, one
		}
		w.told(one, "claim primary")
		if s := w.begin(hearth.SessionRequest{}); !s.Waiting || s.ID == other.launch.SessionID {
			t.Errorf("session %+v", s)
		}
		one.happens(hearth.DriverEvent{Type: hearth.DriverReady})
		w.waiting()
		w.pool(func(p hearth.PoolState) bool { return p.Warm == 2 && p.Ended == 0 })
	}))
	t.Run("the next server takes up what waits", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		w.restart()
		w.pool(func(p hearth.PoolState) bool { return p.Warm == 1 })
		if s := w.begin(hearth.SessionRequest{}); s.ID != d.launch.SessionID {
			t.Errorf("session %+v", s)
		}
		w.told(d, "claim primary")
	}))
	t.Run("the next server ends what is of no use to it", func(t *testing.T) {
		for name, change := range map[string]func(*world){
			"its drivers are others": func(w *world) { w.pooling.Bound = func(hearth.Launch) string { return "newer" } },
			"it has no pool":         func(w *world) { w.pooling.Drivers = 0 },
		} {
			t.Run(name, bubble(func(t *testing.T) {
				w := pooled(t, 1)
				d := w.waiting()
				change(w)
				w.restart()
				w.told(d, "end")
				d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
				if id := <-w.drivers.removed; id != d.launch.SessionID {
					t.Errorf("%s was removed", id)
				}
			}))
		}
	})
	t.Run("a server that is there for a while leaves them alone", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		w.pooling = sessions.PoolConfig{Aside: true}
		w.restart()
		if err := w.service.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, _ := w.start(hearth.SessionRequest{}); s.ID == d.launch.SessionID {
			t.Errorf("session %+v", s)
		}
		if len(d.told) > 0 {
			t.Errorf("the driver was told %q", <-d.told)
		}
	}))
	t.Run("a session that was recorded and not told its driver is, by the next server", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		w.service.Close() // so that nobody tells the driver
		s := w.begin(hearth.SessionRequest{})
		if s.ID != d.launch.SessionID || s.State != hearth.SessionCreated {
			t.Errorf("session %+v", s)
		}
		w.restart()
		w.told(d, "claim primary")
		d.happens(hearth.DriverEvent{Type: hearth.DriverReady})
		w.awaitSession(s.ID, hearth.SessionIdle)
	}))
	t.Run("one that ends without a session is removed, and another one takes its place", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitAge})
		if id := <-w.drivers.removed; id != d.launch.SessionID {
			t.Errorf("%s was removed", id)
		}
		w.waiting()
		if p := w.figures(); p.Ended != 1 || p.Failed != 0 || p.Launched != 2 {
			t.Errorf("the pool is %+v", p)
		}
	}))
	t.Run("one that cannot be launched is not tried again at once", bubble(func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.pooling = sessions.PoolConfig{Drivers: 1, Age: time.Hour} })
		w.drivers.refusal = errors.New("no engine")
		w.restart()
		w.pool(func(p hearth.PoolState) bool { return p.Failed == 1 })
		s, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		if err != nil || s.State != hearth.SessionFailed {
			t.Errorf("a session is %s (%v)", s.State, err)
		}
		if p := w.figures(); p.Launched != 1 {
			t.Errorf("the pool is %+v", p)
		}
	}))
	t.Run("one that is silent has no session until it answers", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		d.happens(hearth.DriverEvent{Type: hearth.DriverUnresponsive})
		w.pool(func(p hearth.PoolState) bool { return p.Warm == 0 })
		if s, other := w.start(hearth.SessionRequest{}); s.ID == d.launch.SessionID || other == d {
			t.Errorf("session %+v", s)
		}
		d.happens(hearth.DriverEvent{Type: hearth.DriverResponsive})
		w.pool(func(p hearth.PoolState) bool { return p.Warm == 1 })
		if s := w.begin(hearth.SessionRequest{}); s.ID != d.launch.SessionID {
			t.Errorf("session %+v", s)
		}
	}))
	t.Run("where memory is short none is started, and those that wait give theirs to a session", bubble(func(t *testing.T) {
		free := make(chan int64, 1)
		free <- 4 << 30
		available := func() (int64, bool) {
			bytes := <-free
			free <- bytes
			return bytes, true
		}
		var log bytes.Buffer
		w := pooled(t, 1, func(w *world) {
			w.memory = hearth.DriverMemory{Heap: 2 << 30, Overhead: 1 << 30}
			w.pooling = sessions.PoolConfig{Drivers: 1, Age: time.Hour, Available: available}
			w.logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		d := w.waiting()
		<-free
		free <- 1 << 30
		_, cold := w.start(properties(map[string]string{"spark.default.parallelism": "3"}))
		w.told(d, "end")
		w.start(properties(map[string]string{"spark.default.parallelism": "4"})) // before it has ended
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		cold.happens(hearth.DriverEvent{Type: hearth.DriverReady})
		w.pool(func(p hearth.PoolState) bool { return p.Warm+p.Starting == 0 })
		if p := w.figures(); p.Launched != 1 {
			t.Errorf("the pool is %+v", p)
		}
		w.service.Close()
		if n := strings.Count(log.String(), "gives its memory to another"); n != 1 {
			t.Errorf("the log tells %d times that it gave its memory", n)
		}
	}))
	t.Run("each counts as what it may use, where sessions and the pool share a quota", bubble(func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.memory = hearth.DriverMemory{Heap: 2 << 30, MaxHeap: 7 << 30, Overhead: 1 << 30}
			w.quotas = hearth.Quotas{Account: hearth.Quota{Memory: 11 << 30}}
		})
		for _, r := range []hearth.SessionRequest{properties(map[string]string{"spark.driver.memory": "7g"}), {}} {
			s, d := w.start(r)
			d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle})
			w.awaitEnd(s.ID)
		}
		w.pooling = sessions.PoolConfig{Drivers: 2, Age: time.Hour}
		w.restart()
		for _, memory := range []int64{3 << 30, 8 << 30} {
			if d := w.waiting(); d.launch.Memory != memory {
				t.Errorf("it may use %d, want %d", d.launch.Memory, memory)
			}
		}
	}))
	t.Run("a server that ends its sessions ends those that wait for some", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		go func() {
			<-d.told
			d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		}()
		if err := w.service.EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p := w.figures(); p.Warm+p.Starting != 0 || p.Launched != 1 {
			t.Errorf("the pool is %+v", p)
		}
	}))
	t.Run("it waits for one that was given up before, because nobody knew whether its session was on record", bubble(func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.pooling = sessions.PoolConfig{Drivers: 1, Age: time.Hour} })
		store := newFailing(w.store)
		w.store = store
		w.restart()
		d := w.waiting()
		store.down.Store(true)
		_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		refused(t, err, hearth.KindUnavailable, "locked")
		store.down.Store(false)
		w.told(d, "end")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		refused(t, w.service.EndAll(ctx), hearth.KindUnavailable, "has not ended in time")
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		if err := w.service.EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}))
	t.Run("it does not wait for ever for that", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		w.waiting()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		refused(t, w.service.EndAll(ctx), hearth.KindUnavailable, "has not ended in time")
	}))
	t.Run("none is taken for a stray", bubble(func(t *testing.T) {
		w := pooled(t, 1)
		d := w.waiting()
		if err := w.service.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(d.told) > 0 {
			t.Errorf("it was told %q", <-d.told)
		}
	}))
}
