package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// What a client may say of the body instead of its hash (S3's API reference on
// authenticating requests).
const (
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	signedChunks     = algorithm + "-PAYLOAD"
	streaming        = "STREAMING-"
	signedStream     = streaming + signedChunks
	signedTrailers   = signedStream + "-TRAILER"
	unsignedTrailers = streaming + unsignedPayload + "-TRAILER"
)

// declaredPayload is the hash of the body that the client says it signed, or one
// of the words for bodies without; "" when it does not say.
func declaredPayload(r *http.Request, query url.Values, a authorization, s3 bool) (string, *Error) {
	declared := r.Header.Get("X-Amz-Content-Sha256")
	if a.presigned() && declared == "" {
		declared = query.Get("X-Amz-Content-Sha256")
		if declared == "" {
			declared = unsignedPayload
		}
	}
	switch {
	case s3 && (declared == signedStream || declared == signedTrailers || declared == unsignedTrailers):
	case strings.HasPrefix(declared, streaming):
		return "", fault(FaultStreamingPayload, "Bodies in chunks ("+declared+") are not supported here. Send the body in one piece.")
	case declared == unsignedPayload && !s3:
		return "", fault(FaultUnsignedPayload, "The body has to be signed; "+unsignedPayload+" is not accepted here.")
	case declared == "" && s3:
		return "", fault(FaultUnsignedPayload, "Missing required header for this request: x-amz-content-sha256")
	}
	return declared, nil
}

// hashBody reads a body that is held in memory.
func (v *Verifier) hashBody(r *http.Request) (string, *Error) {
	if r.Body == nil {
		return hashHex(nil), nil
	}
	if r.ContentLength > v.MaxBody {
		return "", v.tooLarge()
	}
	body, err := v.readBody(r)
	switch {
	case err != nil:
		return "", unreadable(err)
	case int64(len(body)) > v.MaxBody:
		return "", v.tooLarge()
	}
	held := new(heldBody)
	held.Reset(body)
	r.Body = held
	return hashHex(body), nil
}

// readBody reads at most one byte more than MaxBody. It makes room for a small
// body at once; a large one has to come first.
func (v *Verifier) readBody(r *http.Request) ([]byte, error) {
	room := int64(4 << 10)
	if r.ContentLength >= 0 {
		room = min(room, r.ContentLength+1) // one more shows that nothing follows
	}
	body := make([]byte, 0, room)
	for int64(len(body)) <= v.MaxBody {
		n, err := r.Body.Read(body[len(body):min(int64(cap(body)), v.MaxBody+1)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
	return body, nil
}

// heldBody is a body that was read.
type heldBody struct{ bytes.Reader }

// Close implements io.Closer.
func (*heldBody) Close() error { return nil }

func (v *Verifier) tooLarge() *Error {
	return fault(FaultPayloadTooLarge, fmt.Sprintf("The body of the request is over the limit of %d bytes.", v.MaxBody))
}

// stream puts a body in place that is verified while it is read.
func stream(r *http.Request, declared string, s *chunkSeal) *Error {
	switch {
	case strings.HasPrefix(declared, streaming):
		return unchunk(r, declared, s)
	case declared == unsignedPayload:
		r.Body = &hashedBody{body: bodyOf(r)}
		return nil
	case r.Body == nil || r.Body == http.NoBody:
		if declared != hashHex(nil) {
			return payloadMismatch()
		}
		return nil
	}
	r.Body = &hashedBody{body: r.Body, sum: sha256.New(), want: declared}
	return nil
}

func bodyOf(r *http.Request) io.ReadCloser {
	if r.Body == nil {
		return http.NoBody
	}
	return r.Body
}

// hashedBody gives a body, and io.EOF only when its hash is the one that was
// signed.
type hashedBody struct {
	body io.ReadCloser
	sum  hash.Hash // nil when the body is not signed
	want string
}

func (b *hashedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if b.sum != nil {
		b.sum.Write(p[:n])
	}
	switch {
	case err == io.EOF && b.sum != nil && hex.EncodeToString(b.sum.Sum(nil)) != b.want:
		return n, payloadMismatch()
	case err != nil && err != io.EOF:
		return n, unreadable(err)
	}
	return n, err
}

func (b *hashedBody) Close() error { return b.body.Close() }

func payloadMismatch() *Error {
	return fault(FaultPayloadMismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.")
}

// unreadable tells a body that ended too early from one that did not come.
func unreadable(err error) *Error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return incomplete()
	}
	return fault(FaultPayloadUnreadable, "The body of the request could not be read to its end.")
}

func incomplete() *Error {
	return fault(FaultPayloadIncomplete, "The body of the request has another length than its header says, or ends in the middle of a chunk.")
}
