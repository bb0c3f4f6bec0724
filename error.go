package hearth

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an Error is. A front door maps each kind to
// its protocol in one table; nothing else about an error decides its mapping.
type Kind int

// The kinds of failure. KindInternal is the zero value: an error that nobody
// classified is a fault of ours, and its text stays inside.
const (
	KindInternal            Kind = iota // a fault of ours; details stay in the log
	KindInvalid                         // the request cannot be carried out as it is
	KindNotFound                        // the named session, calculation or workgroup does not exist
	KindConflict                        // the thing is not in a state that allows the request
	KindExists                          // a thing of that name is there already
	KindIdempotencyMismatch             // a token came back with other parameters
	KindDenied                          // the principal may not do this
	KindTooMany                         // a quota or rate is used up; the same request may succeed later
	KindUnavailable                     // something needed is not there now: no engine, no memory, no disk
)

var kindNames = [...]string{
	KindInternal:            "internal",
	KindInvalid:             "invalid",
	KindNotFound:            "not found",
	KindConflict:            "conflict",
	KindExists:              "exists",
	KindIdempotencyMismatch: "idempotency mismatch",
	KindDenied:              "denied",
	KindTooMany:             "too many",
	KindUnavailable:         "unavailable",
}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kindNames[k]
}

// Error is the one error type that crosses rooms. Message is for the user: what
// happened, to what, and what to do. Err is for the log and never shown.
type Error struct {
	Kind    Kind
	Message string
	Err     error
}

// Errorf makes an Error. A %w verb in format becomes the wrapped cause; its
// text is part of Message then, so wrap only causes that a user may read.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Internal wraps a cause that is a fault of ours. doing says what was tried.
func Internal(err error, doing string) *Error {
	return &Error{Kind: KindInternal, Message: doing, Err: err}
}

func (e *Error) Error() string {
	if e.Kind == KindInternal && e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of the first Error in err's chain, KindInternal when
// there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// MessageOf gives the text of err that a user may see. An internal error's
// text is replaced, so that nothing internal can leak by accident.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind != KindInternal {
		return e.Message
	}
	return "Internal error. The server's log has the details under this request's id."
}
