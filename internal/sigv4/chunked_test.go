package sigv4_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"hearth/internal/sigv4"
)

const (
	signedStream     = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailers   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailers = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Ensure that the examples of S3's API reference verify: 65 KB of the letter a
// in chunks of 64 KB.
func TestVerifier_DocumentedChunks(t *testing.T) {
	at, err := time.Parse(time.RFC3339, "2013-05-24T00:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	body := func(signatures [3]string, end string) string {
		var b strings.Builder
		for i, length := range []int{65536, 1024, 0} {
			fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", length, signatures[i], strings.Repeat("a", length))
			if length > 0 {
				b.WriteString("\r\n")
			}
		}
		return b.String() + end
	}
	for name, c := range map[string]struct {
		payload, length, trailer, headers, signature, body string
	}{
		"signed": {
			signedStream, "66824", "",
			"content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
			body([3]string{
				"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
				"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
				"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
			}, "\r\n"),
		},
		"with a trailer": {
			signedTrailers, "", "x-amz-checksum-crc32c",
			"content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			body([3]string{
				"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
				"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
				"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
			}, "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest("PUT", "https://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"Content-Encoding": "aws-chunked", "X-Amz-Content-Sha256": c.payload, "X-Amz-Date": "20130524T000000Z",
				"X-Amz-Decoded-Content-Length": "66560", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY", "X-Amz-Trailer": c.trailer,
				"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + c.headers + ",Signature=" + c.signature,
			} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if c.length != "" && c.length != strconv.FormatInt(r.ContentLength, 10) {
				t.Fatalf("the body has %d bytes, and should have %s", r.ContentLength, c.length)
			}
			v := verifier("s3")
			v.Now = func() time.Time { return at }
			v.Secret = func(context.Context, string, string) (string, error) {
				return "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", nil
			}
			if _, err := v.Verify(r); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != strings.Repeat("a", 66560) || r.ContentLength != 66560 || r.Header.Get("Content-Encoding") != "" {
				t.Errorf("%d bytes, %v, %+v", len(got), err, r.Header)
			}
			if c.trailer != "" && r.Trailer.Get(c.trailer) != "sOO8/Q==" {
				t.Errorf("trailers %+v", r.Trailer)
			}
		})
	}
}

// chunkedMessage is a request with a body in chunks, as data.
type chunkedMessage struct {
	payload  string
	chunks   []string
	trailers [][2]string
	length   int // that it says it has, -1 for the right one
}

// request signs and writes the request.
func (m chunkedMessage) request(t rapid.TB) *http.Request {
	t.Helper()
	length := m.length
	if length < 0 {
		length = len(strings.Join(m.chunks, ""))
	}
	header := http.Header{"Content-Encoding": {"aws-chunked,gzip"}, "X-Amz-Decoded-Content-Length": {strconv.Itoa(length)}}
	for _, trailer := range m.trailers {
		header.Add("X-Amz-Trailer", trailer[0])
	}
	r := sdkSigned(t, message{method: "PUT", uri: "/bucket/key", header: header}, "s3", now, m.payload)
	authorization := r.Header.Get("Authorization")
	body := m.body(authorization[strings.LastIndex(authorization, "=")+1:])
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return r
}

func (m chunkedMessage) body(signature string) string {
	sum := func(text string) string { s := sha256.Sum256([]byte(text)); return hex.EncodeToString(s[:]) }
	sign := func(kind, hashes string) string {
		key := []byte("AWS4" + secret)
		for _, part := range []string{"20261010", region, "s3", "aws4_request", kind + "\n20261010T001500Z\n20261010/" + region + "/s3/aws4_request\n" + signature + "\n" + hashes} {
			h := hmac.New(sha256.New, key)
			h.Write([]byte(part))
			key = h.Sum(nil)
		}
		signature = hex.EncodeToString(key)
		return signature
	}
	var b strings.Builder
	for _, chunk := range append(m.chunks, "") {
		fmt.Fprintf(&b, "%x", len(chunk))
		if m.payload != unsignedTrailers {
			b.WriteString(";chunk-signature=" + sign("AWS4-HMAC-SHA256-PAYLOAD", sum("")+"\n"+sum(chunk)))
		}
		b.WriteString("\r\n" + chunk)
		if chunk != "" {
			b.WriteString("\r\n")
		}
	}
	var canonical string
	for _, trailer := range m.trailers {
		b.WriteString(trailer[0] + ":" + trailer[1] + "\r\n")
		canonical += trailer[0] + ":" + trailer[1] + "\n"
	}
	if m.payload == signedTrailers {
		b.WriteString("x-amz-trailer-signature:" + sign("AWS4-HMAC-SHA256-TRAILER", sum(canonical)) + "\r\n")
	}
	return b.String() + "\r\n"
}

func drawChunked(t *rapid.T) chunkedMessage {
	m := chunkedMessage{length: -1, payload: rapid.SampledFrom([]string{signedStream, signedTrailers, unsignedTrailers}).Draw(t, "payload")}
	m.chunks = rapid.SliceOf(rapid.StringN(1, 10_000, -1)).Draw(t, "chunks")
	if m.payload != signedStream {
		m.trailers = [][2]string{{"x-amz-checksum-crc32", rapid.StringMatching(`[A-Za-z0-9+/]{6}==`).Draw(t, "checksum")}}
	}
	return m
}

// Ensure that chunks give their data, however they are cut, however they come.
func TestVerifier_Chunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawChunked(t)
		r := m.request(t)
		if rapid.Bool().Draw(t, "byte by byte") {
			r.Body = io.NopCloser(iotest.OneByteReader(r.Body))
		}
		if _, err := verifier("s3").Verify(r); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		if want := strings.Join(m.chunks, ""); err != nil || string(got) != want || r.ContentLength != int64(len(want)) {
			t.Fatalf("read %q, %v", got, err)
		}
		if got := r.Header.Get("Content-Encoding"); got != "gzip" {
			t.Errorf("content encoding %q", got)
		}
		for _, trailer := range m.trailers {
			if got := r.Trailer.Get(trailer[0]); got != trailer[1] {
				t.Errorf("trailer %s is %q, want %q", trailer[0], got, trailer[1])
			}
		}
		if _, err := r.Body.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	})
}

// Ensure that a body in signed chunks that was changed anywhere, or cut, never
// comes to its end.
func TestVerifier_RefusesTamperedChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawChunked(t)
		r := m.request(t)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
		cut := rapid.Bool().Draw(t, "cut")
		switch {
		case cut:
			body = body[:at]
		case m.payload == unsignedTrailers:
			t.Skip("nobody notices a change of what is not signed")
		case 'A' <= body[at] && body[at] <= 'F' || 'a' <= body[at] && body[at] <= 'f':
			t.Skip("a change of its case may mean the same")
		default:
			body[at] ^= 1
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		err = verify(verifier("s3"), r)
		if _, ok := errors.AsType[*sigv4.Error](err); !ok {
			t.Fatalf("read to its end: %v", err)
		}
	})
}

func TestVerifier_BadChunks(t *testing.T) {
	valid := chunkedMessage{payload: unsignedTrailers, chunks: []string{"content"}, trailers: [][2]string{{"x-amz-checksum-crc32", "AAAAAA=="}}, length: -1}
	end := "x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
	for name, c := range map[string]struct {
		body  string
		fault sigv4.Fault
	}{
		"nothing":                    {"", sigv4.FaultPayloadIncomplete},
		"no length":                  {"\r\ncontent\r\n0\r\n" + end, sigv4.FaultPayloadMalformed},
		"a negative length":          {"-7\r\ncontent\r\n0\r\n" + end, sigv4.FaultPayloadMalformed},
		"a length beyond 63 bits":    {"8000000000000000\r\ncontent\r\n0\r\n" + end, sigv4.FaultPayloadMalformed},
		"a length beyond the body":   {"7fffffffffffffff\r\ncontent\r\n0\r\n" + end, sigv4.FaultPayloadIncomplete},
		"more than was announced":    {"8\r\ncontents\r\n0\r\n" + end, sigv4.FaultPayloadIncomplete},
		"less than was announced":    {"6\r\nconten\r\n0\r\n" + end, sigv4.FaultPayloadIncomplete},
		"a chunk that is too long":   {"7\r\ncontents\r\n0\r\n" + end, sigv4.FaultPayloadMalformed},
		"a chunk that is too short":  {"7\r\nconten\r\n0\r\n" + end, sigv4.FaultPayloadMalformed},
		"bare line feeds":            {"7\ncontent\n0\n" + end, sigv4.FaultPayloadMalformed},
		"an endless line":            {strings.Repeat("0", 1<<20), sigv4.FaultPayloadMalformed},
		"a signature":                {"7;chunk-signature=00\r\ncontent\r\n0\r\n" + end, sigv4.FaultPayloadMalformed},
		"no trailer":                 {"7\r\ncontent\r\n0\r\n\r\n", sigv4.FaultTrailerMalformed},
		"another trailer":            {"7\r\ncontent\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n", sigv4.FaultTrailerMalformed},
		"one more trailer":           {"7\r\ncontent\r\n0\r\nx-amz-acl:public\r\n" + end, sigv4.FaultTrailerMalformed},
		"a trailer twice":            {"7\r\ncontent\r\n0\r\nx-amz-checksum-crc32:BBBB\r\n" + end, sigv4.FaultTrailerMalformed},
		"an end before the trailers": {"7\r\ncontent\r\n0\r\n", sigv4.FaultPayloadIncomplete},
		"more after the end":         {"7\r\ncontent\r\n0\r\n" + end + "0", sigv4.FaultPayloadMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := valid.request(t)
			r.Body = io.NopCloser(strings.NewReader(c.body))
			wantFault(t, verify(verifier("s3"), r), c.fault)
		})
	}
	t.Run("without the length of the data", func(t *testing.T) {
		r := sdkSigned(t, message{method: "PUT", uri: "/bucket/key", header: http.Header{}}, "s3", now, signedStream)
		wantFault(t, verify(verifier("s3"), r), sigv4.FaultLengthMissing)
	})
	t.Run("signed with another key", func(t *testing.T) {
		m := chunkedMessage{payload: signedStream, chunks: []string{"content"}, length: -1}
		r := m.request(t)
		body := m.body(strings.Repeat("0", 64))
		r.Body = io.NopCloser(strings.NewReader(body))
		wantFault(t, verify(verifier("s3"), r), sigv4.FaultMismatch)
	})
	t.Run("of a trailer whose signature is missing", func(t *testing.T) {
		m := chunkedMessage{payload: signedTrailers, chunks: []string{"content"}, trailers: valid.trailers, length: -1}
		r := m.request(t)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = append(body[:bytes.Index(body, []byte("x-amz-trailer-signature"))], "\r\n"...)
		r.Body = io.NopCloser(bytes.NewReader(body))
		wantFault(t, verify(verifier("s3"), r), sigv4.FaultMismatch)
	})
	t.Run("at the API", func(t *testing.T) {
		m := athenaMessage("{}")
		m.header.Set("X-Amz-Content-Sha256", signedStream)
		wantFault(t, verify(verifier("athena"), received(t, sdkSigned(t, m, "athena", now, signedStream))), sigv4.FaultStreamingPayload)
	})
}

// FuzzChunks looks for a body that gives other data than was announced, or that
// fails in another way than by a refusal.
func FuzzChunks(f *testing.F) {
	for _, payload := range []string{signedStream, signedTrailers, unsignedTrailers} {
		m := chunkedMessage{payload: payload, chunks: []string{"con", "tent"}, length: -1}
		if payload != signedStream {
			m.trailers = [][2]string{{"x-amz-checksum-crc32", "AAAAAA=="}}
		}
		body, err := io.ReadAll(m.request(f).Body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload, body)
		f.Add(payload, body[:len(body)-1])
		f.Add(payload, bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")))
	}
	f.Add(unsignedTrailers, []byte("7\r\ncontent\r\n00000\r\n\r\n"))
	f.Add(unsignedTrailers, []byte("ffffffffffffffff\r\n"))
	f.Fuzz(func(t *testing.T, payload string, body []byte) {
		if payload != signedStream && payload != signedTrailers {
			payload = unsignedTrailers
		}
		r := chunkedMessage{payload: payload, chunks: []string{"content"}, trailers: [][2]string{{"x-amz-checksum-crc32", ""}}, length: -1}.request(t)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if _, err := verifier("s3").Verify(r); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		if _, refused := errors.AsType[*sigv4.Error](err); err != nil && !refused {
			t.Fatalf("failed in another way than by refusing: %v", err)
		}
		if err == nil && len(got) != len("content") {
			t.Fatalf("read %q to its end", got)
		}
	})
}
