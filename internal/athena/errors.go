package athena

import (
	"net/http"

	"hearth"
	"hearth/internal/awsjson"
)

// answer is how Athena says a kind of failure.
type answer struct {
	errorType string
	code      string // AthenaErrorCode, which only InvalidRequestException has
	status    int
	message   string // replaces the error's own
}

// answers is the one table from failures to Athena's errors. Real clients
// decide: PyAthena takes InvalidRequestException, and nothing else, for a
// session that does not exist, and Terraform for a workgroup; SDKs retry on
// InternalServerException.
var answers = map[hearth.Kind]answer{
	hearth.KindInvalid:             {"InvalidRequestException", "INVALID_INPUT", http.StatusBadRequest, ""},
	hearth.KindNotFound:            {"InvalidRequestException", "INVALID_INPUT", http.StatusBadRequest, ""},
	hearth.KindConflict:            {"InvalidRequestException", "INVALID_INPUT", http.StatusBadRequest, ""},
	hearth.KindExists:              {"InvalidRequestException", "INVALID_INPUT", http.StatusBadRequest, ""},
	hearth.KindIdempotencyMismatch: {"InvalidRequestException", "IDEMPOTENT_PARAMETER_MISMATCH", http.StatusBadRequest, "Idempotent parameters do not match"},
	hearth.KindDenied:              {"AccessDeniedException", "", http.StatusBadRequest, ""},
	hearth.KindTooMany:             {"TooManyRequestsException", "", http.StatusBadRequest, ""},
	hearth.KindUnavailable:         {"InternalServerException", "", http.StatusInternalServerError, ""},
	hearth.KindInternal:            {"InternalServerException", "", http.StatusInternalServerError, ""},
}

// translate makes Athena's error of one of the application's.
func translate(err error) *awsjson.Error {
	a := answers[hearth.KindOf(err)]
	e := &awsjson.Error{Type: a.errorType, Status: a.status, Message: a.message}
	if e.Message == "" {
		e.Message = hearth.MessageOf(err)
	}
	if a.code != "" {
		// The model has the first name only, the wire has both.
		e.Members = []awsjson.Member{{Name: "AthenaErrorCode", Value: a.code}, {Name: "ErrorCode", Value: a.code}}
	}
	return e
}

// rateExceeded refuses a call that comes too soon, in AWS's words. There is no
// Reason in it: the only one of the model is about queries.
func rateExceeded(errorType string) *awsjson.Error {
	return &awsjson.Error{Type: errorType, Message: "Rate exceeded"}
}

func invalid(message string) *awsjson.Error {
	return translate(&hearth.Error{Kind: hearth.KindInvalid, Message: message})
}
