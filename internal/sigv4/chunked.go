package sigv4

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// A body in chunks (aws-chunked) is, for each chunk,
//
//	<length in hexadecimal>[;chunk-signature=<signature>]\r\n<data>\r\n
//
// with one of length 0 at the end, which has no data and no line break of its
// own, then trailers as lines, then an empty line. The signature of a chunk
// covers the one before it, the first that of the request; a last one, in a
// trailer, covers the trailers.

const (
	chunkSignature   = "chunk-signature="
	trailerSignature = "x-amz-trailer-signature"

	// maxChunkLine is the most bytes of a line: a length with a signature, or a
	// trailer.
	maxChunkLine = 4 << 10
	maxTrailers  = 16
)

// chunkSeal makes the signatures of a body's chunks.
type chunkSeal struct {
	key      []byte
	date     string
	scope    string
	previous string // the signature before
}

// next gives the signature of what has the hashes.
func (s *chunkSeal) next(kind string, hashes ...string) string {
	text := kind + "\n" + s.date + "\n" + s.scope + "\n" + s.previous + "\n" + strings.Join(hashes, "\n")
	s.previous = hex.EncodeToString(mac(s.key, text))
	return s.previous
}

// chunkedBody gives the data of a body in chunks, and io.EOF only when all
// signatures, the length and the trailers are what they have to be.
type chunkedBody struct {
	body     io.ReadCloser
	in       *bufio.Reader
	seal     *chunkSeal // nil when chunks are not signed
	trailers http.Header
	expected int64 // bytes of data that are still to come
	err      error // what reading ended with

	left      int64     // bytes of this chunk's data
	inside    bool      // of a chunk
	sum       hash.Hash // of this chunk's data so far
	signature string    // that this chunk came with
}

// unchunk makes a request's body in chunks the data that it holds, of which
// r.ContentLength is the length then. Trailers are in r.Trailer once the body
// was read to its end.
func unchunk(r *http.Request, declared string, s *chunkSeal) *Error {
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return fault(FaultLengthMissing, "A body in chunks needs the header x-amz-decoded-content-length, the number of bytes in it.")
	}
	b := &chunkedBody{body: bodyOf(r), expected: length, sum: sha256.New()}
	b.in = bufio.NewReaderSize(b.body, maxChunkLine)
	if declared != unsignedTrailers {
		b.seal = s
	}
	if declared != signedStream {
		b.trailers = make(http.Header)
		for name := range strings.SplitSeq(strings.Join(r.Header.Values("X-Amz-Trailer"), ","), ",") {
			if name = strings.TrimSpace(name); name != "" {
				b.trailers[http.CanonicalHeaderKey(name)] = nil
			}
		}
		r.Trailer = b.trailers
	}
	r.Body, r.ContentLength = b, length
	withoutChunks(r.Header)
	return nil
}

// withoutChunks removes from Content-Encoding what was the encoding of the
// request and is none of the data.
func withoutChunks(header http.Header) {
	var codings []string
	for coding := range strings.SplitSeq(strings.Join(header.Values("Content-Encoding"), ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && coding != "aws-chunked" {
			codings = append(codings, coding)
		}
	}
	if header.Del("Content-Encoding"); len(codings) > 0 {
		header.Set("Content-Encoding", strings.Join(codings, ","))
	}
}

func (b *chunkedBody) Close() error { return b.body.Close() }

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.err == nil && len(p) > 0 && b.left == 0 {
		b.err = b.advance()
	}
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	if b.seal != nil {
		b.sum.Write(p[:n])
	}
	b.left -= int64(n)
	if err != nil {
		b.err = broken(err)
	}
	return n, b.err
}

// advance goes on to the data of the next chunk, past the end of the one before.
// It returns io.EOF after the last one.
func (b *chunkedBody) advance() error {
	if b.inside {
		if line, err := b.line(); err != nil || line != "" {
			return orMalformed(err)
		}
		if err := b.verifyChunk(); err != nil {
			return err
		}
	}
	line, err := b.line()
	if err != nil {
		return err
	}
	size, extension, signed := strings.Cut(line, ";")
	length, err := strconv.ParseUint(size, 16, 63)
	if err != nil || signed != (b.seal != nil) {
		return malformed()
	}
	if signed {
		var found bool
		if b.signature, found = strings.CutPrefix(extension, chunkSignature); !found {
			return malformed()
		}
	}
	b.inside, b.left = true, int64(length)
	if b.expected -= b.left; b.expected < 0 {
		return incomplete()
	}
	if b.left == 0 {
		return b.finish()
	}
	return nil
}

func (b *chunkedBody) verifyChunk() error {
	if b.seal == nil {
		return nil
	}
	want := b.seal.next(signedChunks, hashHex(nil), hex.EncodeToString(b.sum.Sum(nil)))
	b.sum.Reset()
	return compare(want, b.signature, "chunk")
}

func compare(want, got, of string) error {
	if !hmac.Equal([]byte(want), []byte(got)) {
		return fault(FaultMismatch, "The signature of a "+of+" in the body does not match the one that was calculated. Check your secret access key and signing method.")
	}
	return nil
}

// finish reads what follows the data.
func (b *chunkedBody) finish() error {
	if err := b.verifyChunk(); err != nil {
		return err
	}
	if b.expected != 0 {
		return incomplete()
	}
	if err := b.readTrailers(); err != nil {
		return err
	}
	switch _, err := b.in.ReadByte(); {
	case err == nil:
		return malformed()
	case err != io.EOF:
		return broken(err)
	}
	return io.EOF
}

// readTrailers takes the trailers that were announced, each once.
func (b *chunkedBody) readTrailers() error {
	var signed strings.Builder
	var signature string
	for range maxTrailers {
		line, err := b.line()
		switch {
		case err != nil:
			return err
		case line == "":
			return b.verifyTrailers(signed.String(), signature)
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == trailerSignature && b.seal != nil {
			signature = value
			continue
		}
		canonical := http.CanonicalHeaderKey(name)
		if values, announced := b.trailers[canonical]; !announced || values != nil {
			return malformedTrailer()
		}
		b.trailers[canonical] = []string{value}
		signed.WriteString(name + ":" + value + "\n")
	}
	return malformedTrailer()
}

func (b *chunkedBody) verifyTrailers(signed, signature string) error {
	for _, values := range b.trailers {
		if values == nil {
			return malformedTrailer()
		}
	}
	if b.seal == nil || b.trailers == nil {
		return nil
	}
	return compare(b.seal.next(algorithm+"-TRAILER", hashHex([]byte(signed))), signature, "trailer")
}

// line reads a line without its end.
func (b *chunkedBody) line() (string, error) {
	line, err := b.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return "", malformed()
	}
	if err != nil {
		return "", broken(err)
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", malformed()
	}
	return text, nil
}

// broken is the error for a body that ends or fails where more has to come.
func broken(err error) *Error {
	if err == io.EOF {
		return incomplete()
	}
	return unreadable(err)
}

func orMalformed(err error) error {
	if err != nil {
		return err
	}
	return malformed()
}

func malformed() *Error {
	return fault(FaultPayloadMalformed, "The chunks of the body are not in the form that its header announces.")
}

func malformedTrailer() *Error {
	return fault(FaultTrailerMalformed, "The body does not end in the trailers that the header x-amz-trailer announces.")
}
