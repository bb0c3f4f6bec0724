package console

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"hearth"
)

func render(w http.ResponseWriter, status int, name string, data any) error {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, data); err != nil {
		return hearth.Internal(err, "making the page "+name)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(page.Bytes())
	return nil
}

// statuses is the one table of what errors are answered with.
var statuses = map[hearth.Kind]int{
	hearth.KindInternal:            http.StatusInternalServerError,
	hearth.KindInvalid:             http.StatusBadRequest,
	hearth.KindNotFound:            http.StatusNotFound,
	hearth.KindConflict:            http.StatusConflict,
	hearth.KindExists:              http.StatusConflict,
	hearth.KindIdempotencyMismatch: http.StatusConflict,
	hearth.KindDenied:              http.StatusForbidden,
	hearth.KindTooMany:             http.StatusTooManyRequests,
	hearth.KindUnavailable:         http.StatusServiceUnavailable,
}

// answer makes a handler of a function that leaves its error to be shown.
func (c *Console) answer(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := c.ready(r.Context())
		if err != nil {
			err = hearth.Errorf(hearth.KindUnavailable, "The server is not ready yet: %w.", err)
		} else {
			err = serve(w, r)
		}
		if err == nil {
			return
		}
		failure := struct {
			Title, Message string
			Denied         bool
		}{http.StatusText(statuses[hearth.KindOf(err)]), c.message(w, r, err), hearth.KindOf(err) == hearth.KindDenied}
		if err := render(w, statuses[hearth.KindOf(err)], "failure", failure); err != nil {
			panic(err)
		}
	}
}

// message is what a visitor may know of an error; the log has all of it.
func (c *Console) message(w http.ResponseWriter, r *http.Request, err error) string {
	if hearth.KindOf(err) != hearth.KindInternal {
		return hearth.MessageOf(err)
	}
	if !errors.Is(r.Context().Err(), context.Canceled) {
		c.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "request", requestID(w), "error", err)
	}
	return hearth.MessageOf(err) + " It is " + requestID(w) + "."
}
