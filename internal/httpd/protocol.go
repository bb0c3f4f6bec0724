package httpd

import (
	"encoding/xml"
	"io"
	"mime"
	"net/http"

	"hearth"
	"hearth/internal/awsjson"
	"hearth/internal/sigv4"
)

// A protocol is how a door's clients are told what its handler cannot tell
// them.
type protocol interface {
	// idHeader is the header that the id of a request is answered in.
	idHeader() string
	// fail answers a request that failed by a fault of ours.
	fail(w http.ResponseWriter, r *http.Request)
}

// internalMessage tells a client all that it may know of a fault of ours.
var internalMessage = hearth.MessageOf(nil)

// awsJSON is the protocol of the Athena API.
type awsJSON struct{}

func (awsJSON) idHeader() string { return "X-Amzn-Requestid" }

func (awsJSON) refuse(w http.ResponseWriter, r *http.Request, refusal *sigv4.Error) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "application/x-www-form-urlencoded" {
		refuseQuery(w, refusal)
		return
	}
	awsjson.WriteError(w, &awsjson.Error{Type: refusal.Fault.Code(), Status: refusal.Fault.Status(), Message: refusal.Message})
}

func (awsJSON) fail(w http.ResponseWriter, _ *http.Request) {
	awsjson.WriteError(w, &awsjson.Error{Type: "InternalServerException", Status: http.StatusInternalServerError, Message: internalMessage})
}

// queryError is an error in the protocol of older services such as STS. Their
// clients come here when all of AWS was pointed at this server.
type queryError struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Error   struct{ Type, Code, Message string }

	RequestID string `xml:"RequestId"`
}

func refuseQuery(w http.ResponseWriter, refusal *sigv4.Error) {
	answer := queryError{RequestID: w.Header().Get(awsJSON{}.idHeader())}
	answer.Error.Type, answer.Error.Code = "Sender", refusal.Fault.Code()
	answer.Error.Message = refusal.Message + " This server is Athena and S3 and no other service: " +
		"set AWS_ENDPOINT_URL_ATHENA and AWS_ENDPOINT_URL_S3 instead of AWS_ENDPOINT_URL."
	writeXML(w, refusal.Fault.Status(), "text/xml", answer)
}

// plain is the protocol of browsers.
type plain struct{}

func (plain) idHeader() string { return awsJSON{}.idHeader() }

func (plain) fail(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, internalMessage, http.StatusInternalServerError)
}

// s3XML is the protocol of S3.
type s3XML struct{}

func (s3XML) idHeader() string { return "X-Amz-Request-Id" }

// s3Faults are S3's names for faults of a signature (its error reference).
var s3Faults = map[sigv4.Fault]struct {
	code   string
	status int
}{
	sigv4.FaultMissing:           {"AccessDenied", http.StatusForbidden},
	sigv4.FaultIncomplete:        {headerMalformed, http.StatusBadRequest},
	sigv4.FaultScope:             {headerMalformed, http.StatusBadRequest},
	sigv4.FaultUnsignedHeaders:   {"AccessDenied", http.StatusForbidden},
	sigv4.FaultUnsignedPayload:   {"InvalidRequest", http.StatusBadRequest},
	sigv4.FaultStreamingPayload:  {"NotImplemented", http.StatusNotImplemented},
	sigv4.FaultSkewed:            {"RequestTimeTooSkewed", http.StatusForbidden},
	sigv4.FaultExpired:           {"AccessDenied", http.StatusForbidden},
	sigv4.FaultUnknownKey:        {"InvalidAccessKeyId", http.StatusForbidden},
	sigv4.FaultInvalidToken:      {"InvalidToken", http.StatusBadRequest},
	sigv4.FaultExpiredToken:      {"ExpiredToken", http.StatusBadRequest},
	sigv4.FaultMismatch:          {"SignatureDoesNotMatch", http.StatusForbidden},
	sigv4.FaultPayloadMismatch:   {"XAmzContentSHA256Mismatch", http.StatusBadRequest},
	sigv4.FaultPayloadTooLarge:   {"EntityTooLarge", http.StatusBadRequest},
	sigv4.FaultPayloadUnreadable: {"RequestTimeout", http.StatusBadRequest},
	sigv4.FaultLengthMissing:     {"MissingContentLength", http.StatusLengthRequired},
	sigv4.FaultPayloadIncomplete: {"IncompleteBody", http.StatusBadRequest},
	sigv4.FaultPayloadMalformed:  {"IncompleteBody", http.StatusBadRequest},
	sigv4.FaultTrailerMalformed:  {"MalformedTrailerError", http.StatusBadRequest},
}

// These name the same of a signature in a header and of one in an address.
const (
	headerMalformed = "AuthorizationHeaderMalformed"
	queryMalformed  = "AuthorizationQueryParametersError"
)

type s3Error struct {
	XMLName          xml.Name `xml:"Error"`
	Code             string
	Message          string
	Resource         string
	RequestID        string `xml:"RequestId"`
	StringToSign     string `xml:",omitempty"`
	CanonicalRequest string `xml:",omitempty"`
}

func (p s3XML) refuse(w http.ResponseWriter, r *http.Request, refusal *sigv4.Error) {
	fault := s3Faults[refusal.Fault]
	if fault.code == headerMalformed && r.Header.Get("Authorization") == "" {
		fault.code = queryMalformed
	}
	p.write(w, r, fault.status, s3Error{
		Code:             fault.code,
		Message:          refusal.Message,
		StringToSign:     refusal.StringToSign,
		CanonicalRequest: refusal.CanonicalRequest,
	})
}

func (p s3XML) fail(w http.ResponseWriter, r *http.Request) {
	p.write(w, r, http.StatusInternalServerError, s3Error{Code: "InternalError", Message: internalMessage})
}

func (p s3XML) write(w http.ResponseWriter, r *http.Request, status int, e s3Error) {
	e.Resource = r.URL.Path
	e.RequestID = w.Header().Get(p.idHeader())
	writeXML(w, status, "application/xml", e)
}

func writeXML(w http.ResponseWriter, status int, contentType string, answer any) {
	body, err := xml.Marshal(answer)
	if err != nil {
		panic("httpd: " + err.Error()) // strings can always be written
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	io.WriteString(w, xml.Header+string(body))
}
