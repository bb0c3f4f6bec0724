package sigv4

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MaxSkew is how far a client's clock may be off (the user guide of Signature
// Version 4).
const MaxSkew = 5 * time.Minute

// ServiceS3 is the name of the service whose signatures differ: the path is
// encoded once, the body may be left unsigned, and URLs may be presigned.
const ServiceS3 = "s3"

// What a Verifier's Secret returns for an access key id that nobody has, and
// for a session token that is not the key's.
var (
	ErrUnknownKey   = errors.New("unknown access key id")
	ErrInvalidToken = errors.New("invalid session token")
)

// Verifier checks the signatures of requests for one service. Its methods may
// be called from several goroutines.
type Verifier struct {
	// Service is the service name that clients sign for.
	Service string
	// Region is the only region that requests may be signed for; "" takes any.
	Region string
	// Secret gives the secret of an access key, or ErrUnknownKey. With temporary
	// credentials comes a token; it returns ErrInvalidToken for a wrong one. Any
	// other error is a fault of the server; Verify returns it as it is.
	Secret func(ctx context.Context, accessKeyID, sessionToken string) (string, error)
	// RequiredHeaders have to be signed, beside host and all X-Amz-* headers
	// of the request. Names are in lower case.
	RequiredHeaders []string
	// MaxBody is the most bytes that the body of a request may have. It does not
	// hold for S3, whose bodies are never in memory as a whole.
	MaxBody int64
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	keys keyCache
}

// Identity is who signed a request.
type Identity struct {
	AccessKeyID  string
	Region       string
	SessionToken string // "" where no token came
}

// Verify checks the request's signature. It reads the body and puts back what it
// read: after success r.Body gives the bytes that were signed. A refusal is an
// *Error.
//
// A body for S3 it leaves unread. That gives io.EOF when it was read to its end
// and is what was signed, and before that an *Error when it is not: nothing may
// come of what was read until then. A body in chunks gives the data in them;
// r.ContentLength is the length of the data, and trailers are in r.Trailer at
// its end.
func (v *Verifier) Verify(r *http.Request) (Identity, error) {
	s3 := v.Service == ServiceS3
	query, refusal := queryOf(r)
	if refusal != nil {
		return Identity{}, refusal
	}
	if s3 && query.Has(keyParameter) && len(r.Header["Authorization"]) == 0 {
		return v.verifyVersion2(r, query)
	}
	a, refusal := authorizationOf(r, query, s3)
	if refusal != nil {
		return Identity{}, refusal
	}
	if refusal := v.check(r, a); refusal != nil {
		return Identity{}, refusal
	}
	declared, refusal := declaredPayload(r, query, a, s3)
	if refusal != nil {
		return Identity{}, refusal
	}
	identity := Identity{AccessKeyID: a.credential.accessKeyID, Region: a.credential.region, SessionToken: sessionToken(r, query, a)}
	secret, err := v.secretOf(r, identity)
	if err != nil {
		return Identity{}, err
	}

	payload := declared
	if payload == "" {
		if payload, refusal = v.hashBody(r); refusal != nil {
			return Identity{}, refusal
		}
	}
	if a.presigned() {
		query.Del("X-Amz-Signature")
	}
	key := v.keys.signingKey(secret, a.credential)
	s := key.signer()
	defer key.idle.Put(s)
	s.canonical = appendCanonical(s.canonical[:0], r, query, a.headers, a.signedHeaders, payload, s3)
	s.sign(a.date, a.scope)
	if !hmac.Equal(s.signature[:], a.signature[:]) {
		refusal := mismatch()
		refusal.CanonicalRequest, refusal.StringToSign = string(s.canonical), string(s.toSign)
		return Identity{}, refusal
	}
	switch {
	case s3:
		refusal = stream(r, declared, &chunkSeal{key.key, a.date, a.scope, hex.EncodeToString(a.signature[:])})
	case declared != "": // else the body was read already
		refusal = v.settle(r, declared)
	}
	if refusal != nil {
		return Identity{}, refusal
	}
	return identity, nil
}

// queryOf gives the parameters of a request's query; nil when it has none.
func queryOf(r *http.Request) (url.Values, *Error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault(FaultIncomplete, "The query string cannot be parsed.")
	}
	return query, nil
}

func mismatch() *Error {
	return fault(FaultMismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

// secretOf gives the secret of a key, or why it has none.
func (v *Verifier) secretOf(r *http.Request, who Identity) (string, error) {
	secret, err := v.Secret(r.Context(), who.AccessKeyID, who.SessionToken)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return "", fault(FaultUnknownKey, "The security token included in the request is invalid.")
	case errors.Is(err, ErrInvalidToken):
		return "", fault(FaultInvalidToken, "The provided token is malformed or otherwise invalid.")
	}
	return secret, err
}

// sessionToken is the token of temporary credentials. It is signed where it
// stands: as an X-Amz-* header, or with the rest of a presigned URL's query.
func sessionToken(r *http.Request, query url.Values, a authorization) string {
	if a.presigned() {
		return query.Get("X-Amz-Security-Token")
	}
	return r.Header.Get("X-Amz-Security-Token")
}

// settle holds the body to the hash that was declared of it.
func (v *Verifier) settle(r *http.Request, declared string) *Error {
	hash, refusal := v.hashBody(r)
	if refusal == nil && hash != declared {
		refusal = payloadMismatch()
	}
	return refusal
}

func (v *Verifier) check(r *http.Request, a authorization) *Error {
	if refusal := v.checkScope(a.credential); refusal != nil {
		return refusal
	}
	if refusal := v.checkHeaders(r, a); refusal != nil {
		return refusal
	}
	return v.checkTime(a)
}

func (v *Verifier) checkScope(c credential) *Error {
	if c.service != v.Service {
		return fault(FaultScope, fmt.Sprintf("Credential should be scoped to correct service: '%s'.", v.Service))
	}
	if c.region == "" || v.Region != "" && c.region != v.Region {
		return fault(FaultScope, fmt.Sprintf("Credential should be scoped to a valid region, not '%s'. This server's is %s.", c.region, v.Region))
	}
	return nil
}

// checkHeaders refuses headers that could be changed on the way. S3 and the
// JSON services act upon X-Amz-* headers, so each has to be signed.
func (v *Verifier) checkHeaders(r *http.Request, a authorization) *Error {
	if !a.signs("host") {
		return unsigned("host")
	}
	for _, name := range v.RequiredHeaders {
		if !a.signs(name) {
			return unsigned(name)
		}
	}
	const prefix = "x-amz-"
	for name := range r.Header {
		if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		if lower := lowerName(name); !a.signs(lower) {
			return unsigned(lower)
		}
	}
	return nil
}

func unsigned(name string) *Error {
	return fault(FaultUnsignedHeaders, fmt.Sprintf("'%s' must be a 'SignedHeader' in the AWS Authorization.", name))
}

func (v *Verifier) checkTime(a authorization) *Error {
	now := v.now()
	oldest := now.Add(-MaxSkew)
	if a.presigned() {
		oldest = now.Add(-a.lifetime)
	}
	newest := now.Add(MaxSkew)
	switch {
	case a.at.Before(oldest) && a.presigned():
		return fault(FaultExpired, "Request has expired")
	case a.at.Before(oldest):
		return fault(FaultSkewed, fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)",
			a.date, oldest.Format(timeFormat), now.Format(timeFormat)))
	case a.at.After(newest):
		return fault(FaultSkewed, fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)",
			a.date, newest.Format(timeFormat), now.Format(timeFormat)))
	}
	return nil
}

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now().UTC()
	}
	return time.Now().UTC()
}
