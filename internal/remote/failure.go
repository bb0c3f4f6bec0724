package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"hearth"
)

// meaning is what an answer of a store, or the want of one, comes to. Its words
// are given the store's name, its endpoint, the object, its bucket and the code.
type meaning struct {
	kind  hearth.Kind
	words string
}

var (
	noBucket = &meaning{hearth.KindNotFound, "The store %[1]s has no bucket %[4]s. Make it there, or name another one."}
	noObject = &meaning{hearth.KindNotFound, "There is no object %[3]s in the store %[1]s."}
	denied   = &meaning{hearth.KindDenied, "The store %[1]s denies the server access to %[3]s (%[5]s). " +
		"Allow s3:GetObject, s3:PutObject and s3:AbortMultipartUpload there to the credentials of [stores.%[1]s]."}
	badKey = &meaning{hearth.KindInvalid, "The store %[1]s cannot encrypt %[3]s as asked (%[5]s). Correct the KMS key, or allow kms:GenerateDataKey and kms:Decrypt on it to the credentials of [stores.%[1]s]."}

	// Of another region or endpoint than the settings have.
	elsewhere = &meaning{hearth.KindInvalid, "The bucket %[4]s is not where the store %[1]s is, at %[2]s (%[5]s). Correct region or endpoint of [stores.%[1]s]."}

	// Whoever has changed a key, or a clock, can mend it: what waits goes on then.
	unknownKey    = &meaning{hearth.KindUnavailable, "The store %[1]s does not take the server's credentials (%[5]s). Correct those of [stores.%[1]s], or the clock."}
	noCredentials = &meaning{hearth.KindUnavailable, "There are no credentials for the store %[1]s. Set access_key_id and secret_access_key_file of [stores.%[1]s], or give the server's environment some."}

	replaced    = &meaning{hearth.KindUnavailable, "The object %[3]s was replaced while it was read. Read it again."}
	passing     = &meaning{hearth.KindUnavailable, "The store %[1]s cannot do it now (%[5]s)."}
	unreachable = &meaning{hearth.KindUnavailable, "The store %[1]s cannot be reached at %[2]s: %[5]s."}
	impossible  = &meaning{hearth.KindInvalid, "The store %[1]s refuses what it was asked to do with %[3]s (%[5]s)."}
)

// meanings are those of S3's error codes (its error reference), and of some
// that compatible stores have of their own. The status decides about others.
var meanings = map[string]*meaning{
	"NoSuchBucket": noBucket,
	"NoSuchKey":    noObject,

	"InvalidAccessKeyId":    unknownKey,
	"SignatureDoesNotMatch": unknownKey,
	"ExpiredToken":          unknownKey,
	"InvalidToken":          unknownKey,
	"TokenRefreshRequired":  unknownKey,
	"RequestTimeTooSkewed":  unknownKey,
	"RequestExpired":        unknownKey,

	"AuthorizationHeaderMalformed": elsewhere, // signed for another region

	"PreconditionFailed": replaced,

	"SlowDown":          passing,
	"RequestTimeout":    passing,
	"OperationAborted":  passing,
	"NoSuchUpload":      passing, // somebody else has aborted it
	"QuotaExceeded":     passing, // Ceph's, when it is full
	"XMinioStorageFull": passing,
}

func meaningOf(code string, status int) *meaning {
	switch m := meanings[code]; {
	case m != nil:
		return m
	case strings.HasPrefix(code, "KMS."):
		return badKey
	case status == http.StatusNotFound:
		return noObject
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return denied
	case status == http.StatusPreconditionFailed:
		return replaced
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooManyRequests, status >= 500:
		return passing
	case status >= 400:
		return impossible
	}
	return elsewhere // a redirection
}

// credentialsError tells a want of credentials from what the store answers.
type credentialsError struct{ error }

func (e credentialsError) Unwrap() error { return e.error }

// failure makes the error of a request that failed; err may be nil. What the
// store said stays for the log: it tells more of the server's account than a
// user of Hearth need know.
func (s *Store) failure(ctx context.Context, err error, at hearth.Location) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var code string
	m := unreachable
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() != "UnknownError" {
		code = api.ErrorCode()
	}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.HTTPStatusCode() != 0 {
		m = meaningOf(code, answer.HTTPStatusCode())
		if code == "" {
			code = fmt.Sprintf("%d %s", answer.HTTPStatusCode(), http.StatusText(answer.HTTPStatusCode()))
		}
	} else if _, ok := errors.AsType[credentialsError](err); ok {
		m = noCredentials
	} else {
		code = hindrance(err)
	}
	if m == noObject && at.Key == "" {
		m = noBucket
	}
	return &hearth.Error{Kind: m.kind, Message: fmt.Sprintf(m.words, s.name, s.endpoint, at, at.Bucket, code), Err: err}
}

// hindrance says in words for users why no answer came. The error itself names
// addresses of the server's network.
func hindrance(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its name has no address"
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate.Error()
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "it does not speak TLS"
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return "no answer came in time"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens there"
	}
	return "the connection broke"
}
