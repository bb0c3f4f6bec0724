package sessions_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/recent"
	"hearth/internal/sessions"
	"hearth/internal/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a service on a real store, with drivers and objects of the test's.
type world struct {
	t       *testing.T
	store   hearth.Store
	drivers *drivers
	objects *objects
	service *sessions.Service
	quotas  hearth.Quotas
	starts  int
	memory  hearth.DriverMemory
	before  func(hearth.Change) // is called before each change of the store
	keep    time.Duration
	records time.Duration // how long they are kept
	results sessions.Retention
	tokens  time.Duration // how long they begin operations
	pooling sessions.PoolConfig
	logger  *slog.Logger
	clock   clock
}

// clock is the machine's, moved.
type clock struct{ moved atomic.Int64 }

func (c *clock) move(d time.Duration) { c.moved.Add(int64(d)) }
func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.moved.Load())) }

// bubble has time pass for a test only while nothing else happens in it.
func bubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

func newWorld(t *testing.T, options ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, drivers: newDrivers(), objects: newObjects()}
	for _, option := range options {
		option(w)
	}
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "hearth.db"))
	if err != nil {
		t.Fatal(err)
	}
	w.store = &meddled{Store: recent.New(store), before: w.before}
	t.Cleanup(func() {
		w.service.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.open()
	for _, g := range []hearth.WorkGroup{
		{Name: "primary", Enabled: true, Engine: version(hearth.EnginePySpark3), WorkGroupSettings: settings},
		{Name: "sql", Enabled: true, Engine: version(hearth.EngineSQL3), WorkGroupSettings: settings},
		{Name: "off", Engine: version(hearth.EnginePySpark3), WorkGroupSettings: settings},
	} {
		if err := w.service.EnsureWorkGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// meddled is a store that lets somebody come in between a decision and its
// record.
type meddled struct {
	hearth.Store
	before func(hearth.Change)
}

func (m *meddled) Apply(ctx context.Context, change hearth.Change) error {
	if m.before != nil {
		m.before(change)
	}
	return m.Store.Apply(ctx, change)
}

const role = "arn:aws:iam::123456789012:role/hearth"

// settings are those of a workgroup that sessions can be started in.
var settings = hearth.WorkGroupSettings{OutputLocation: "s3://hearth/", ExecutionRole: role}

func version(name string) hearth.EngineVersion {
	return hearth.EngineVersion{Selected: name, Effective: name}
}

func (w *world) open() {
	w.service = sessions.New(sessions.Config{
		Store: w.store, Drivers: w.drivers, Objects: w.objects, Histories: histories{}, Now: w.clock.now,
		Quotas: w.quotas, Starts: w.starts, Memory: w.memory, KeepDrivers: w.keep, KeepRecords: w.records, ConnectTokenTTL: w.tokens,
		Results: sessions.Retention{Objects: w.objects, Age: w.results.Age, Size: w.results.Size}, Pool: w.pooling, Log: w.logger,
	})
}

// restart leaves as a server that stops, and begins as one that starts.
func (w *world) restart() {
	w.t.Helper()
	w.service.Close()
	w.open()
	if err := w.service.Resume(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(r hearth.SessionRequest) (hearth.Session, *driver) {
	w.t.Helper()
	if r.WorkGroup == "" {
		r.WorkGroup = "primary"
	}
	s, err := w.service.Start(w.t.Context(), "KEY", r)
	if err != nil {
		w.t.Fatal(err)
	}
	return s, <-w.drivers.launched
}

func (w *world) idle() (hearth.Session, *driver) {
	w.t.Helper()
	s, d := w.start(hearth.SessionRequest{})
	d.happens(hearth.DriverEvent{Type: hearth.DriverReady, Phases: []hearth.StartPhase{{Name: "spawn", Took: time.Millisecond}}})
	return w.awaitSession(s.ID, hearth.SessionIdle), d
}

func (w *world) submit(sessionID string) hearth.Calculation {
	w.t.Helper()
	c, err := w.service.Submit(w.t.Context(), "KEY", hearth.CalculationRequest{SessionID: sessionID, Code: "1+1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) awaitSession(id string, want hearth.SessionState) hearth.Session {
	w.t.Helper()
	s, err := w.service.Session(w.t.Context(), id)
	for err == nil && s.State != want {
		if s.State.Ended() {
			w.t.Fatalf("session is %s (%s), want %s", s.State, s.StateChangeReason, want)
		}
		s, err = w.service.AwaitSession(w.t.Context(), id, s.State)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// awaitEnd waits until a session has ended, whatever made it end.
func (w *world) awaitEnd(id string) hearth.Session {
	w.t.Helper()
	s, err := w.service.Session(w.t.Context(), id)
	for err == nil && !s.State.Ended() {
		s, err = w.service.AwaitSession(w.t.Context(), id, s.State)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) awaitCalculation(id string, want hearth.CalculationState) hearth.Calculation {
	w.t.Helper()
	c, err := w.service.Calculation(w.t.Context(), id)
	for err == nil && c.State != want {
		if c.State.Ended() {
			w.t.Fatalf("calculation is %s (%s), want %s", c.State, c.StateChangeReason, want)
		}
		c, err = w.service.AwaitCalculation(w.t.Context(), id, c.State)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// patience is for what is to happen soon. In a bubble it passes at once when
// nothing else is to happen, and without it what looks around every hour would
// for ever.
const patience = time.Minute

func (w *world) told(d *driver, want string) {
	w.t.Helper()
	select {
	case got := <-d.told:
		if got != want {
			w.t.Fatalf("the driver was told %q, want %q", got, want)
		}
	case <-time.After(patience):
		w.t.Fatalf("the driver was not told %q", want)
	}
}

func refused(t *testing.T, err error, kind hearth.Kind, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || hearth.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v (%v), want %v with %q", err, hearth.KindOf(err), kind, text)
		}
	}
}

func TestStart(t *testing.T) {
	t.Run("answers CREATED, and the session is IDLE when its driver is ready", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.start(hearth.SessionRequest{
			Description: "d", IdleTimeout: 5 * time.Minute,
			EngineConfiguration: hearth.EngineConfiguration{SparkProperties: map[string]string{"spark.a": "1", "b": "2"}},
		})
		if s.State != hearth.SessionCreated {
			t.Errorf("state %s", s.State)
		}
		if d.launch.IdleTimeout != 5*time.Minute || d.launch.Properties["spark.a"] != "1" || len(d.launch.Properties) != 1 {
			t.Errorf("launched %+v", d.launch)
		}
		d.happens(hearth.DriverEvent{Type: hearth.DriverReady, Phases: []hearth.StartPhase{{Name: "jvm", Took: time.Second}}})
		s = w.awaitSession(s.ID, hearth.SessionIdle)
		if len(s.Phases) != 1 || s.IdleSince.IsZero() || !s.EndedAt.IsZero() {
			t.Errorf("session %+v", s)
		}
		if s.EngineConfiguration.MaxConcurrentDPUs != 20 || s.Configuration.ExecutionRole == "" || s.Configuration.WorkingDirectory != "s3://hearth/"+s.ID {
			t.Errorf("session %+v", s)
		}
	})
	t.Run("refuses what the workgroup cannot run", func(t *testing.T) {
		w := newWorld(t)
		for group, text := range map[string]string{
			"nowhere": "is not found",
			"sql":     "Workgroup EngineVersion is not Spark.",
			"off":     "disabled",
		} {
			_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: group})
			kind := hearth.KindInvalid
			if group == "nowhere" {
				kind = hearth.KindNotFound
			}
			refused(t, err, kind, text)
		}
		_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{
			WorkGroup:           "primary",
			EngineConfiguration: hearth.EngineConfiguration{AdditionalConfigs: map[string]string{"NotebookId": "n"}},
		})
		refused(t, err, hearth.KindInvalid, "NotebookVersion is required when NotebookId is provided.")
		_, err = w.service.Start(t.Context(), "KEY", hearth.SessionRequest{
			WorkGroup:           "primary",
			EngineConfiguration: hearth.EngineConfiguration{AdditionalConfigs: map[string]string{hearth.AdditionalWorkingDirectory: "here"}},
		})
		refused(t, err, hearth.KindInvalid, "absolute")
		if live, err := w.store.LiveSessions(t.Context()); err != nil || len(live) != 0 {
			t.Errorf("%d sessions were recorded (%v)", len(live), err)
		}
	})
	t.Run("a session that asks for more memory than it may have is refused and not recorded", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.memory = hearth.DriverMemory{Heap: 2 << 30, MaxHeap: 4 << 30, Overhead: 1 << 30} })
		_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{
			WorkGroup:           "primary",
			EngineConfiguration: hearth.EngineConfiguration{SparkProperties: map[string]string{"spark.driver.memory": "8g"}},
		})
		refused(t, err, hearth.KindInvalid, "8 GiB of memory with spark.driver.memory, and 4 GiB is the most")
		if live, err := w.store.LiveSessions(t.Context()); err != nil || len(live) != 0 {
			t.Errorf("%d sessions were recorded (%v)", len(live), err)
		}
	})
	t.Run("a session keeps the memory that it was started with, whatever the rule is then", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.memory = hearth.DriverMemory{Heap: 2 << 30, Overhead: 1 << 30} })
		s, d := w.start(hearth.SessionRequest{})
		if d.launch.Memory != 3<<30 {
			t.Errorf("its driver may use %d", d.launch.Memory)
		}
		w.memory.Heap = 8 << 30
		w.restart()
		claims, err := w.store.Claims(t.Context())
		if err != nil || len(claims) != 1 || claims[0].SessionID != s.ID || claims[0].Memory != 3<<30 {
			t.Errorf("claims %+v, %v", claims, err)
		}
	})
	t.Run("a launch that is refused leaves a FAILED session with the reason", func(t *testing.T) {
		w := newWorld(t)
		w.drivers.refusal = hearth.Errorf(hearth.KindUnavailable, "no Java 17 was found")
		s, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		if err != nil || s.State != hearth.SessionFailed || !strings.Contains(s.StateChangeReason, "no Java 17") {
			t.Errorf("session is %s (%s), %v", s.State, s.StateChangeReason, err)
		}
	})
	t.Run("a repeated token gives the same session, also over the limit and after its end", func(t *testing.T) {
		w := newWorld(t, under(hearth.Quotas{Account: hearth.Quota{Sessions: 1}}))
		token := strings.Repeat("t", 32)
		s, d := w.start(hearth.SessionRequest{Token: token})
		again := func() {
			t.Helper()
			r, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary", Token: token})
			if err != nil || r.ID != s.ID {
				t.Errorf("got %s, %v; want %s", r.ID, err, s.ID)
			}
		}
		again()
		_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary", Token: token, Description: "other"})
		refused(t, err, hearth.KindIdempotencyMismatch, "")
		_, err = w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		refused(t, err, hearth.KindTooMany, "Maximum allowed sessions")
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "killed"})
		w.awaitSession(s.ID, hearth.SessionFailed)
		again()
		w.objects.gone = true // what would be refused now was not then
		again()
		if err := w.service.UpdateWorkGroup(t.Context(), "primary", func(g *hearth.WorkGroup) { g.Enabled = false }); err != nil {
			t.Fatal(err)
		}
		again()
		_, err = w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary", Token: token, Description: "other"})
		refused(t, err, hearth.KindInvalid, "disabled")
	})
}

func TestSubmit(t *testing.T) {
	t.Run("runs, publishes and then completes", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		if c.State != hearth.CalculationCreating {
			t.Errorf("answered %s", c.State)
		}
		w.told(d, "execute "+c.ID)
		_, err := w.service.Submit(t.Context(), "KEY", hearth.CalculationRequest{SessionID: s.ID, Code: "2"})
		refused(t, err, hearth.KindConflict, "Session is in the BUSY state; needs to be IDLE to accept Calculations.")
		d.happens(hearth.DriverEvent{Type: hearth.CalculationStarted, CalculationID: c.ID})
		w.awaitCalculation(c.ID, hearth.CalculationRunning)
		d.writes(c.ID, hearth.Stdout, "out")
		d.writes(c.ID, hearth.Stderr, "")
		d.writes(c.ID, "result", "{}")
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK, Ran: 3 * time.Second, Progress: "100%"})
		c = w.awaitCalculation(c.ID, hearth.CalculationCompleted)
		if got := w.objects.text(c.StdoutURI()); got != "out" {
			t.Errorf("stdout is %q", got)
		}
		if c.StateChangeReason != "" || c.DPUMillis != 3000*int64(s.EngineConfiguration.DPUs()) || c.Progress != "100%" {
			t.Errorf("calculation %+v", c)
		}
		if s = w.awaitSession(s.ID, hearth.SessionIdle); s.DPUMillis != c.DPUMillis {
			t.Errorf("session has %d DPU ms, its calculation %d", s.DPUMillis, c.DPUMillis)
		}
	})
	t.Run("a repeated token wins over the BUSY state", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.idle()
		r := hearth.CalculationRequest{SessionID: s.ID, Code: "1", Token: strings.Repeat("t", 32)}
		first, err := w.service.Submit(t.Context(), "KEY", r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.service.Submit(t.Context(), "KEY", r)
		if err != nil || again.ID != first.ID {
			t.Errorf("got %s, %v; want %s", again.ID, err, first.ID)
		}
	})
	t.Run("refuses too much code, counting characters", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.idle()
		_, err := w.service.Submit(t.Context(), "KEY", hearth.CalculationRequest{SessionID: s.ID, Code: strings.Repeat("é", hearth.MaxCodeLength+1)})
		refused(t, err, hearth.KindInvalid, "68001")
		if _, err := w.service.Submit(t.Context(), "KEY", hearth.CalculationRequest{SessionID: s.ID, Code: strings.Repeat("é", hearth.MaxCodeLength)}); err != nil {
			t.Error(err)
		}
	})
	t.Run("waits for the output location when it is down", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		w.objects.setDown(true)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		<-w.objects.denied
		if c, err := w.service.Calculation(t.Context(), c.ID); err != nil || c.State.Ended() {
			t.Errorf("calculation is %s before its files are there (%v)", c.State, err)
		}
		w.objects.setDown(false)
		w.awaitCalculation(c.ID, hearth.CalculationCompleted)
	})
	t.Run("fails when the output location refuses for good, and the session goes on", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		w.objects.gone = true
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		if c = w.awaitCalculation(c.ID, hearth.CalculationFailed); !strings.Contains(c.StateChangeReason, "no bucket for s3://hearth/") {
			t.Errorf("reason %q", c.StateChangeReason)
		}
		w.awaitSession(s.ID, hearth.SessionIdle)
	})
	t.Run("a lost driver fails the calculation and leaves the reason in its stderr", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "The driver was killed by signal 9", Ran: time.Second})
		c = w.awaitCalculation(c.ID, hearth.CalculationFailed)
		if c.StateChangeReason != "The driver was killed by signal 9" || !strings.Contains(w.objects.text(c.StderrURI()), "signal 9") {
			t.Errorf("reason %q, stderr %q", c.StateChangeReason, w.objects.text(c.StderrURI()))
		}
		w.awaitSession(s.ID, hearth.SessionFailed)
		_, err := w.service.Submit(t.Context(), "KEY", hearth.CalculationRequest{SessionID: s.ID, Code: "2"})
		refused(t, err, hearth.KindConflict, "Session is in the FAILED state")
	})
	t.Run("a driver that was lost before it told of an end has no result", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		d.writes(c.ID, "result", `{"status":"ok","exit_status":0}`)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "The driver was killed by signal 9"})
		c = w.awaitCalculation(c.ID, hearth.CalculationFailed)
		if result := w.objects.text(c.ResultURI() + "result.json"); !strings.Contains(result, `"status":"error"`) {
			t.Errorf("its result is %s", result)
		}
	})
}

// A calculation that was taken in the moment in which its driver was found dead
// was CREATING for ever: the session's end had been decided without it.
func TestSubmit_WhileTheDriverDies(t *testing.T) {
	var c hearth.Calculation
	var w *world
	w = newWorld(t, func(world *world) {
		world.before = func(change hearth.Change) {
			if c.ID != "" || change.Session == nil || change.Session.To != hearth.SessionFailed {
				return
			}
			var err error
			if c, err = w.service.Submit(t.Context(), "KEY", hearth.CalculationRequest{SessionID: change.Session.ID, Code: "1"}); err != nil {
				t.Error(err)
			}
		}
	})
	s, d := w.idle()
	d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "The driver was killed by signal 9"})
	w.awaitSession(s.ID, hearth.SessionFailed)
	if c = w.awaitCalculation(c.ID, hearth.CalculationFailed); c.StateChangeReason != "The driver was killed by signal 9" {
		t.Errorf("reason %q", c.StateChangeReason)
	}
}

// A stop that was answered while the files of a lost calculation were being
// published was forgotten: the end that had been decided before it was written.
func TestCancel_WhileTheDriverDies(t *testing.T) {
	var w *world
	var once sync.Once
	w = newWorld(t, func(world *world) {
		world.before = func(change hearth.Change) {
			if change.Session == nil || change.Session.To != hearth.SessionFailed {
				return
			}
			once.Do(func() {
				if state, err := w.service.Cancel(t.Context(), change.Calculation.ID); state != hearth.CalculationCanceling || err != nil {
					t.Errorf("answered %s, %v", state, err)
				}
			})
		}
	})
	s, d := w.idle()
	c := w.submit(s.ID)
	w.told(d, "execute "+c.ID)
	d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "The driver was killed by signal 9"})
	w.awaitSession(s.ID, hearth.SessionFailed)
	if c = w.awaitCalculation(c.ID, hearth.CalculationCanceled); c.StateChangeReason != "The driver was killed by signal 9" {
		t.Errorf("reason %q", c.StateChangeReason)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	s, d := w.idle()
	c := w.submit(s.ID)
	if state, err := w.service.Cancel(t.Context(), c.ID); err != nil || state != hearth.CalculationCanceling {
		t.Fatalf("state %s, %v", state, err)
	}
	w.told(d, "execute "+c.ID) // never a cancel of what the driver does not have
	w.told(d, "cancel "+c.ID)
	d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeCanceled})
	w.awaitCalculation(c.ID, hearth.CalculationCanceled)
	w.awaitSession(s.ID, hearth.SessionIdle)
	if state, err := w.service.Cancel(t.Context(), c.ID); err != nil || state != hearth.CalculationCanceled {
		t.Errorf("cancelling again: %s, %v", state, err)
	}
	if _, err := w.service.Cancel(t.Context(), "nothing"); hearth.KindOf(err) != hearth.KindNotFound {
		t.Errorf("cancelling nothing: %v", err)
	}
}

func TestTerminate(t *testing.T) {
	t.Run("ends the session and what runs in it", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		if state, err := w.service.Terminate(t.Context(), s.ID); err != nil || state != hearth.SessionTerminating {
			t.Fatalf("state %s, %v", state, err)
		}
		w.told(d, "end")
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		s = w.awaitSession(s.ID, hearth.SessionTerminated)
		if s.StateChangeReason != "Session was terminated per request" || s.EndedAt.IsZero() || !s.IdleSince.IsZero() {
			t.Errorf("session %+v", s)
		}
		if c = w.awaitCalculation(c.ID, hearth.CalculationCanceled); c.StateChangeReason != hearth.ReasonCalculationEnded {
			t.Errorf("the calculation's reason is %q", c.StateChangeReason)
		}
		if result := w.objects.text(c.ResultURI() + "result.json"); !strings.Contains(result, `"status":"canceled"`) || !strings.Contains(result, `"exit_status":130`) {
			t.Errorf("result %s", result)
		}
		if state, err := w.service.Terminate(t.Context(), s.ID); err != nil || state != hearth.SessionTerminated {
			t.Errorf("terminating again: %s, %v", state, err)
		}
	})
	t.Run("code that stopped before its driver did has the same reason", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		if _, err := w.service.Terminate(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		w.told(d, "end")
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeCanceled, Reason: "stopped"})
		if c = w.awaitCalculation(c.ID, hearth.CalculationCanceled); c.StateChangeReason != hearth.ReasonCalculationEnded {
			t.Errorf("reason %q", c.StateChangeReason)
		}
	})
	t.Run("the idle timeout's end reads the same", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle, Reason: "idle for 20 minutes"})
		if s = w.awaitSession(s.ID, hearth.SessionTerminated); s.StateChangeReason != hearth.ReasonTerminated {
			t.Errorf("reason %q", s.StateChangeReason)
		}
	})
}

func TestDegraded(t *testing.T) {
	w := newWorld(t)
	s, d := w.idle()
	c := w.submit(s.ID)
	w.told(d, "execute "+c.ID)
	d.happens(hearth.DriverEvent{Type: hearth.DriverUnresponsive, Reason: "no heartbeat for 30 s"})
	if got := w.awaitSession(s.ID, hearth.SessionDegraded); got.StateChangeReason != "no heartbeat for 30 s" {
		t.Errorf("reason %q", got.StateChangeReason)
	}
	d.happens(hearth.DriverEvent{Type: hearth.DriverResponsive})
	w.awaitSession(s.ID, hearth.SessionBusy)

	// What was over before the server left is not shown again by the next.
	w.restart()
	d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
	w.awaitSession(s.ID, hearth.SessionIdle)
	events, err := w.service.Events(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	degraded := 0
	for _, e := range events {
		if e.To == string(hearth.SessionDegraded) {
			degraded++
		}
	}
	if degraded != 1 {
		t.Errorf("the session was DEGRADED %d times", degraded)
	}
}

func TestResume(t *testing.T) {
	t.Run("a running calculation ends as it did meanwhile", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		w.service.Close()
		d.writes(c.ID, hearth.Stdout, "said while nobody listened")
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		w.restart()
		c = w.awaitCalculation(c.ID, hearth.CalculationCompleted)
		if got := w.objects.text(c.StdoutURI()); got != "said while nobody listened" {
			t.Errorf("stdout %q", got)
		}
		w.awaitSession(s.ID, hearth.SessionIdle)
	})
	t.Run("recorded requests are carried out", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		w.service.Close() // requests that no pursuit sees
		c := w.submit(s.ID)
		if _, err := w.service.Cancel(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.told(d, "execute "+c.ID)
		w.told(d, "cancel "+c.ID)
		w.service.Close()
		if _, err := w.service.Terminate(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.told(d, "end")
	})
	t.Run("a launch that never happened happens now", func(t *testing.T) {
		w := newWorld(t)
		session := hearth.Session{
			ID: hearth.NewID(time.Now()), WorkGroup: "primary", State: hearth.SessionCreating,
			Engine: version(hearth.EnginePySpark3), StartedAt: time.Now(), ModifiedAt: time.Now(),
		}
		if _, _, err := w.store.CreateSession(t.Context(), session, hearth.Quotas{}, nil); err != nil {
			t.Fatal(err)
		}
		w.drivers.adoption[session.ID] = hearth.NeverLaunched
		w.restart()
		<-w.drivers.launched
		w.awaitSession(session.ID, hearth.SessionCreated)
	})
	t.Run("a session that came while the server left is launched by the next", func(t *testing.T) {
		w := newWorld(t)
		w.service.Close()
		s, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		if err != nil || s.State != hearth.SessionCreating {
			t.Fatalf("session is %s, %v", s.State, err)
		}
		w.drivers.adoption[s.ID] = hearth.NeverLaunched
		w.restart()
		<-w.drivers.launched
		w.awaitSession(s.ID, hearth.SessionCreated)
	})
	t.Run("a session whose end was asked for and that has no driver has ended", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.idle()
		w.service.Close()
		if _, err := w.service.Terminate(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		w.drivers.adoption[s.ID] = hearth.NeverLaunched
		w.restart()
		w.awaitSession(s.ID, hearth.SessionTerminated)
	})
	t.Run("a driver that is gone fails its session", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		w.drivers.adoption[s.ID] = hearth.NeverLaunched
		w.restart()
		if s = w.awaitSession(s.ID, hearth.SessionFailed); !strings.Contains(s.StateChangeReason, "gone without a trace") {
			t.Errorf("reason %q", s.StateChangeReason)
		}
		w.awaitCalculation(c.ID, hearth.CalculationFailed)
	})
	t.Run("a stray driver is told to end", func(t *testing.T) {
		w := newWorld(t)
		stray, err := w.drivers.Launch(t.Context(), hearth.Launch{SessionID: "stray"})
		if err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.told(stray.(*driver), "end")
	})
}

func TestSweep(t *testing.T) {
	// ended is a session that ran a calculation and is over.
	ended := func(w *world) (hearth.Session, hearth.Calculation) {
		s, d := w.idle()
		c := w.submit(s.ID)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		w.awaitCalculation(c.ID, hearth.CalculationCompleted)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		return w.awaitSession(s.ID, hearth.SessionTerminated), c
	}
	t.Run("removes what a driver left, and keeps the records", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.keep = time.Hour })
		over, _ := ended(w)
		live, _ := w.idle()
		w.clock.move(2 * time.Hour)
		w.restart()
		if got := <-w.drivers.removed; got != over.ID {
			t.Errorf("removed what the driver of %s left; %s ended and %s lives", got, over.ID, live.ID)
		}
		w.service.Close() // the sweep is over
		if _, err := w.store.Session(t.Context(), over.ID); err != nil {
			t.Error(err)
		}
	})
	t.Run("deletes records, after what their drivers left, and leaves results", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.records = time.Hour })
		over, c := ended(w)
		live, _ := w.idle()
		w.clock.move(2 * time.Hour)
		recent, _ := ended(w)
		w.restart()
		if got := <-w.drivers.removed; got != over.ID {
			t.Errorf("removed what the driver of %s left, not %s", got, over.ID)
		}
		w.awaitDeleted(over.ID)
		_, err := w.store.Calculation(t.Context(), c.ID)
		refused(t, err, hearth.KindNotFound, c.ID)
		for _, kept := range []hearth.Session{live, recent} {
			if _, err := w.store.Session(t.Context(), kept.ID); err != nil {
				t.Error(err)
			}
		}
		if _, err := w.objects.Open(t.Context(), c.StdoutURI()); err != nil {
			t.Error(err)
		}
	})
	t.Run("removes nothing when the clock was set back, and nothing is to be kept for ever", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.records, w.keep = time.Hour, time.Hour })
		over, _ := ended(w)
		w.clock.move(-100 * time.Hour)
		w.restart()
		w.service.Close()
		if _, err := w.store.Session(t.Context(), over.ID); err != nil || len(w.drivers.removed) > 0 {
			t.Errorf("%v, %d drivers removed", err, len(w.drivers.removed))
		}
	})
}

// awaitDeleted waits until the sweep has deleted the session's record.
func (w *world) awaitDeleted(id string) {
	w.t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(time.Minute)
	for {
		_, err := w.store.Session(w.t.Context(), id)
		if hearth.KindOf(err) == hearth.KindNotFound {
			return
		}
		select {
		case <-again.C:
		case <-late:
			w.t.Fatalf("session %s is on record still", id)
		}
	}
}

// A clock that was set back, by people or by a server of time, shows in no
// record: what comes later is never told as earlier.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t)
	s, d := w.idle()
	w.clock.move(-time.Hour)
	c := w.submit(s.ID)
	d.happens(hearth.DriverEvent{Type: hearth.CalculationStarted, CalculationID: c.ID, At: w.clock.now()})
	d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK, Ran: time.Second, At: w.clock.now()})
	c = w.awaitCalculation(c.ID, hearth.CalculationCompleted)
	idle := w.awaitSession(s.ID, hearth.SessionIdle)
	second := w.submit(s.ID)
	w.clock.move(-time.Hour)
	d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle, At: w.clock.now()})
	second = w.awaitCalculation(second.ID, hearth.CalculationCanceled)
	ended := w.awaitSession(s.ID, hearth.SessionTerminated)

	before := s.StartedAt
	for _, next := range []struct {
		what string
		at   time.Time
	}{
		{"IdleSince", s.IdleSince},
		{"SubmittedAt", c.SubmittedAt},
		{"CompletedAt", c.CompletedAt},
		{"IdleSince after the calculation", idle.IdleSince},
		{"SubmittedAt of the second", second.SubmittedAt},
		{"CompletedAt of the second", second.CompletedAt},
		{"EndedAt", ended.EndedAt},
		{"ModifiedAt", ended.ModifiedAt},
	} {
		if next.at.Before(before) {
			t.Errorf("%s is %v, and what came before it %v", next.what, next.at, before)
		}
		before = next.at
	}
	if want := int64(1000 * s.EngineConfiguration.DPUs()); c.DPUMillis != want {
		t.Errorf("%d DPU milliseconds are accounted, and not the %d that the driver measured", c.DPUMillis, want)
	}
	events, err := w.service.Events(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range events[1:] {
		if events[i+1].At.Before(events[i].At) {
			t.Errorf("the log goes back: %+v, then %+v", events[i], events[i+1])
		}
	}
}

func TestOutput(t *testing.T) {
	read := func(t *testing.T, w *world, c hearth.Calculation, offset int64) string {
		t.Helper()
		out, err := w.service.Output(t.Context(), c.ID, hearth.Stdout, offset)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		text, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Run("comes from the driver while it runs and from the output location after", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		d.writes(c.ID, hearth.Stdout, "abc")
		if got := read(t, w, c, 1); got != "bc" {
			t.Errorf("got %q", got)
		}
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		w.awaitCalculation(c.ID, hearth.CalculationCompleted)
		d.writes(c.ID, hearth.Stdout, "not this")
		if got := read(t, w, c, 1); got != "bc" {
			t.Errorf("got %q", got)
		}
		if got := read(t, w, c, 100); got != "" {
			t.Errorf("past the end: %q", got)
		}
	})
	t.Run("a server that leaves ends the waiting", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.submit(s.ID)
		w.told(d, "execute "+c.ID)
		waiting := make(chan error)
		go func() {
			_, err := w.service.Output(context.Background(), c.ID, hearth.Stdout, 0)
			waiting <- err
		}()
		w.service.Close()
		refused(t, <-waiting, hearth.KindUnavailable, "stopping")
	})
	t.Run("those that have not ended in time are named", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		ctx, cancel := context.WithCancel(t.Context())
		waiting := make(chan error)
		go func() { waiting <- w.service.EndAll(ctx) }()
		w.told(d, "end")
		cancel()
		refused(t, <-waiting, hearth.KindUnavailable, s.ID+". The log tells")
	})
}

func TestWritten(t *testing.T) {
	w := newWorld(t)
	s, d := w.idle()
	c := w.submit(s.ID)
	w.told(d, "execute "+c.ID)
	read := func(content io.ReadCloser, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	written := func() string {
		t.Helper()
		content, err := w.service.Written(t.Context(), c.ID, hearth.Stderr)
		return read(content, err)
	}
	_, err := w.service.Written(t.Context(), c.ID, hearth.Stderr)
	refused(t, err, hearth.KindNotFound, "has not begun")
	_, err = w.service.Result(t.Context(), c.ID)
	refused(t, err, hearth.KindNotFound, "")
	d.writes(c.ID, hearth.Stderr, "so far")
	if got := written(); got != "so far" {
		t.Errorf("while it runs: %q", got)
	}
	d.writes(c.ID, hearth.Stderr, "all")
	d.writes(c.ID, "result", "{}")
	d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
	w.awaitCalculation(c.ID, hearth.CalculationCompleted)
	d.writes(c.ID, hearth.Stderr, "not this")
	if got := written(); got != "all" {
		t.Errorf("after its end: %q", got)
	}
	result, err := w.service.Result(t.Context(), c.ID)
	if got := read(result, err); got != "{}" {
		t.Errorf("its result: %q", got)
	}
}

func TestEndAll(t *testing.T) {
	w := newWorld(t)
	s, d := w.idle()
	go func() {
		for told := range d.told {
			if told == "end" {
				d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
				return
			}
		}
	}()
	if err := w.service.EndAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := w.service.Session(t.Context(), s.ID); err != nil || s.State != hearth.SessionTerminated {
		t.Errorf("session is %s, %v", s.State, err)
	}
	_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
	refused(t, err, hearth.KindUnavailable, "stopping")

	t.Run("a server that leaves meanwhile ends the waiting", func(t *testing.T) {
		w := newWorld(t)
		_, d := w.idle()
		waiting := make(chan error)
		go func() { waiting <- w.service.EndAll(context.Background()) }()
		w.told(d, "end")
		w.service.Close()
		refused(t, <-waiting, hearth.KindUnavailable, "stopping")
	})
}
