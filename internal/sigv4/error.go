package sigv4

import "net/http"

// Fault says what is wrong with a request's signature. Protocols have their
// own names for the same faults; Fault.Code gives those of AWS's JSON services.
type Fault int

// The faults, in the order in which they are looked for.
const (
	FaultMissing           Fault = iota + 1 // no signature at all
	FaultIncomplete                         // a signature that cannot be parsed, or lacks a part
	FaultScope                              // signed for another day, region or service
	FaultUnsignedHeaders                    // a header that has to be signed is not
	FaultUnsignedPayload                    // the body is not covered by the signature, where it has to be
	FaultStreamingPayload                   // a body in chunks, where that is not supported
	FaultSkewed                             // signed too long ago, or in the future
	FaultExpired                            // a presigned URL whose time is over
	FaultUnknownKey                         // nobody has this access key id
	FaultInvalidToken                       // a session token that is not the key's
	FaultExpiredToken                       // temporary credentials whose time is over; a Verifier does not know it
	FaultMismatch                           // the signature is of another request or by another key
	FaultPayloadMismatch                    // the body is not the one whose hash was signed
	FaultPayloadTooLarge                    // the body is over the limit
	FaultPayloadUnreadable                  // the connection broke, or timed out, in the body
	FaultLengthMissing                      // a body in chunks that does not say its length
	FaultPayloadIncomplete                  // a body of another length than was said
	FaultPayloadMalformed                   // chunks that cannot be parsed
	FaultTrailerMalformed                   // trailers that are not those announced
)

// codes are the error types that AWS's JSON services answer with.
var codes = map[Fault]string{
	FaultMissing:           "MissingAuthenticationTokenException",
	FaultIncomplete:        "IncompleteSignatureException",
	FaultScope:             "InvalidSignatureException",
	FaultUnsignedHeaders:   "InvalidSignatureException",
	FaultUnsignedPayload:   "InvalidSignatureException",
	FaultStreamingPayload:  "InvalidSignatureException",
	FaultSkewed:            "InvalidSignatureException",
	FaultExpired:           "InvalidSignatureException",
	FaultUnknownKey:        "UnrecognizedClientException",
	FaultInvalidToken:      "UnrecognizedClientException",
	FaultExpiredToken:      "ExpiredTokenException",
	FaultMismatch:          "InvalidSignatureException",
	FaultPayloadMismatch:   "InvalidSignatureException",
	FaultPayloadTooLarge:   "RequestEntityTooLargeException",
	FaultPayloadUnreadable: "RequestTimeoutException",
	FaultLengthMissing:     "InvalidSignatureException",
	FaultPayloadIncomplete: "RequestTimeoutException",
	FaultPayloadMalformed:  "InvalidSignatureException",
	FaultTrailerMalformed:  "InvalidSignatureException",
}

// Code is the error type of AWS's JSON services for the fault.
func (f Fault) Code() string { return codes[f] }

// Status is the HTTP status of AWS's JSON services for the fault.
func (f Fault) Status() int {
	if f == FaultPayloadTooLarge {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// Error is a refused signature. Message is in AWS's words and safe to show.
type Error struct {
	Fault   Fault
	Message string

	// CanonicalRequest and StringToSign are what the server made of the
	// request, for FaultMismatch: whoever debugs a client compares them with
	// its own. They hold no secrets but all signed headers.
	CanonicalRequest string
	StringToSign     string
}

func (e *Error) Error() string { return e.Message }

func fault(f Fault, message string) *Error { return &Error{Fault: f, Message: message} }
