package console_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/console"
	"hearth/internal/objects"
	"hearth/internal/sessions"
	"hearth/internal/sqlite"
	"hearth/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drivers are without processes: the test says what they do.
type drivers struct{ launched chan *driver }

func (d drivers) Launch(context.Context, hearth.Launch) (hearth.Driver, error) {
	launched := &driver{told: make(chan string, 100), happens: make(chan hearth.DriverEvent, 100), files: map[string]string{}}
	d.launched <- launched
	return launched, nil
}

func (drivers) Recover(context.Context, string) (hearth.Driver, hearth.Adoption, error) {
	return nil, hearth.NeverLaunched, nil
}

func (drivers) Warm(_ context.Context, id string) (hearth.Warm, error) {
	return hearth.Warm{}, hearth.Errorf(hearth.KindNotFound, "no driver was launched ahead as %s", id)
}
func (drivers) Known(context.Context) ([]string, error) { return nil, nil }
func (drivers) Remove(context.Context, string) error    { return nil }
func (drivers) Log(_ context.Context, id string, _ int64, _ bool) (io.ReadCloser, error) {
	return nil, hearth.SessionNotFound(id)
}

// driver keeps what it was told.
type driver struct {
	told    chan string // "execute ID", "cancel ID", "end"
	happens chan hearth.DriverEvent

	mu    sync.Mutex
	files map[string]string // "ID stdout" and so on
	pages hearth.Endpoint
}

func (d *driver) Execute(_ context.Context, id, _ string) error {
	d.told <- "execute " + id
	return nil
}
func (d *driver) Cancel(_ context.Context, id string) error { d.told <- "cancel " + id; return nil }
func (d *driver) End(context.Context) error                 { d.told <- "end"; return nil }

func (d *driver) Follow(ctx context.Context, offset int64, handle func(hearth.DriverEvent) error) error {
	for {
		select {
		case e := <-d.happens:
			offset++
			e.At, e.Offset = time.Now(), offset
			if err := handle(e); err != nil || e.Type == hearth.DriverExited {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *driver) writes(id, name, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[id+" "+name] = text
}

type file struct{ *strings.Reader }

func (file) Close() error { return nil }

func (d *driver) file(id, name string) (io.ReadSeekCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.files[id+" "+name]
	if !ok {
		return nil, hearth.CalculationNotFound(id)
	}
	return file{strings.NewReader(text)}, nil
}

func (d *driver) Output(_ context.Context, id string, stream hearth.Stream, _ int64) (io.ReadCloser, error) {
	return d.file(id, string(stream))
}

func (d *driver) Written(_ context.Context, id string, stream hearth.Stream) (io.ReadSeekCloser, error) {
	return d.file(id, string(stream))
}

func (d *driver) Result(_ context.Context, id string) (io.ReadCloser, error) {
	return d.file(id, "result")
}

func (*driver) Connect(context.Context) (hearth.Endpoint, error) {
	return hearth.Endpoint{}, errNoConnect
}

func (d *driver) UI(context.Context) (hearth.Endpoint, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pages.Address == "" {
		return hearth.Endpoint{}, errNoConnect
	}
	return d.pages, nil
}

func (d *driver) shows(pages hearth.Endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages = pages
}

// histories are where ended sessions are shown, by id.
type histories map[string]hearth.Endpoint

func (h histories) Show(_ context.Context, session hearth.Session) (hearth.Endpoint, error) {
	pages, ok := h[session.ID]
	if !ok {
		return pages, hearth.Errorf(hearth.KindNotFound, "There is no history of session %s.", session.ID)
	}
	return pages, nil
}

var errNoConnect = hearth.Errorf(hearth.KindUnavailable, "The driver has no Spark.")

// world is the console in front of the application on a real store.
type world struct {
	t        *testing.T
	service  *sessions.Service
	bucket   string // directory of all objects
	keys     *access.Keys
	console  *console.Console
	server   *httptest.Server
	launched chan *driver
	history  histories
	log      *testenv.Log
	waiting  error // why the server is not ready
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, bucket: t.TempDir(), launched: make(chan *driver, 100), history: histories{}, log: &testenv.Log{}}
	store := must(sqlite.Open(filepath.Join(t.TempDir(), "hearth.db")))(t)
	bucket := must(objects.Open(w.bucket))(t)
	if err := bucket.CreateBucket(t.Context(), "hearth"); err != nil {
		t.Fatal(err)
	}
	w.keys = must(access.Open(t.TempDir()))(t)
	w.service = sessions.New(sessions.Config{Store: store, Drivers: drivers{launched: w.launched}, Objects: bucket, Histories: w.history})
	engine := hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3}
	if err := w.service.EnsureWorkGroup(t.Context(), hearth.WorkGroup{
		Name: "primary", Enabled: true, Engine: engine,
		WorkGroupSettings: hearth.WorkGroupSettings{OutputLocation: "s3://hearth", ExecutionRole: "arn:aws:iam::123456789012:role/hearth"},
	}); err != nil {
		t.Fatal(err)
	}
	w.console = console.New(w.service, console.Options{
		Keys:  w.keys,
		Ready: func(context.Context) error { return w.waiting },
		Log:   slog.New(slog.NewTextHandler(w.log, nil)),
	})
	w.server = httptest.NewServer(w.console)
	t.Cleanup(func() {
		w.server.Close()
		w.service.Close()
		if err := errors.Join(store.Close(), bucket.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// start starts a session, and leaves it when it is created.
func (w *world) start(r hearth.SessionRequest) (hearth.Session, *driver) {
	w.t.Helper()
	r.WorkGroup = "primary"
	return must(w.service.Start(w.t.Context(), "SOMEBODY", r))(w.t), <-w.launched
}

// idle starts a session and waits until it can take code.
func (w *world) idle() (string, *driver) {
	w.t.Helper()
	session, d := w.start(hearth.SessionRequest{})
	d.happens <- hearth.DriverEvent{Type: hearth.DriverReady}
	w.await(session.ID, hearth.SessionIdle)
	return session.ID, d
}

func (w *world) await(sessionID string, state hearth.SessionState) {
	w.t.Helper()
	for {
		session := must(w.service.Session(w.t.Context(), sessionID))(w.t)
		if session.State == state {
			return
		}
		must(w.service.AwaitSession(w.t.Context(), sessionID, session.State))(w.t)
	}
}

// submit has the application take code, and the driver too.
func (w *world) submit(sessionID string, d *driver, r hearth.CalculationRequest) hearth.Calculation {
	w.t.Helper()
	r.SessionID = sessionID
	c := must(w.service.Submit(w.t.Context(), "SOMEBODY", r))(w.t)
	w.told(d, "execute "+c.ID)
	return c
}

func (w *world) told(d *driver, what string) {
	w.t.Helper()
	if got := <-d.told; got != what {
		w.t.Fatalf("the driver was told %q, want %q", got, what)
	}
}

// finish ends a calculation with what it wrote and displayed.
func (w *world) finish(d *driver, c hearth.Calculation, stdout, stderr, result string) {
	w.t.Helper()
	d.writes(c.ID, "stdout", stdout)
	d.writes(c.ID, "stderr", stderr)
	d.writes(c.ID, "result", result)
	d.happens <- hearth.DriverEvent{Type: hearth.CalculationStarted, CalculationID: c.ID}
	d.happens <- hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK, Ran: time.Second}
	w.await(c.SessionID, hearth.SessionIdle)
}

func (w *world) link(sessionID string) hearth.Link {
	w.t.Helper()
	return must(w.console.Link(w.t.Context(), w.keys.Root().AccessKeyID, w.server.URL, sessionID))(w.t)
}

// browser is one with a memory for cookies. It follows redirects.
type browser struct {
	t      *testing.T
	world  *world
	client *http.Client
	id     string // of the session that it opened
}

func (w *world) browser() *browser {
	w.t.Helper()
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: w.t, world: w, client: &http.Client{Transport: transport, Jar: must(cookiejar.New(nil))(w.t)}}
}

// visit is a browser that has opened a session by a link.
func (w *world) visit(sessionID string) *browser {
	w.t.Helper()
	return w.opens(sessionID, w.link(sessionID))
}

func (w *world) opens(sessionID string, link hearth.Link) *browser {
	w.t.Helper()
	b := w.browser()
	b.id = sessionID
	if status, text := b.do(b.request("GET", link.URL, nil)); status != http.StatusOK {
		w.t.Fatalf("%d %s", status, text)
	}
	return b
}

func (b *browser) request(method, address string, form url.Values) *http.Request {
	b.t.Helper()
	r := must(http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode())))(b.t)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (b *browser) send(r *http.Request) (*http.Response, string) {
	b.t.Helper()
	response := must(b.client.Do(r))(b.t)
	defer response.Body.Close()
	return response, string(must(io.ReadAll(response.Body))(b.t))
}

func (b *browser) do(r *http.Request) (status int, text string) {
	b.t.Helper()
	response, text := b.send(r)
	return response.StatusCode, text
}

// address is that of something below the session's page.
func (b *browser) address(part string) string {
	return b.world.server.URL + "/ui/sessions/" + b.id + part
}

func (b *browser) get(part string) (status int, text string) {
	b.t.Helper()
	return b.do(b.request("GET", b.address(part), nil))
}

func (b *browser) post(part string, form url.Values) (status int, text string) {
	b.t.Helper()
	return b.do(b.request("POST", b.address(part), form))
}

// page gets the session's page, which has to be there.
func (b *browser) page() string {
	b.t.Helper()
	status, text := b.get("")
	if status != http.StatusOK {
		b.t.Fatalf("%d %s", status, text)
	}
	return text
}

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

func lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q is in\n%s", part, text)
		}
	}
}
