package sigv4_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"hearth/internal/sigv4"
)

const (
	keyID  = "AKIDEXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	region = "us-east-1"
)

var now = time.Date(2026, 10, 10, 0, 15, 0, 0, time.UTC)

func verifier(service string) *sigv4.Verifier {
	v := &sigv4.Verifier{
		Service: service,
		Region:  region,
		MaxBody: 1 << 20,
		Now:     func() time.Time { return now },
		Secret: func(_ context.Context, id, _ string) (string, error) {
			if id != keyID {
				return "", sigv4.ErrUnknownKey
			}
			return secret, nil
		},
	}
	if service == "athena" {
		v.RequiredHeaders = []string{"x-amz-target"}
	}
	return v
}

// message is a request as data, so that a test can change any part of it.
type message struct {
	method, uri string
	header      http.Header
	body        []byte
}

func (m message) request(t rapid.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequest(m.method, "http://127.0.0.1:8650"+m.uri, bytes.NewReader(m.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = m.header.Clone()
	return r
}

func athenaMessage(body string) message {
	return message{
		method: http.MethodPost, uri: "/", body: []byte(body),
		header: http.Header{
			"Content-Type": {"application/x-amz-json-1.1"},
			"X-Amz-Target": {"AmazonAthena.GetSession"},
		},
	}
}

// sdkSigned signs with the AWS SDK, which is the oracle.
func sdkSigned(t rapid.TB, m message, service string, at time.Time, payload string) *http.Request {
	t.Helper()
	r := m.request(t)
	if payload == "" {
		sum := sha256.Sum256(m.body)
		payload = hex.EncodeToString(sum[:])
	}
	if service == sigv4.ServiceS3 {
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == sigv4.ServiceS3 }).
		SignHTTP(context.Background(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, payload, service, region, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// received is the request as a server gets it: written to the wire and read.
func received(t rapid.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantFault(t rapid.TB, err error, want sigv4.Fault) *sigv4.Error {
	t.Helper()
	var refusal *sigv4.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal with fault %v", err, want)
	}
	if refusal.Fault != want {
		t.Fatalf("got fault %v (%s), want %v", refusal.Fault, refusal.Message, want)
	}
	return refusal
}

var headerValue = rapid.StringMatching(`[!-~]( {0,3}[!-~]){0,12}`)

func drawMessage(t *rapid.T, service string) message {
	m := athenaMessage(rapid.String().Draw(t, "body"))
	if service == sigv4.ServiceS3 {
		m.method = rapid.SampledFrom([]string{"GET", "HEAD", "PUT"}).Draw(t, "method")
		m.header = http.Header{}
	}
	segments := rapid.SliceOfN(rapid.StringMatching(`[ -~é世]{1,8}`), 0, 4).Draw(t, "path")
	path := ""
	for _, segment := range segments {
		if segment == "." || segment == ".." {
			segment = "dots"
		}
		path += "/" + strings.ReplaceAll(url.QueryEscape(segment), "+", "%20")
	}
	if path == "" {
		path = "/"
	}
	query := url.Values{}
	for range rapid.IntRange(0, 4).Draw(t, "parameters") {
		query.Add(rapid.StringMatching(`[ -~é]{1,6}`).Draw(t, "name"), rapid.StringMatching(`[ -~é/-]{0,6}`).Draw(t, "value"))
	}
	m.uri = path
	if len(query) > 0 {
		m.uri += "?" + query.Encode()
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		name := rapid.StringMatching(`X-(Amz-Meta-)?[A-Z][a-z]{3,6}`).Draw(t, "header")
		for range rapid.IntRange(1, 2).Draw(t, "values") {
			m.header.Add(name, headerValue.Draw(t, "header value"))
		}
	}
	return m
}

func TestVerifier_AcceptsWhatTheSDKSigns(t *testing.T) {
	for _, service := range []string{"athena", sigv4.ServiceS3} {
		t.Run(service, rapid.MakeCheck(func(t *rapid.T) {
			m := drawMessage(t, service)
			at := now.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "clock seconds off")) * time.Second)
			r := received(t, sdkSigned(t, m, service, at, ""))
			identity, err := verifier(service).Verify(r)
			if err != nil {
				t.Fatalf("refused: %v\n%#v", err, err)
			}
			if identity != (sigv4.Identity{AccessKeyID: keyID, Region: region}) {
				t.Fatalf("got identity %+v", identity)
			}
			if body, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(body, m.body) {
				t.Fatalf("the body is %q after Verify, want %q (%v)", body, m.body, err)
			}
		}))
	}
}

// verify verifies a request and its body.
func verify(v *sigv4.Verifier, r *http.Request) error {
	if _, err := v.Verify(r); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

// Changing one signed thing after signing has to be noticed.
func TestVerifier_RefusesTampering(t *testing.T) {
	for _, service := range []string{"athena", sigv4.ServiceS3} {
		t.Run(service, rapid.MakeCheck(func(t *rapid.T) {
			m := drawMessage(t, service)
			r := received(t, sdkSigned(t, m, service, now, ""))
			what := rapid.SampledFrom([]string{"method", "path", "query", "host", "header", "body", "signature", "date", "key"}).Draw(t, "tampered")
			switch what {
			case "method":
				r.Method = "DELETE"
			case "path":
				r.URL.Path += "x"
				r.URL.RawPath = ""
			case "query":
				r.URL.RawQuery += "&x=1"
			case "host":
				r.Host = "elsewhere.example"
			case "header":
				signed := []string{}
				for name := range r.Header {
					if name != "Authorization" && name != "User-Agent" && name != "Content-Length" && name != "X-Amz-Date" {
						signed = append(signed, name)
					}
				}
				if len(signed) == 0 {
					t.Skip("no header to tamper with")
				}
				slices.Sort(signed)
				r.Header.Set(rapid.SampledFrom(signed).Draw(t, "tampered header"), "tampered")
			case "body":
				r.Body = io.NopCloser(bytes.NewReader(append(slices.Clone(m.body), 'x')))
			case "signature":
				header := []byte(r.Header.Get("Authorization"))
				last := len(header) - 1 - rapid.IntRange(0, 63).Draw(t, "digit")
				header[last] = map[bool]byte{true: '1', false: '0'}[header[last] == '0']
				r.Header.Set("Authorization", string(header))
			case "date":
				r.Header.Set("X-Amz-Date", now.Add(time.Second).Format("20060102T150405Z"))
			case "key":
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), keyID, "AKIDOTHER", 1))
			}
			err := verify(verifier(service), r)
			var refusal *sigv4.Error
			if !errors.As(err, &refusal) {
				t.Fatalf("%s was tampered with and Verify said %v", what, err)
			}
		}))
	}
}

func TestVerifier_Faults(t *testing.T) {
	signed := func(change func(r *http.Request)) func(t *testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			r := received(t, sdkSigned(t, athenaMessage(`{"SessionId":"x"}`), "athena", now, ""))
			change(r)
			return r
		}
	}
	signedAt := func(at time.Time) func(t *testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			return received(t, sdkSigned(t, athenaMessage("{}"), "athena", at, ""))
		}
	}
	replace := func(from, to string) func(r *http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	for _, test := range []struct {
		name    string
		request func(t *testing.T) *http.Request
		fault   sigv4.Fault
		code    string
		message string
	}{
		{
			"no signature", signed(func(r *http.Request) { r.Header.Del("Authorization") }),
			sigv4.FaultMissing, "MissingAuthenticationTokenException", "Request is missing Authentication Token",
		},
		{
			"another scheme", signed(func(r *http.Request) { r.Header.Set("Authorization", "Bearer abc") }),
			sigv4.FaultIncomplete, "IncompleteSignatureException", "Unsupported AWS 'algorithm'",
		},
		{
			"no signed headers", signed(replace("SignedHeaders=", "Other=")),
			sigv4.FaultIncomplete, "IncompleteSignatureException", "Authorization header requires 'SignedHeaders' parameter.",
		},
		{
			"no date", signed(func(r *http.Request) { r.Header.Del("X-Amz-Date") }),
			sigv4.FaultIncomplete, "IncompleteSignatureException", "'X-Amz-Date'",
		},
		{
			"short credential", signed(replace("/aws4_request", "")),
			sigv4.FaultIncomplete, "IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements",
		},
		{
			"two signatures", signed(func(r *http.Request) { r.Header.Add("Authorization", "AWS4-HMAC-SHA256 x") }),
			sigv4.FaultIncomplete, "IncompleteSignatureException", "Only one auth mechanism allowed",
		},
		{
			"another service", signed(replace("/athena/", "/glue/")),
			sigv4.FaultScope, "InvalidSignatureException", "Credential should be scoped to correct service: 'athena'.",
		},
		{
			"another region", signed(replace("/us-east-1/", "/mars-1/")),
			sigv4.FaultScope, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'mars-1'. This server's is us-east-1.",
		},
		{
			"another day", signed(replace("/20261010/", "/20261009/")),
			sigv4.FaultScope, "InvalidSignatureException", "'20261009' != '20261010', from '20261010T001500Z'.",
		},
		{
			"target not signed", signed(replace(";x-amz-target", "")),
			sigv4.FaultUnsignedHeaders, "InvalidSignatureException", "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
		},
		{
			"host not signed", signed(replace("host;", "")),
			sigv4.FaultUnsignedHeaders, "InvalidSignatureException", "'host' must be a 'SignedHeader' in the AWS Authorization.",
		},
		{
			"too old", signedAt(now.Add(-15 * time.Minute)),
			sigv4.FaultSkewed, "InvalidSignatureException", "Signature expired: 20261010T000000Z is now earlier than 20261010T001000Z (20261010T001500Z - 5 min.)",
		},
		{
			"in the future", signedAt(now.Add(15 * time.Minute)),
			sigv4.FaultSkewed, "InvalidSignatureException", "Signature not yet current: 20261010T003000Z is still later than 20261010T002000Z (20261010T001500Z + 5 min.)",
		},
		{
			"unknown key", signed(replace(keyID, "AKIDNOBODY")),
			sigv4.FaultUnknownKey, "UnrecognizedClientException", "The security token included in the request is invalid.",
		},
		{
			"another body", signed(func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{}")) }),
			sigv4.FaultMismatch, "InvalidSignatureException", "The request signature we calculated does not match",
		},
		{
			"body over the limit", signed(func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(make([]byte, 1<<20+1))) }),
			sigv4.FaultPayloadTooLarge, "RequestEntityTooLargeException", "over the limit of 1048576 bytes",
		},
		{
			"unsigned payload", func(t *testing.T) *http.Request {
				m := athenaMessage("{}")
				m.header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
				return received(t, sdkSigned(t, m, "athena", now, "UNSIGNED-PAYLOAD"))
			},
			sigv4.FaultUnsignedPayload, "InvalidSignatureException", "UNSIGNED-PAYLOAD",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := verifier("athena").Verify(test.request(t))
			refusal := wantFault(t, err, test.fault)
			if refusal.Fault.Code() != test.code {
				t.Errorf("got code %s, want %s", refusal.Fault.Code(), test.code)
			}
			if !strings.Contains(refusal.Message, test.message) {
				t.Errorf("got message %q, want %q in it", refusal.Message, test.message)
			}
		})
	}
}

func TestVerifier_MismatchShowsWhatWasSigned(t *testing.T) {
	r := received(t, sdkSigned(t, athenaMessage("{}"), "athena", now, ""))
	r.Host = "elsewhere.example"
	_, err := verifier("athena").Verify(r)
	refusal := wantFault(t, err, sigv4.FaultMismatch)
	if !strings.Contains(refusal.CanonicalRequest, "\nhost:elsewhere.example\n") || !strings.HasPrefix(refusal.StringToSign, "AWS4-HMAC-SHA256\n20261010T001500Z\n") {
		t.Errorf("got canonical request %q, string to sign %q", refusal.CanonicalRequest, refusal.StringToSign)
	}
}

func TestVerifier_FailureToLookUpAKeyIsNoRefusal(t *testing.T) {
	v := verifier("athena")
	broken := errors.New("disk on fire")
	v.Secret = func(context.Context, string, string) (string, error) { return "", broken }
	_, err := v.Verify(received(t, sdkSigned(t, athenaMessage("{}"), "athena", now, "")))
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// A new secret of the same key takes effect at once, cached keys or not.
func TestVerifier_ChangedSecret(t *testing.T) {
	v := verifier("athena")
	verify := func() error {
		_, err := v.Verify(received(t, sdkSigned(t, athenaMessage("{}"), "athena", now, "")))
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	v.Secret = func(context.Context, string, string) (string, error) { return "another", nil }
	wantFault(t, verify(), sigv4.FaultMismatch)
}

func TestVerifier_S3Payloads(t *testing.T) {
	put := message{method: http.MethodPut, uri: "/bucket/key", header: http.Header{}, body: []byte("content")}
	t.Run("an unsigned body is left unread", func(t *testing.T) {
		r := received(t, sdkSigned(t, put, "s3", now, "UNSIGNED-PAYLOAD"))
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("other"))) // anything may be sent
		if _, err := verifier("s3").Verify(r); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another body than the signed one", func(t *testing.T) {
		r := received(t, sdkSigned(t, put, "s3", now, ""))
		r.Body = io.NopCloser(strings.NewReader("Content"))
		wantFault(t, verify(verifier("s3"), r), sigv4.FaultPayloadMismatch)
	})
	t.Run("another body than none", func(t *testing.T) {
		r := received(t, sdkSigned(t, put, "s3", now, ""))
		r.Body = http.NoBody
		wantFault(t, verify(verifier("s3"), r), sigv4.FaultPayloadMismatch)
	})
	t.Run("a body that breaks off", func(t *testing.T) {
		r := received(t, sdkSigned(t, put, "s3", now, ""))
		r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
		wantFault(t, verify(verifier("s3"), r), sigv4.FaultPayloadIncomplete)
	})
	t.Run("chunks signed in another way", func(t *testing.T) {
		r := received(t, sdkSigned(t, put, "s3", now, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"))
		wantFault(t, verify(verifier("s3"), r), sigv4.FaultStreamingPayload)
	})
	t.Run("no hash at all", func(t *testing.T) {
		r := received(t, sdkSigned(t, put, "s3", now, ""))
		r.Header.Del("X-Amz-Content-Sha256")
		_, err := verifier("s3").Verify(r)
		wantFault(t, err, sigv4.FaultUnsignedPayload)
	})
}

func TestVerifier_PresignedURL(t *testing.T) {
	presign := func(t rapid.TB, method, uri string, at time.Time) *http.Request {
		t.Helper()
		r := message{method: method, uri: uri + "?X-Amz-Expires=60", header: http.Header{}}.request(t)
		signed, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
			PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, "UNSIGNED-PAYLOAD", "s3", region, at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := http.NewRequest(method, signed, nil)
		if err != nil {
			t.Fatal(err)
		}
		return received(t, got)
	}
	t.Run("within its time", func(t *testing.T) {
		identity, err := verifier("s3").Verify(presign(t, "GET", "/bucket/a%20key", now.Add(-59*time.Second)))
		if err != nil || identity.AccessKeyID != keyID {
			t.Fatalf("got %+v, %v", identity, err)
		}
	})
	t.Run("after its time", func(t *testing.T) {
		_, err := verifier("s3").Verify(presign(t, "GET", "/bucket/key", now.Add(-61*time.Second)))
		wantFault(t, err, sigv4.FaultExpired)
	})
	t.Run("for another method", func(t *testing.T) {
		r := presign(t, "GET", "/bucket/key", now)
		r.Method = "HEAD"
		_, err := verifier("s3").Verify(r)
		wantFault(t, err, sigv4.FaultMismatch)
	})
	t.Run("with an added parameter", func(t *testing.T) {
		r := presign(t, "GET", "/bucket/key", now)
		r.URL.RawQuery += "&versionId=1"
		_, err := verifier("s3").Verify(r)
		wantFault(t, err, sigv4.FaultMismatch)
	})
	t.Run("with a second signature", func(t *testing.T) {
		r := presign(t, "GET", "/bucket/key", now)
		r.URL.RawQuery += "&X-Amz-Signature=" + strings.Repeat("0", 64)
		_, err := verifier("s3").Verify(r)
		wantFault(t, err, sigv4.FaultIncomplete)
	})
	t.Run("at the API", func(t *testing.T) {
		_, err := verifier("athena").Verify(presign(t, "GET", "/", now))
		wantFault(t, err, sigv4.FaultMissing)
	})
}

// What Sign makes is what the SDK makes, header for header.
func TestSign_VerifiesAsTheSDKs(t *testing.T) {
	for _, service := range []string{"athena", sigv4.ServiceS3} {
		t.Run(service, rapid.MakeCheck(func(t *rapid.T) {
			m := drawMessage(t, service)
			r := m.request(t)
			sigv4.Sign(r, m.body, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, region, service, now)
			if _, err := verifier(service).Verify(received(t, r)); err != nil {
				t.Fatalf("refused: %v\n%#v", err, err)
			}
		}))
	}
	t.Run("the same signature", func(t *testing.T) {
		m := message{method: "GET", uri: "/v1/calculations/x/stdout?offset=0", header: http.Header{}}
		ours := m.request(t)
		sigv4.Sign(ours, nil, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: ""}, region, "athena", now)
		theirs := sdkSigned(t, m, "athena", now, "")
		if ours.Header.Get("Authorization") != theirs.Header.Get("Authorization") {
			t.Errorf("got  %s\nwant %s", ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"))
		}
	})
}

func FuzzVerify(f *testing.F) {
	signed := sdkSigned(f, athenaMessage("{}"), "athena", now, "")
	f.Add(signed.Header.Get("Authorization"), "", "20261010T001500Z")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=00", "", "")
	f.Add("AWS4-HMAC-SHA256 Credential=,,=,SignedHeaders=;;", "", "x")
	f.Add("AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "20261010T001500Z")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE/20261010/us-east-1/s3/aws4_request&X-Amz-Date=20261010T001500Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="+strings.Repeat("a", 64), "")
	f.Add("AWS4-HMAC-SHA256 Credential=a//20261010//aws4_request, SignedHeaders=host, Signature="+strings.Repeat("A", 64), "%zz;", "20261010T001500Z")
	valid := signed.Header.Get("Authorization")
	f.Fuzz(func(t *testing.T, authorization, query, date string) {
		for _, service := range []string{"athena", sigv4.ServiceS3} {
			r := athenaMessage("{}").request(t)
			r.URL.RawQuery = query
			r.Header.Set("X-Amz-Date", date)
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			_, err := verifier(service).Verify(r)
			var refusal *sigv4.Error
			if err == nil && (authorization != valid || query != "") {
				t.Fatalf("%s accepted %q with query %q", service, authorization, query)
			}
			if err != nil && !errors.As(err, &refusal) {
				t.Fatalf("%s failed in another way than by refusing: %v", service, err)
			}
			if refusal != nil && (refusal.Fault.Code() == "" || refusal.Message == "") {
				t.Fatalf("%s refused without a reason: %+v", service, refusal)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	v := verifier("athena")
	body := []byte(`{"SessionId":"a2c1ebba-ad01-865f-ed2d-a142b7451f7e"}`)
	r := received(b, sdkSigned(b, athenaMessage(string(body)), "athena", now, ""))
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		if _, err := v.Verify(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	m := athenaMessage(`{"SessionId":"a2c1ebba-ad01-865f-ed2d-a142b7451f7e"}`)
	r := m.request(b)
	credentials := sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
	b.ReportAllocs()
	for b.Loop() {
		sigv4.Sign(r, m.body, credentials, region, "athena", now)
	}
}
