package awsjson

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Service is an API.
type Service struct {
	// Target is what stands before the dot in X-Amz-Target.
	Target     string
	Operations []Operation
	// Invalid makes the error for a request that breaks its model.
	Invalid func(message string) *Error
	// Translate makes the answer for an error of a handler, and for a panic. It
	// is asked for every error, so an unknown one has to become a neutral 5xx.
	Translate func(err error) *Error
	// Before is asked about each call before anything of it is read; its error,
	// if any, is the answer. It may be nil.
	Before func(ctx context.Context, operation string) *Error
	// MaxBody is the most bytes that a request's body may have.
	MaxBody int64
	// Log gets a line for each answer of 500 and above.
	Log *slog.Logger
}

// Operation is one thing that a service does.
type Operation struct {
	Name  string
	serve func(ctx context.Context, body []byte, invalid func(string) *Error) ([]byte, error)
}

// NewOperation makes an operation of a decoder, a check and a handler.
func NewOperation[In, Out any](name string, decode func(*Decoder) *In, check func(*In, *Checker), handle func(context.Context, *In) (*Out, error)) Operation {
	return Operation{Name: name, serve: func(ctx context.Context, body []byte, invalid func(string) *Error) ([]byte, error) {
		decoder, refusal := NewDecoder(body)
		if refusal != nil {
			return nil, refusal
		}
		in := decode(decoder)
		if refusal := decoder.Err(); refusal != nil {
			return nil, refusal
		}
		var checker Checker
		check(in, &checker)
		if message := checker.Message(); message != "" {
			return nil, invalid(message)
		}
		out, err := handle(ctx, in)
		if err != nil || reflect.TypeFor[Out]().NumField() == 0 {
			return nil, err // a shape without members is an empty body
		}
		if ready, ok := any(out).(*Ready); ok {
			return ready.json, nil
		}
		return encode(out), nil
	}}
}

// Ready is the output of a handler that has its JSON already.
type Ready struct{ json []byte }

// NewReady makes the JSON of a structure of the model.
func NewReady(output any) *Ready { return &Ready{encode(output)} }

// Refuse makes an operation that is known and always refused.
func Refuse(name string, refusal *Error) Operation {
	return Operation{Name: name, serve: func(context.Context, []byte, func(string) *Error) ([]byte, error) {
		return nil, refusal
	}}
}

// Handler serves the API.
func (s Service) Handler() http.Handler {
	operations := make(map[string]Operation, len(s.Operations))
	for _, operation := range s.Operations {
		operations[s.Target+"."+operation.Name] = operation
	}
	return &handler{Service: s, operations: operations}
}

type handler struct {
	Service
	operations map[string]Operation // by X-Amz-Target
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID(w)
	if r.Method != http.MethodPost || !isJSON11(r.Header.Get("Content-Type")) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "<UnknownOperationException/>\n")
		return
	}
	operation, known := h.operations[r.Header.Get("X-Amz-Target")]
	if !known {
		WriteError(w, unknownOperation())
		return
	}
	if h.Before != nil {
		if refusal := h.Before(r.Context(), operation.Name); refusal != nil {
			WriteError(w, refusal)
			return
		}
	}
	out, err := h.serve(operation, r)
	if err == nil {
		write(w, http.StatusOK, out)
		return
	}
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		refusal = h.Translate(err)
	}
	if refusal.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		h.Log.ErrorContext(r.Context(), "request failed", "operation", operation.Name, "request", id, "error", err)
	}
	WriteError(w, refusal)
}

func (h *handler) serve(operation Operation, r *http.Request) (out []byte, err error) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler:
			panic(cause)
		default:
			out, err = nil, fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	body, err := readBody(r, h.MaxBody+1)
	if err != nil {
		return nil, serialization("The body of the request could not be read to its end.")
	}
	if int64(len(body)) > h.MaxBody {
		return nil, &Error{
			Type:    "RequestEntityTooLargeException",
			Status:  http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("The body of the request is over the limit of %d bytes.", h.MaxBody),
		}
	}
	return operation.serve(r.Context(), body, h.Invalid)
}

// readBody reads at most so many bytes, in one piece when their number is known.
func readBody(r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength >= most {
		return io.ReadAll(io.LimitReader(r.Body, most))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// requestID gives the id under which the answer is sent: the one that an outer
// handler has set, or a new one.
func requestID(w http.ResponseWriter) string {
	const header = "X-Amzn-Requestid"
	if id := w.Header().Get(header); id != "" {
		return id
	}
	id := uuid.NewString()
	w.Header().Set(header, id)
	return id
}

func isJSON11(contentType string) bool {
	if contentType == ContentType {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && strings.EqualFold(media, ContentType)
}

// contentType is a header's value, the same for all answers.
var contentType = []string{ContentType}

// write sends an answer as it is: boto3 and the SDK for JavaScript cannot read
// a compressed one that they did not ask for.
func write(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	w.Write(body)
}
