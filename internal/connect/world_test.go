package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/authority"
	"hearth/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sessionID = "a2c1ebba-ad01-865f-ed2d-a142b7451f7e"
	otherID   = "b2c1ebba-ad01-865f-ed2d-a142b7451f7e"
	token     = "token-of-the-session"
	secret    = "secret-of-the-driver"
)

// application is what the door sees of sessions: the test says what it answers.
type application struct {
	mu        sync.Mutex
	tokens    map[string]string          // session ids by token
	refusals  map[string]error           // by token
	endpoints map[string]hearth.Endpoint // by session id
	expired   bool
	unknown   bool // the owner's key
	starting  chan struct{}
	admitted  []bool // what was asked: whether the call begins
}

func (a *application) Admit(_ context.Context, text string, begins bool) (hearth.ConnectToken, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.admitted = append(a.admitted, begins)
	id, ok := a.tokens[text]
	switch {
	case a.refusals[text] != nil:
		return hearth.ConnectToken{}, a.refusals[text]
	case !ok:
		return hearth.ConnectToken{}, hearth.Errorf(hearth.KindDenied, "The token is not known.")
	case a.expired && begins:
		return hearth.ConnectToken{}, hearth.Errorf(hearth.KindDenied, "The token for session %s has expired.", id)
	}
	return hearth.ConnectToken{SessionID: id, Owner: "KEY"}, nil
}

func (a *application) Connect(ctx context.Context, id string) (hearth.Endpoint, error) {
	if a.starting != nil {
		select {
		case <-a.starting:
		case <-ctx.Done():
			return hearth.Endpoint{}, ctx.Err()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	endpoint, ok := a.endpoints[id]
	if !ok {
		return endpoint, hearth.Errorf(hearth.KindUnavailable, "The driver of session %s has no Spark Connect.", id)
	}
	return endpoint, nil
}

func (a *application) Secret(context.Context, string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unknown {
		return "", hearth.Errorf(hearth.KindNotFound, "There is no such key.")
	}
	return "", nil
}

func (a *application) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// network is what the parts of a test are connected by: sockets, or pipes, at
// which a test can tell that all are waiting.
type network interface {
	listen(t testing.TB) net.Listener
	dial(ctx context.Context, network, address string) (net.Conn, error)
}

type sockets struct{}

func (sockets) listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (sockets) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// world is the door, before a driver and behind a client.
type world struct {
	t       testing.TB
	net     network
	app     *application
	server  *Server
	address string
	roots   *x509.CertPool
	client  *http.Client
	log     *testenv.Log
}

func newWorld(t testing.TB, n network, driver http.HandlerFunc, change ...func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, net: n, log: new(testenv.Log), roots: x509.NewCertPool(),
		app: &application{tokens: map[string]string{token: sessionID}, refusals: map[string]error{}, endpoints: map[string]hearth.Endpoint{}},
	}
	a, err := authority.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.roots.AppendCertsFromPEM(a.PEM())
	w.app.endpoints[sessionID] = hearth.Endpoint{Address: w.drive(driver), Secret: secret}
	config := Config{
		Certificate: a.Certificate("127.0.0.1"), MaxConnections: 100, Sessions: w.app, Keys: w.app,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, set := range change {
		set(&config)
	}
	w.server = newServer(config)
	w.server.listener = n.listen(t)
	w.server.drivers.DialContext = n.dial
	w.address = w.server.Address()
	served := make(chan error, 1)
	go func() { served <- w.server.Serve() }()
	t.Cleanup(func() {
		w.server.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	w.client = w.newClient()
	return w
}

func (w *world) newClient(protocols ...func(*http.Protocols)) *http.Client {
	var p http.Protocols
	p.SetHTTP2(true)
	for _, set := range protocols {
		p = http.Protocols{}
		set(&p)
	}
	transport := &http.Transport{
		DialContext:     w.net.dial,
		TLSClientConfig: &tls.Config{RootCAs: w.roots, ServerName: "127.0.0.1"},
		Protocols:       &p,

		DisableCompression: true,
		HTTP2:              &http.HTTP2Config{MaxReceiveBufferPerStream: ownWindow},
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// drive serves as a driver does, and gives the address.
func (w *world) drive(handler http.HandlerFunc) string {
	w.t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	l := w.net.listen(w.t)
	server := &http.Server{Handler: handler, Protocols: &p, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	server.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: ownWindow}
	server.MaxHeaderBytes = driverMetadata - 10*32 // net/http adds that
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(l)
	}()
	w.t.Cleanup(func() { server.Close(); l.Close(); <-served })
	return l.Addr().String()
}

// header are the metadata of a call with the token.
func header(pairs ...string) http.Header {
	h := http.Header{"Content-Type": {mediaType}, "Te": {"trailers"}, tokenKey: {token}}
	for i := 0; i < len(pairs); i += 2 {
		h.Del(pairs[i])
		if pairs[i+1] != "" {
			h.Set(pairs[i], pairs[i+1])
		}
	}
	return h
}

// answered is an answer with its status.
type answered struct {
	*http.Response
	t testing.TB
}

// begin makes a call, and returns when its answer has begun.
func (w *world) begin(ctx context.Context, method string, h http.Header, body io.Reader) *answered {
	w.t.Helper()
	a, err := w.try(ctx, method, h, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) try(ctx context.Context, method string, h http.Header, body io.Reader) (*answered, error) {
	path := method
	if !strings.HasPrefix(path, "/") {
		path = service + method
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, (&url.URL{Scheme: "https", Host: w.address, Path: path}).String(), body)
	if err != nil {
		return nil, err
	}
	r.Header = h
	response, err := w.client.Do(r)
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { response.Body.Close() })
	return &answered{response, w.t}, nil
}

// unary makes a call and reads the whole answer.
func (w *world) unary(method string, h http.Header, messages ...string) (answers []string, a *answered) {
	w.t.Helper()
	a = w.begin(w.t.Context(), method, h, strings.NewReader(frames(messages...)))
	for {
		text, err := a.receive()
		if err == io.EOF {
			return answers, a
		}
		if err != nil {
			w.t.Fatal(err)
		}
		answers = append(answers, text)
	}
}

// status is how the call ended, after its answer was read.
func (a *answered) status() (code, message string) {
	h := a.Trailer
	if a.Header.Get(statusKey) != "" {
		h = a.Header
	}
	message, err := url.PathUnescape(h.Get(messageKey))
	if err != nil {
		a.t.Errorf("message %q: %v", h.Get(messageKey), err)
	}
	return h.Get(statusKey), message
}

// ended checks how the call ended.
func (a *answered) ended(code string, words ...string) {
	a.t.Helper()
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		a.t.Errorf("the answer broke off: %v", err)
	}
	got, message := a.status()
	if got != code {
		a.t.Errorf("status %q (%s), and not %s", got, message, code)
	}
	for _, word := range words {
		if !strings.Contains(message, word) {
			a.t.Errorf("message %q has no %q", message, word)
		}
	}
	for _, inside := range []string{secret, "127.0.0.1:", "dial", "EOF", "stream"} {
		if strings.Contains(message, inside) {
			a.t.Errorf("message %q tells of %q", message, inside)
		}
	}
}

// refused checks that the call was refused by nothing but a status, and that it
// did so in gRPC's way.
func (a *answered) refused(code string, words ...string) {
	a.t.Helper()
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != mediaType {
		a.t.Errorf("HTTP status %d, type %s", a.StatusCode, a.Header.Get("Content-Type"))
	}
	if a.ContentLength != 0 || a.Header.Get(statusKey) == "" {
		a.t.Error("the status did not come alone")
	}
	a.ended(code, words...)
}

// receive reads a message.
func (a *answered) receive() (string, error) { return receive(a.Body) }

// frames write messages as gRPC does: a flag, the length, the message.
func frames(messages ...string) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteByte(0)
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(m))))
		b.WriteString(m)
	}
	return b.String()
}

func receive(r io.Reader) (string, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	text := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(r, text); err != nil {
		return "", errors.Join(errors.New("a message broke off"), err)
	}
	return string(text), nil
}

// answering begins a driver's answer.
func answering(w http.ResponseWriter) { w.Header().Set("Content-Type", mediaType) }

// send sends a message at once.
func send(w http.ResponseWriter, message string) error {
	if _, err := io.WriteString(w, frames(message)); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// end ends a driver's answer.
func end(w http.ResponseWriter, code, message string) {
	w.Header().Set(http.TrailerPrefix+statusKey, code)
	if message != "" {
		w.Header().Set(http.TrailerPrefix+messageKey, message)
	}
}

// echo is a driver that sends back what it gets, message by message.
func echo(w http.ResponseWriter, r *http.Request) {
	answering(w)
	for {
		text, err := receive(r.Body)
		if err != nil {
			end(w, "0", "")
			return
		}
		if send(w, text) != nil {
			return
		}
	}
}

// driverMetadata is how many bytes of metadata gRPC's servers take (its
// GrpcUtil.DEFAULT_MAX_HEADER_LIST_SIZE).
const driverMetadata = 8 << 10

// ownWindow is what the clients and drivers of the tests keep of a stream.
const ownWindow = 64 << 10

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second
