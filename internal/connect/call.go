package connect

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"hearth"
)

// service is the one gRPC service that is handed on. Its methods are not listed:
// newer clients have more, which is the driver's to say.
const service = "/spark.connect.SparkConnectService/"

// goesOn are the methods that go on with, or clean up after, an operation that
// was begun with a token that was good then. Clients keep one token for all
// calls of an operation.
var goesOn = map[string]bool{"ReattachExecute": true, "ReleaseExecute": true}

// call is one call on its way.
type call struct {
	server  *Server
	method  string
	token   string // its digest
	session string
	owner   string // access key id
	answer  *unhurried
	reads   bool // an operation's answer
	refusal *refusal
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 2 || isCrowded(r.Context()) {
		w.Header().Set("Connection", "close") // which is told in HTTP/2's way there
	}
	if r.ProtoMajor != 2 {
		http.Error(w, "This is the address of Spark Connect, which is gRPC and needs HTTP/2.", http.StatusHTTPVersionNotSupported)
		return
	}
	if r.Method != http.MethodPost || !isGRPC(r.Header) {
		http.Error(w, "This is the address of Spark Connect. Connect to it with a Spark Connect client.", http.StatusUnsupportedMediaType)
		return
	}
	began, c := time.Now(), &call{server: s}
	defer func() {
		c.log(r, time.Since(began))
	}()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.leaving, cancel)()
	c.serve(w, r.WithContext(ctx))
}

func isGRPC(h http.Header) bool {
	media := h.Get("Content-Type")
	return media == mediaType || strings.HasPrefix(media, mediaType+"+") || strings.HasPrefix(media, mediaType+";")
}

func (c *call) serve(w http.ResponseWriter, r *http.Request) {
	endpoint, err := c.admit(r)
	if err != nil {
		c.refuse(w, c.refusalOf(err))
		return
	}
	c.answer = newUnhurried(w)
	defer c.answer.end()
	proxy := httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { direct(p, endpoint) },
		Transport:      c.server.drivers,
		FlushInterval:  -1,
		BufferPool:     c.server.buffers,
		ModifyResponse: c.check,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, err error) { c.refuse(w, c.lost(err)) },
		ErrorLog:       c.server.http.ErrorLog,
	}
	defer func() {
		if c.reads {
			c.server.reading.ended(c.token)
		}
	}()
	proxy.ServeHTTP(c.answer, r)
}

// admit looks at all that a call has to be before a driver hears of it.
func (c *call) admit(r *http.Request) (hearth.Endpoint, error) {
	if isCrowded(r.Context()) {
		return hearth.Endpoint{}, errCrowded(c.server.config.MaxConnections)
	}
	if size(r.Header)+len(r.URL.Path) > maxMetadata {
		return hearth.Endpoint{}, errMetadata
	}
	method, ours := strings.CutPrefix(r.URL.Path, service)
	if !ours || !isMethod(method) || r.URL.RawQuery != "" {
		return hearth.Endpoint{}, errService
	}
	c.method = method
	token, err := tokenOf(r.Header)
	if err != nil {
		return hearth.Endpoint{}, err
	}
	c.token = hearth.DigestOf(token)
	begins := !goesOn[method] && !(aside[method] && c.server.reading.by(c.token))
	admitted, err := c.server.config.Sessions.Admit(r.Context(), token, begins)
	if err != nil {
		return hearth.Endpoint{}, err
	}
	c.session, c.owner = admitted.SessionID, admitted.Owner
	if _, err := c.server.config.Keys.Secret(r.Context(), c.owner); hearth.KindOf(err) == hearth.KindNotFound {
		return hearth.Endpoint{}, hearth.Errorf(hearth.KindDenied, "The access key that the token for session %s was made with is not known any more. %s", c.session, askAgain)
	} else if err != nil {
		return hearth.Endpoint{}, err
	}
	return c.server.config.Sessions.Connect(r.Context(), c.session)
}

// isMethod accepts names as protocol buffers have them.
func isMethod(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_')
	})
}

// size is what metadata counts in HTTP/2 (RFC 9113, section 6.5.2).
func size(h http.Header) (n int) {
	for key, values := range h {
		for _, value := range values {
			n += len(key) + len(value) + 32
		}
	}
	return n
}

// The metadata that tokens come in. Athena's clients send the first; the second
// is what Spark's own clients make of a token in their URL.
const (
	tokenKey  = "X-Aws-Proxy-Auth"
	bearerKey = "Authorization"
	bearer    = "bearer "
)

const askAgain = "Ask for a new one: GetSessionEndpoint, or hearth connect."

// tokenOf finds a call's token. More than one in the same place is none.
func tokenOf(h http.Header) (string, error) {
	values := h[tokenKey]
	if len(values) == 0 {
		values = h[bearerKey]
		if len(values) == 1 {
			text := values[0]
			if len(text) < len(bearer) || !strings.EqualFold(text[:len(bearer)], bearer) {
				return "", errNoToken
			}
			values = []string{text[len(bearer):]}
		}
	}
	if len(values) != 1 {
		return "", errNoToken
	}
	return values[0], nil
}

// direct addresses a request to a driver, with the driver's secret and without
// what was said to us.
func direct(p *httputil.ProxyRequest, endpoint hearth.Endpoint) {
	out := p.Out
	out.URL = &url.URL{Scheme: "http", Host: endpoint.Address, Path: out.URL.Path}
	out.Host = ""
	if out.Body != nil {
		// ReverseProxy's own wrapper cannot be closed while it is read: a driver
		// that has answered would be waited for until the client says more.
		out.Body = p.In.Body
	}
	for key := range out.Header {
		if key == bearerKey || strings.HasPrefix(key, "X-Aws-") {
			delete(out.Header, key)
		}
	}
	out.Header.Set(hearth.ConnectSecretKey, endpoint.Secret)
}

// check looks at the beginning of a driver's answer. A status that comes at once
// is put where one comes at the end: it must not be flushed as if more followed.
func (c *call) check(r *http.Response) error {
	if r.StatusCode != http.StatusOK || !isGRPC(r.Header) {
		return errNotDriver
	}
	if _, over := r.Header[statusKey]; !over && (c.method == "ExecutePlan" || c.method == "ReattachExecute") {
		c.reads = true
		c.server.reading.began(c.token)
	}
	for _, key := range []string{statusKey, messageKey, detailsKey} {
		if values, ok := r.Header[key]; ok {
			if r.Trailer == nil {
				r.Trailer = make(http.Header)
			}
			r.Trailer[key] = values
			delete(r.Header, key)
		}
	}
	r.Body = &answer{ReadCloser: r.Body, response: r, call: c}
	return nil
}

// answer is the body of a driver's answer. One that breaks off ends with a status
// that says so.
type answer struct {
	io.ReadCloser
	response *http.Response
	call     *call
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		a.call.refusal = a.call.lost(err)
		a.response.Trailer = a.call.refusal.header()
		err = io.EOF
	}
	return n, err
}

// Close lets ReverseProxy write the status.
func (a *answer) Close() error {
	a.call.answer.end()
	return a.ReadCloser.Close()
}

func (c *call) refuse(w http.ResponseWriter, why *refusal) {
	c.refusal = why
	why.write(w)
}

// log writes the line of a call.
func (c *call) log(r *http.Request, took time.Duration) {
	level := slog.LevelDebug
	attributes := []slog.Attr{slog.String("path", r.URL.Path), slog.Duration("took", took), slog.String("remote", r.RemoteAddr)}
	if c.session != "" {
		attributes = append(attributes, slog.String("session", c.session), slog.String("key", c.owner))
	}
	if c.refusal != nil && r.Context().Err() == nil { // of a client that has left, nothing was refused
		level = slog.LevelInfo
		attributes = append(attributes, slog.Int("code", int(c.refusal.code)), slog.String("fault", c.refusal.message))
		if c.refusal.cause != nil {
			attributes = append(attributes, slog.Any("cause", c.refusal.cause))
		}
	}
	c.server.config.Log.LogAttrs(r.Context(), level, "Spark Connect call", attributes...)
}

// buffers are lent to copy with.
type buffers struct{ pool sync.Pool }

func newBuffers(size int) *buffers {
	return &buffers{sync.Pool{New: func() any { return new(make([]byte, size)) }}}
}

func (b *buffers) Get() []byte   { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(to []byte) { b.pool.Put(&to) }
