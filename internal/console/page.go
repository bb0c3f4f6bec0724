package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"hearth"
)

var (
	//go:embed page.html.tmpl
	pageText string
	//go:embed style.css
	style string
	//go:embed frame.css
	frameStyle string

	templates = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) },
	}).Parse(pageText))
)

// hashOf names a style in a Content-Security-Policy.
func hashOf(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

const (
	perPage      = 20    // calculations
	maxShown     = 20000 // bytes of a stream
	refreshAfter = 2     // seconds
)

// draft is code that was not taken.
type draft struct {
	Code    string
	Message string
	Status  int
}

// sessionPage is what the page shows.
type sessionPage struct {
	hearth.Session
	Path        string
	Refresh     int  // seconds; 0 is never
	Refreshable bool // it would be, if that were wanted
	Hint        string
	Earlier     string // address of the page before; "" is none
	Latest      bool

	Calculations []calculation

	Form  bool
	Draft draft
	Token string
}

// calculation is one of the page's.
type calculation struct {
	hearth.Calculation
	Anchor  string
	Running bool
	Streams []stream
	Results []result
	Notes   []string
	Why     string // its StateChangeReason, unless that is in its output
	Stop    string // address
}

// stream is the end of what a calculation has written.
type stream struct {
	Name hearth.Stream
	Text string
	All  string // address of all, when Text is only its end
}

// hints say what a session can do in its state.
var hints = map[hearth.SessionState]string{
	hearth.SessionCreating:    "The session is starting. Code can be run when it is IDLE.",
	hearth.SessionCreated:     "The session is starting. Code can be run when it is IDLE.",
	hearth.SessionBusy:        "Code is running. More can be run when it has ended.",
	hearth.SessionDegraded:    "Spark does not answer. Code can be run when it answers again.",
	hearth.SessionTerminating: "The session is ending.",
	hearth.SessionTerminated:  "The session has ended.",
	hearth.SessionFailed:      "The session has ended.",
}

func (c *Console) session(w http.ResponseWriter, r *http.Request, v visit) error {
	return c.show(w, r, v, nil)
}

// show answers with the page; rejected is code to be sent again.
func (c *Console) show(w http.ResponseWriter, r *http.Request, v visit, rejected *draft) error {
	ctx, query := r.Context(), r.URL.Query()
	session, err := c.sessions.Session(ctx, v.sessionID)
	if err != nil {
		return err
	}
	before := hearth.Cursor(query.Get("before"))
	calculations, earlier, err := c.sessions.Calculations(ctx, hearth.CalculationFilter{SessionID: session.ID}, hearth.Page{Limit: perPage, After: before})
	if err != nil {
		return err
	}
	p := &sessionPage{
		Session: session,
		Path:    pathOf(session.ID),
		Hint:    hints[session.State],
		Latest:  before == "",
		Form:    before == "" && (session.State == hearth.SessionIdle || rejected != nil),
		Token:   rand.Text(),
	}
	status := http.StatusOK
	if rejected != nil {
		p.Draft, status = *rejected, rejected.Status
	}
	// A page with a form stays, or what is being typed would be lost.
	p.Refreshable = p.Latest && !p.Form && !session.State.Ended()
	if p.Refreshable && query.Get("refresh") != "never" {
		p.Refresh = refreshAfter
	}
	if earlier != "" {
		p.Earlier = p.Path + "?before=" + template.URLQueryEscaper(string(earlier))
	}
	slices.Reverse(calculations)
	for _, each := range calculations {
		p.Calculations = append(p.Calculations, c.shown(w, r, each))
	}
	return render(w, status, "session", p)
}

// shown reads what is to be shown of a calculation. What cannot be read is told
// in its place.
func (c *Console) shown(w http.ResponseWriter, r *http.Request, of hearth.Calculation) calculation {
	shown := calculation{Calculation: of, Anchor: anchor(of.ID), Running: !of.State.Ended(), Stop: addressOf(of, "stop"), Why: of.StateChangeReason}
	for _, name := range []hearth.Stream{hearth.Stdout, hearth.Stderr} {
		text, cut, err := c.tail(r.Context(), of.ID, name)
		switch {
		case err != nil && shown.Running && hearth.KindOf(err) == hearth.KindNotFound:
			continue // it has not begun
		case err != nil:
			shown.Notes = append(shown.Notes, c.message(w, r, err))
			continue
		case text == "":
			continue
		}
		s := stream{Name: name, Text: text}
		if cut {
			s.All = addressOf(of, string(name))
		}
		shown.Streams = append(shown.Streams, s)
		if strings.Contains(text, shown.Why) {
			shown.Why = ""
		}
	}
	if shown.Running {
		return shown
	}
	var err error
	if shown.Results, err = c.results(r.Context(), of); err != nil {
		shown.Notes = append(shown.Notes, c.message(w, r, err))
	}
	return shown
}

// tail reads the end of what a calculation has written to a stream until now,
// from the beginning of a line on where that can be.
func (c *Console) tail(ctx context.Context, calculationID string, name hearth.Stream) (text string, cut bool, err error) {
	content, err := c.sessions.Written(ctx, calculationID, name)
	if err != nil {
		return "", false, err
	}
	defer content.Close()
	size, err := content.Seek(0, io.SeekEnd)
	start := max(0, size-maxShown)
	if err == nil {
		_, err = content.Seek(start, io.SeekStart)
	}
	var end []byte
	if err == nil {
		end, err = io.ReadAll(io.LimitReader(content, maxShown))
	}
	if err != nil {
		return "", false, fmt.Errorf("read %s of calculation %s: %w", name, calculationID, err)
	}
	if start > 0 {
		if _, lines, found := bytes.Cut(end, []byte("\n")); found && len(lines) > 0 {
			end = lines
		}
	}
	return strings.ToValidUTF8(string(end), "�"), start > 0, nil
}

func (c *Console) askEnd(w http.ResponseWriter, r *http.Request, v visit) error {
	session, err := c.sessions.Session(r.Context(), v.sessionID)
	if err != nil {
		return err
	}
	return render(w, http.StatusOK, "end", &sessionPage{Session: session, Path: pathOf(session.ID)})
}

// formToken makes a request of a form and its code that can be repeated.
func formToken(form, code string) string {
	if form == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(form + "\n" + code))
	return "console-" + hex.EncodeToString(sum[:])
}

// Started, Timeout and Used are figures of a session for people.
func (p *sessionPage) Started() string { return moment(p.StartedAt) }

// Timeout is how long the session may be idle.
func (p *sessionPage) Timeout() string {
	return fmt.Sprintf("%.0f minutes", p.Configuration.IdleTimeout.Minutes())
}

// Used is the session's accounting.
func (p *sessionPage) Used() string { return dpuTime(p.DPUMillis) }

// Submitted is when the code was handed over.
func (c calculation) Submitted() string { return moment(c.SubmittedAt) }

// Took is the time from then to the end, or to now.
func (c calculation) Took() string {
	end := c.CompletedAt
	if end.IsZero() {
		end = time.Now()
	}
	return fmt.Sprintf("%.1f s", end.Sub(c.SubmittedAt).Seconds())
}

// Used is the calculation's accounting.
func (c calculation) Used() string { return dpuTime(c.DPUMillis) }

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

func dpuTime(millis int64) string { return fmt.Sprintf("%.1f DPU seconds", float64(millis)/1000) }
