// Package console is a session in a browser: a page on which code is run and
// its output read. It is made on the server and needs no script.
//
//	GET  /ui/sessions/{id}?authToken=T              a link: leaves a cookie and leads to the page
//	GET  /ui/sessions/{id}                          the page
//	POST /ui/sessions/{id}/calculations             runs the code of the form
//	POST /ui/sessions/{id}/calculations/{c}/stop    stops a calculation
//	GET  /ui/sessions/{id}/calculations/{c}/stdout  all that it has written; stderr, too
//	GET  /ui/sessions/{id}/notebook.ipynb           the notebook that the session belongs to
//	GET  /ui/sessions/{id}/end                      asks whether to end the session; POST ends it
//	GET  /ui/sessions/{id}/spark/...                Spark's own pages, which a link of their own opens, too
//
// Browsers do not sign. A link holds a pass (package access) that opens one
// session for ten minutes. It is exchanged for another one, in a cookie that
// goes to this session's pages only, and so leaves the address bar. Another
// site can neither use the cookie to change anything (http.CrossOriginProtection)
// nor show our pages within its own; under another name for our address, as DNS
// rebinding makes one, a browser has no cookie of ours.
//
// Whatever code displays is shown as text, as an image or in a sandbox, on
// pages that allow no script whatsoever. Spark's pages need scripts, which reach
// nothing but those pages.
package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"hearth"
	"hearth/internal/access"
)

// Sessions is what the pages ask of the application.
type Sessions interface {
	Session(ctx context.Context, id string) (hearth.Session, error)
	Terminate(ctx context.Context, id string) (hearth.SessionState, error)

	Submit(ctx context.Context, principal string, r hearth.CalculationRequest) (hearth.Calculation, error)
	Calculation(ctx context.Context, id string) (hearth.Calculation, error)
	Calculations(ctx context.Context, f hearth.CalculationFilter, p hearth.Page) ([]hearth.Calculation, hearth.Cursor, error)
	Cancel(ctx context.Context, id string) (hearth.CalculationState, error)
	Written(ctx context.Context, calculationID string, stream hearth.Stream) (io.ReadSeekCloser, error)
	Result(ctx context.Context, calculationID string) (io.ReadSeekCloser, error)

	// Pages gives where Spark's own pages of a session are shown.
	Pages(ctx context.Context, sessionID string) (hearth.Endpoint, error)

	NotebookContent(ctx context.Context, id string) (hearth.Notebook, string, error)
}

// Options are what a Console needs beside the application.
type Options struct {
	// Keys seal the passes.
	Keys *access.Keys
	// Ready tells why the server is not ready to work, nil when it is.
	Ready func(context.Context) error
	// Log gets a line for each opening of a session and each fault of the
	// server.
	Log *slog.Logger
}

// Console serves the pages.
type Console struct {
	sessions Sessions
	keys     *access.Keys
	ready    func(context.Context) error
	log      *slog.Logger
	spark    http.RoundTripper
	handler  http.Handler
}

// New makes a Console.
func New(sessions Sessions, options Options) *Console {
	c := &Console{sessions: sessions, keys: options.Keys, ready: options.Ready, log: options.Log, spark: newSparkTransport()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ui/sessions/{id}", c.answer(c.enter(wholeSession, c.visited(c.session, wholeSession))))
	mux.HandleFunc("GET /ui/sessions/{id}/spark", c.answer(c.enter(sparkPages, toFirstSparkPage)))
	mux.HandleFunc("GET /ui/sessions/{id}/spark/", c.answer(c.visited(c.sparkPage, sparkPages, wholeSession)))
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, visit) error{
		"POST /ui/sessions/{id}/calculations":                       c.submit,
		"POST /ui/sessions/{id}/calculations/{calculation}/stop":    c.stop,
		"GET /ui/sessions/{id}/calculations/{calculation}/{stream}": c.written,
		"GET /ui/sessions/{id}/notebook.ipynb":                      c.notebook,
		"GET /ui/sessions/{id}/end":                                 c.askEnd,
		"POST /ui/sessions/{id}/end":                                c.end,
	} {
		mux.HandleFunc(pattern, c.answer(c.visited(serve, wholeSession)))
	}
	mux.HandleFunc("GET /ui/", c.answer(nothing))
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(c.answer(func(http.ResponseWriter, *http.Request) error {
		return hearth.Errorf(hearth.KindDenied, "Another site may not do this.")
	}))
	c.handler = protection.Handler(mux)
	return c
}

// policy allows the two styles of ours, images that are part of the page, and
// nothing else. Documents in a sandbox have it, too.
var policy = "default-src 'none'; style-src " + hashOf(style) + " " + hashOf(frameStyle) +
	"; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	// With no-referrer, forms of our own would come from the origin "null".
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	c.handler.ServeHTTP(w, r)
}

// Link makes a link to a session's page, for a principal, at an address of the
// server as in http://127.0.0.1:8650.
func (c *Console) Link(ctx context.Context, accessKeyID, address, sessionID string) (hearth.Link, error) {
	return c.link(ctx, wholeSession, accessKeyID, address, sessionID)
}

// SparkLink makes a link to Spark's own pages of a session.
func (c *Console) SparkLink(ctx context.Context, accessKeyID, address, sessionID string) (hearth.Link, error) {
	return c.link(ctx, sparkPages, accessKeyID, address, sessionID)
}

func (c *Console) link(ctx context.Context, to room, accessKeyID, address, sessionID string) (hearth.Link, error) {
	expires := time.Now().Add(hearth.LinkLifetime).Truncate(time.Second)
	token, err := c.keys.Seal(ctx, access.Pass{Purpose: to.link, SessionID: sessionID, AccessKeyID: accessKeyID, Expires: expires})
	return hearth.Link{URL: address + to.path(sessionID) + "?" + tokenParameter + "=" + token, Token: token, Expires: expires}, err
}

func pathOf(sessionID string) string { return "/ui/sessions/" + url.PathEscape(sessionID) }

func nothing(_ http.ResponseWriter, r *http.Request) error {
	return hearth.Errorf(hearth.KindNotFound, "There is no page at %s.", r.URL.Path)
}
