// Package rest is Hearth's own small HTTP interface, beside the Athena API: what
// a session's start took, the memory that its driver may use, what happened to
// it, its driver's log, and the output of a calculation while it runs.
//
//	GET /v1/sessions/{id}                               a Session as JSON
//	GET /v1/sessions/{id}/log?offset=N&follow=true      bytes, until its driver has exited; of now without follow
//	GET /v1/calculations/{id}/{stdout|stderr}?offset=N  bytes, until it has ended; of now with follow=false
//	GET /v1/calculations/{id}/result                    the result document, when it has ended
//
// What is of now can be read in parts, by Range. Errors have the form of the
// Athena API's.
package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"hearth"
	"hearth/internal/awsjson"
)

// Sessions is what the interface asks of the application.
type Sessions interface {
	Session(ctx context.Context, id string) (hearth.Session, error)
	Events(ctx context.Context, sessionID string) ([]hearth.Event, error)
	Log(ctx context.Context, sessionID string, offset int64, follow bool) (io.ReadCloser, error)
	Output(ctx context.Context, calculationID string, stream hearth.Stream, offset int64) (io.ReadCloser, error)
	Written(ctx context.Context, calculationID string, stream hearth.Stream) (io.ReadSeekCloser, error)
	Result(ctx context.Context, calculationID string) (io.ReadSeekCloser, error)
}

// Session is the answer about a session: what the Athena API has no members for.
type Session struct {
	ID     string              `json:"id"`
	State  hearth.SessionState `json:"state"`
	Memory int64               `json:"memory,omitempty"` // bytes that its driver may use; 0 is not known
	Phases []Phase             `json:"phases"`           // of its start, in order
	Logs   Logs                `json:"logs"`
	Events []Event             `json:"events"` // oldest first
}

// Logs is where a session's log goes.
type Logs struct {
	Copies []string `json:"copies"`         // s3:// URIs, written when the driver has ended
	Note   string   `json:"note,omitempty"` // what is other than it was asked for
}

// Phase is one part of a session's start.
type Phase struct {
	Name  string  `json:"name"`
	Took  float64 `json:"took_ms"`
	Ahead bool    `json:"ahead,omitempty"` // before the session was asked for
}

// Event is one step of a session, or of a calculation in it.
type Event struct {
	At            time.Time `json:"at"`
	CalculationID string    `json:"calculation,omitempty"`
	From          string    `json:"from,omitempty"`
	To            string    `json:"to"`
	Reason        string    `json:"reason,omitempty"`
	Note          string    `json:"note,omitempty"`
}

// Handler serves the interface. It checks no signatures.
func Handler(s Sessions, log *slog.Logger) http.Handler {
	h := &handler{sessions: s, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sessions/{id}", h.answer(h.session))
	mux.HandleFunc("GET /v1/sessions/{id}/log", h.answer(h.sessionLog))
	mux.HandleFunc("GET /v1/calculations/{id}/{stream}", h.answer(h.output))
	mux.HandleFunc("GET /v1/calculations/{id}/result", h.answer(h.result))
	mux.HandleFunc("/", h.answer(nothing))
	return mux
}

type handler struct {
	sessions Sessions
	log      *slog.Logger
}

// answer makes a handler of a function that leaves its error to be answered.
func (h *handler) answer(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		if err == nil {
			return
		}
		if hearth.KindOf(err) == hearth.KindInternal && r.Context().Err() == nil {
			h.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "request", w.Header().Get("X-Amzn-Requestid"), "error", err)
		}
		awsjson.WriteError(w, refusal(err))
	}
}

// refusal is the one table of what errors are answered with.
func refusal(err error) *awsjson.Error {
	e := &awsjson.Error{Type: "InternalServerException", Status: http.StatusInternalServerError, Message: hearth.MessageOf(err)}
	switch hearth.KindOf(err) {
	case hearth.KindNotFound:
		e.Type, e.Status = "ResourceNotFoundException", http.StatusNotFound
	case hearth.KindInvalid:
		e.Type, e.Status = "InvalidRequestException", http.StatusBadRequest
	case hearth.KindConflict:
		e.Type, e.Status = "InvalidRequestException", http.StatusConflict
	case hearth.KindDenied:
		e.Type, e.Status = "AccessDeniedException", http.StatusForbidden
	case hearth.KindTooMany:
		e.Type, e.Status = "TooManyRequestsException", http.StatusTooManyRequests
	case hearth.KindUnavailable:
		e.Type, e.Status = "ServiceUnavailableException", http.StatusServiceUnavailable
	}
	return e
}

func nothing(_ http.ResponseWriter, r *http.Request) error {
	return hearth.Errorf(hearth.KindNotFound, "Nothing answers to %s %s.", r.Method, r.URL.Path)
}

func (h *handler) session(w http.ResponseWriter, r *http.Request) error {
	s, err := h.sessions.Session(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	events, err := h.sessions.Events(r.Context(), s.ID)
	if err != nil {
		return err
	}
	logs := s.Logs()
	answer := Session{
		ID: s.ID, State: s.State, Memory: s.EngineConfiguration.Memory, Phases: []Phase{}, Events: []Event{},
		Logs: Logs{Copies: append([]string{}, logs.Copies...), Note: logs.Note},
	}
	for _, p := range s.Phases {
		answer.Phases = append(answer.Phases, Phase{Name: p.Name, Took: float64(p.Took) / float64(time.Millisecond), Ahead: p.Ahead})
	}
	for _, e := range events {
		answer.Events = append(answer.Events, Event{
			At: e.At, CalculationID: e.CalculationID, From: e.From, To: e.To, Reason: e.Reason, Note: e.Note,
		})
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return hearth.Internal(err, "encoding a session")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n'))
	return nil
}

func (h *handler) output(w http.ResponseWriter, r *http.Request) error {
	stream := hearth.Stream(r.PathValue("stream"))
	if stream != hearth.Stdout && stream != hearth.Stderr {
		return nothing(w, r)
	}
	query := r.URL.Query()
	follow, err := followOf(cmp.Or(query.Get("follow"), "true"))
	if err != nil {
		return err
	}
	if !follow {
		content, err := h.sessions.Written(r.Context(), r.PathValue("id"), stream)
		if err != nil {
			return err
		}
		return h.whole(w, r, "text/plain; charset=utf-8", content)
	}
	offset, err := offsetOf(query.Get("offset"))
	if err != nil {
		return err
	}
	content, err := h.sessions.Output(r.Context(), r.PathValue("id"), stream, offset)
	if err != nil {
		return err
	}
	return h.stream(w, r, content)
}

func (h *handler) sessionLog(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	offset, err := offsetOf(query.Get("offset"))
	if err != nil {
		return err
	}
	follow, err := followOf(query.Get("follow"))
	if err != nil {
		return err
	}
	content, err := h.sessions.Log(r.Context(), r.PathValue("id"), offset, follow && r.Method != http.MethodHead)
	if err != nil {
		return err
	}
	return h.stream(w, r, content)
}

func (h *handler) result(w http.ResponseWriter, r *http.Request) error {
	content, err := h.sessions.Result(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.whole(w, r, "application/json", content)
}

// whole answers with what is there, or the part of it that a Range asks for.
func (h *handler) whole(w http.ResponseWriter, r *http.Request, contentType string, content io.ReadSeekCloser) error {
	defer content.Close()
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	reading := &source{ReadSeeker: content}
	http.ServeContent(w, r, "", time.Time{}, reading)
	if reading.err != nil {
		h.cutOff(r, header, reading.err)
	}
	return nil
}

// source remembers what stopped reading.
type source struct {
	io.ReadSeeker
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// stream answers with what is read as it comes.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, content io.ReadCloser) error {
	defer content.Close()
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		return nil // nothing to wait for
	}
	if err := send(w, content); err != nil {
		h.cutOff(r, header, err)
	}
	return nil
}

// cutOff ends an answer that has begun. The client must not take that for the
// end of the output.
func (h *handler) cutOff(r *http.Request, header http.Header, err error) {
	if r.Context().Err() == nil {
		h.log.WarnContext(r.Context(), "output was cut off", "path", r.URL.Path, "request", header.Get("X-Amzn-Requestid"), "error", err)
	}
	panic(http.ErrAbortHandler)
}

func offsetOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	offset, err := strconv.ParseInt(text, 10, 64)
	if err != nil || offset < 0 {
		return 0, hearth.Errorf(hearth.KindInvalid, "The offset is %q; it has to be a number of bytes, 0 or more.", text)
	}
	return offset, nil
}

func followOf(text string) (bool, error) {
	switch text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, hearth.Errorf(hearth.KindInvalid, "follow is %q; it can be true or false.", text)
}

// send passes on what is read as soon as it is there.
func send(w http.ResponseWriter, content io.Reader) error {
	connection := http.NewResponseController(w)
	if err := connection.Flush(); err != nil { // the client learns that it may wait
		return err
	}
	buffer := make([]byte, 32<<10)
	for {
		n, err := content.Read(buffer)
		if n > 0 {
			_, writing := w.Write(buffer[:n])
			if failed := errors.Join(writing, connection.Flush()); failed != nil {
				return failed
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
