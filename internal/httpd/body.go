package httpd

import (
	"errors"
	"io"
	"net/http"
	"time"

	"hearth"
	"hearth/internal/sigv4"
)

// patientBody gives a client a while for each next part of a body: large ones
// may take as long as they like, silent ones may not.
type patientBody struct {
	io.ReadCloser
	connection *http.ResponseController
	patience   time.Duration
}

func (b *patientBody) Read(p []byte) (int, error) {
	if err := b.connection.SetReadDeadline(time.Now().Add(b.patience)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// The answer may take its time, and the next request too.
		if err := b.connection.SetReadDeadline(time.Time{}); err != nil {
			return n, err
		}
	}
	return n, err
}

// signedBody gives the faults of a signed S3 body as the door's handler answers
// them.
type signedBody struct{ io.ReadCloser }

func (b signedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if refusal, ok := errors.AsType[*sigv4.Error](err); ok {
		err = &hearth.Error{Kind: hearth.KindInvalid, Message: refusal.Message, Err: bodyFault{refusal}}
	}
	return n, err
}

// bodyFault has S3's name for a fault of a body.
type bodyFault struct{ refusal *sigv4.Error }

func (f bodyFault) Error() string { return f.refusal.Message }

// S3 is what the handler answers: the error's code and HTTP status.
func (f bodyFault) S3() (code string, status int) {
	fault := s3Faults[f.refusal.Fault]
	return fault.code, fault.status
}
