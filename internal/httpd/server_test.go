package httpd_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/httpd"
	"hearth/internal/objects"
	"hearth/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const region = "us-east-1"

// site is a listening server with its keys and log.
type site struct {
	*httpd.Server
	keys   *access.Keys
	key    access.Key
	client *http.Client
	log    *testenv.Log
}

// echo answers with who asked and what.
func echo(w http.ResponseWriter, r *http.Request) {
	principal, ok := access.PrincipalFrom(r.Context())
	if !ok {
		panic("nobody")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, principal.ARN+" "+r.Method+" "+r.URL.Path+" "+string(body))
}

// open serves until the end of the test; change may be nil.
func open(t *testing.T, change func(*httpd.Config)) *site {
	t.Helper()
	s := listen(t, change)
	s.serve(t)
	return s
}

func listen(t *testing.T, change func(*httpd.Config)) *site {
	t.Helper()
	keys, err := access.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{keys: keys, key: keys.Root(), client: &http.Client{Transport: &http.Transport{}}, log: &testenv.Log{}}
	config := httpd.Config{
		Address:  "127.0.0.1:0",
		Athena:   http.HandlerFunc(echo),
		REST:     http.HandlerFunc(echo),
		Objects:  http.HandlerFunc(echo),
		Keys:     keys,
		S3Keys:   access.SessionKeys{Keys: keys, Session: session},
		Account:  "123456789012",
		Region:   region,
		MaxBody:  1000,
		Ready:    func(context.Context) error { return nil },
		Identity: "this one",
		Log:      slog.New(slog.NewTextHandler(io.MultiWriter(s.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&config)
	}
	if s.Server, err = httpd.Listen(config); err != nil {
		t.Fatal(err)
	}
	return s
}

// serve serves until the end of the test.
func (s *site) serve(t *testing.T) {
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// request is one to send; sign it or not.
func (s *site) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sign signs as AWS's SDK does.
func (s *site) sign(t *testing.T, r *http.Request, service, body string) *http.Request {
	t.Helper()
	return s.signAs(t, r, service, hashOf(body))
}

// signAs signs a body that is declared by a hash, or by another word.
func (s *site) signAs(t *testing.T, r *http.Request, service, hash string) *http.Request {
	t.Helper()
	return s.signWith(t, aws.Credentials{AccessKeyID: s.key.AccessKeyID, SecretAccessKey: s.key.SecretAccessKey}, r, service, hash)
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func (s *site) signWith(t *testing.T, credentials aws.Credentials, r *http.Request, service, hash string) *http.Request {
	t.Helper()
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err := signer.SignHTTP(t.Context(), credentials, r, hash, service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *site) send(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// signed sends a signed request.
func (s *site) signed(t *testing.T, service, method, path, body string) (*http.Response, string) {
	t.Helper()
	return s.send(t, s.sign(t, s.request(t, method, path, body), service, body))
}

func TestServer_Doors(t *testing.T) {
	name := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Door", name+" "+r.URL.Path)
			echo(w, r)
		})
	}
	s := open(t, func(c *httpd.Config) { c.Athena, c.REST, c.Objects = name("athena"), name("rest"), name("objects") })
	for _, c := range []struct{ service, method, path, door, id string }{
		{"athena", "POST", "/", "athena /", "X-Amzn-Requestid"},
		{"athena", "GET", "/v1/sessions/x", "rest /v1/sessions/x", "X-Amzn-Requestid"},
		{"athena", "GET", "/v1", "rest /v1", "X-Amzn-Requestid"},
		{"s3", "GET", "/", "objects /", "X-Amz-Request-Id"},
		{"s3", "HEAD", "/", "objects /", "X-Amz-Request-Id"},
		{"s3", "DELETE", "/", "objects /", "X-Amz-Request-Id"},
		{"s3", "GET", "/bucket", "objects /bucket", "X-Amz-Request-Id"},
		{"s3", "POST", "/bucket?delete", "objects /bucket", "X-Amz-Request-Id"},
		{"s3", "GET", "/bucket/a//b/../c/", "objects /bucket/a//b/../c/", "X-Amz-Request-Id"},
		{"s3", "GET", "/bucket/../%20%C3%BC%2B", "objects /bucket/../ ü+", "X-Amz-Request-Id"},
		{"s3", "GET", "/v1.0/key", "objects /v1.0/key", "X-Amz-Request-Id"},
		{"s3", "GET", "/ok/", "objects /ok/", "X-Amz-Request-Id"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			response, body := s.signed(t, c.service, c.method, c.path, "")
			if got := response.Header.Get("X-Door"); got != c.door {
				t.Errorf("door %q, want %q: %s", got, c.door, body)
			}
			if len(response.Header.Get(c.id)) != 36 || response.Header.Get("Date") == "" {
				t.Errorf("header %v", response.Header)
			}
		})
	}
	t.Run("the principal and the body reach the handler", func(t *testing.T) {
		_, body := s.signed(t, "athena", "POST", "/", `{"a":1}`)
		if want := `arn:aws:iam::123456789012:root POST / {"a":1}`; body != want {
			t.Errorf("%q, want %q", body, want)
		}
	})
	t.Run("requests have different ids", func(t *testing.T) {
		first, _ := s.signed(t, "athena", "POST", "/", "")
		second, _ := s.signed(t, "athena", "POST", "/", "")
		if first.Header.Get("X-Amzn-Requestid") == second.Header.Get("X-Amzn-Requestid") {
			t.Error("the same id twice")
		}
	})
}

// Ensure that what is not signed well is refused in the words of the door, and
// never reaches a handler.
func TestServer_Refusals(t *testing.T) {
	never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a refused request has reached its handler") })
	s := open(t, func(c *httpd.Config) { c.Athena, c.REST, c.Objects = never, never, never })
	stranger := &site{Server: s.Server, key: access.Key{AccessKeyID: "HEARTHAAAAAAAAAAAAAA", SecretAccessKey: s.key.SecretAccessKey}}
	forger := &site{Server: s.Server, key: access.Key{AccessKeyID: s.key.AccessKeyID, SecretAccessKey: strings.Repeat("A", 40)}}

	for _, door := range []struct{ name, service, method, path string }{
		{"athena", "athena", "POST", "/"},
		{"rest", "athena", "GET", "/v1/sessions/x"},
		{"objects", "s3", "GET", "/bucket/key"},
	} {
		for _, c := range []struct {
			name     string
			request  func(*testing.T) *http.Request
			json     string
			xml      string
			xmlState int
		}{
			{"unsigned", func(t *testing.T) *http.Request {
				return s.request(t, door.method, door.path, "")
			}, "MissingAuthenticationTokenException", "AccessDenied", http.StatusForbidden},
			{"unknown key", func(t *testing.T) *http.Request {
				return stranger.sign(t, s.request(t, door.method, door.path, ""), door.service, "")
			}, "UnrecognizedClientException", "InvalidAccessKeyId", http.StatusForbidden},
			{"wrong secret", func(t *testing.T) *http.Request {
				return forger.sign(t, s.request(t, door.method, door.path, ""), door.service, "")
			}, "InvalidSignatureException", "SignatureDoesNotMatch", http.StatusForbidden},
			{"for another service", func(t *testing.T) *http.Request {
				r := s.request(t, door.method, door.path, "")
				r.Header.Set("X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
				return s.sign(t, r, "glue", "")
			}, "InvalidSignatureException", "AuthorizationHeaderMalformed", http.StatusBadRequest},
			{"changed on the way", func(t *testing.T) *http.Request {
				r := s.sign(t, s.request(t, door.method, door.path, ""), door.service, "")
				r.URL.RawQuery = "more=1"
				return r
			}, "InvalidSignatureException", "SignatureDoesNotMatch", http.StatusForbidden},
			{"nonsense", func(t *testing.T) *http.Request {
				r := s.request(t, door.method, door.path, "")
				r.Header.Set("Authorization", "AWS4-HMAC-SHA256 nonsense")
				return r
			}, "IncompleteSignatureException", "AuthorizationHeaderMalformed", http.StatusBadRequest},
		} {
			t.Run(door.name+", "+c.name, func(t *testing.T) {
				response, body := s.send(t, c.request(t))
				if door.service == "s3" {
					wantXML(t, response, body, c.xmlState, c.xml)
				} else {
					wantJSON(t, response, body, http.StatusBadRequest, c.json)
				}
			})
		}
	}

	t.Run("an address that is signed halfway", func(t *testing.T) {
		response, body := s.send(t, s.request(t, "GET", "/hearth/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0", ""))
		wantXML(t, response, body, http.StatusBadRequest, "AuthorizationQueryParametersError")
	})
	t.Run("a body over the limit", func(t *testing.T) {
		response, body := s.signed(t, "athena", "POST", "/", strings.Repeat("x", 1001))
		wantJSON(t, response, body, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException")
	})
	t.Run("a body that is another one", func(t *testing.T) {
		response, body := s.send(t, s.sign(t, s.request(t, "POST", "/", "other"), "athena", "this"))
		wantJSON(t, response, body, http.StatusBadRequest, "InvalidSignatureException")
	})
	t.Run("a header over the limit", func(t *testing.T) {
		r := s.request(t, "GET", "/", "")
		r.Header.Set("X-Large", strings.Repeat("x", 100<<10))
		if response, _ := s.send(t, r); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Error(response.Status)
		}
	})
	t.Run("a mismatch shows S3's clients what was signed, and the log others", func(t *testing.T) {
		_, body := s.send(t, forger.sign(t, s.request(t, "GET", "/bucket/key", ""), "s3", ""))
		for _, part := range []string{"<StringToSign>AWS4-HMAC-SHA256", "<CanonicalRequest>GET"} {
			if !strings.Contains(body, part) {
				t.Errorf("%s is not in %s", part, body)
			}
		}
		if !strings.Contains(s.log.String(), "canonical_request") {
			t.Error("the log does not show it")
		}
	})
}

func TestServer_SlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPiped(t, nil)
		body, never := io.Pipe()
		defer never.Close()
		r := s.sign(t, s.request(t, "POST", "/", "body"), "athena", "body")
		r.Body = body
		response, text := s.send(t, r)
		wantJSON(t, response, text, http.StatusBadRequest, "RequestTimeoutException")
	})
}

// Ensure that the time for a body is not one for the answer.
func TestServer_SlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPiped(t, func(c *httpd.Config) {
			c.Athena = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
					t.Error("cut off")
				case <-time.After(time.Hour):
				}
				echo(w, r)
			})
		})
		if _, body := s.signed(t, "athena", "POST", "/", "body"); !strings.HasSuffix(body, " body") {
			t.Errorf("%q", body)
		}
	})
}

func TestServer_KeysFail(t *testing.T) {
	s := open(t, func(c *httpd.Config) { c.Keys, c.S3Keys = brokenKeys{}, brokenSessionKeys{} })
	for _, service := range []string{"athena", "s3"} {
		t.Run(service, func(t *testing.T) {
			method := map[string]string{"athena": "POST", "s3": "GET"}[service]
			response, body := s.signed(t, service, method, "/", "")
			if service == "s3" {
				wantXML(t, response, body, http.StatusInternalServerError, "InternalError")
			} else {
				wantJSON(t, response, body, http.StatusInternalServerError, "InternalServerException")
			}
			if strings.Contains(body, "disk") {
				t.Errorf("the cause is shown: %s", body)
			}
		})
	}
}

type brokenKeys struct{}

func (brokenKeys) Secret(context.Context, string) (string, error) {
	return "", errors.New("disk failure")
}
func (brokenKeys) Principal(string, string) access.Principal { panic("nobody was let in") }

type brokenSessionKeys struct{}

func (brokenSessionKeys) Secret(ctx context.Context, id, _ string) (string, error) {
	return brokenKeys{}.Secret(ctx, id)
}

func (brokenSessionKeys) Principal(context.Context, string, string, string) (access.Principal, error) {
	panic("nobody was let in")
}

// session finds the sessions of a record with one that lives and one that ended.
func session(_ context.Context, id string) (hearth.Session, error) {
	states := map[string]hearth.SessionState{"alive": hearth.SessionBusy, "over": hearth.SessionTerminated}
	state, found := states[id]
	if !found {
		return hearth.Session{}, hearth.Errorf(hearth.KindNotFound, "No session %s.", id)
	}
	return hearth.Session{ID: id, WorkGroup: "etl", State: state}, nil
}

// Ensure that a session's key opens S3, as long as the session lives, and no
// other door.
func TestServer_SessionKeys(t *testing.T) {
	s := open(t, nil)
	send := func(t *testing.T, id string, change func(*aws.Credentials), service, method, path string) (*http.Response, string) {
		key := s.keys.SessionKey(id)
		credentials := aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey, SessionToken: key.SessionToken}
		if change != nil {
			change(&credentials)
		}
		return s.send(t, s.signWith(t, credentials, s.request(t, method, path, ""), service, hashOf("")))
	}
	t.Run("of a session that lives", func(t *testing.T) {
		response, body := send(t, "alive", nil, "s3", "GET", "/bucket/key")
		if want := "arn:aws:sts::123456789012:assumed-role/hearth/alive GET /bucket/key "; response.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s %q", response.Status, body)
		}
	})
	t.Run("are named in the log", func(t *testing.T) {
		if !strings.Contains(s.log.String(), "session=alive") {
			t.Error("the log does not name the session")
		}
	})
	for _, id := range []string{"over", "forgotten"} {
		t.Run("of a session that is "+id, func(t *testing.T) {
			response, body := send(t, id, nil, "s3", "GET", "/bucket/key")
			wantXML(t, response, body, http.StatusBadRequest, "ExpiredToken")
		})
	}
	for what, c := range map[string]struct {
		change func(*aws.Credentials)
		code   string
		status int
	}{
		"with another's token": {func(c *aws.Credentials) { c.SessionToken = s.keys.SessionKey("over").SessionToken }, "InvalidToken", http.StatusBadRequest},
		"without a token":      {func(c *aws.Credentials) { c.SessionToken = "" }, "InvalidToken", http.StatusBadRequest},
		"with another secret":  {func(c *aws.Credentials) { c.SecretAccessKey = s.key.SecretAccessKey }, "SignatureDoesNotMatch", http.StatusForbidden},
	} {
		t.Run(what, func(t *testing.T) {
			response, body := send(t, "alive", c.change, "s3", "GET", "/bucket/key")
			wantXML(t, response, body, c.status, c.code)
		})
	}
	t.Run("in a presigned URL", func(t *testing.T) {
		key := s.keys.SessionKey("alive")
		credentials := aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey, SessionToken: key.SessionToken}
		r := s.request(t, "GET", "/bucket/key?X-Amz-Expires=60", "")
		address, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, "UNSIGNED-PAYLOAD", "s3", region, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil); err != nil {
			t.Fatal(err)
		}
		if response, body := s.send(t, r); response.StatusCode != http.StatusOK || !strings.Contains(body, "/alive ") {
			t.Errorf("%s %q", response.Status, body)
		}
	})
	for path, method := range map[string]string{"/": "POST", "/v1/sessions/alive": "GET"} {
		t.Run("not at "+path, func(t *testing.T) {
			response, body := send(t, "alive", nil, "athena", method, path)
			wantJSON(t, response, body, http.StatusBadRequest, "UnrecognizedClientException")
		})
	}
}

func TestServer_Panic(t *testing.T) {
	early := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret cause") })
	late := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "the beginning")
		panic("secret cause")
	})
	s := open(t, func(c *httpd.Config) { c.Athena, c.Objects, c.REST = early, early, late })

	t.Run("athena", func(t *testing.T) {
		response, body := s.signed(t, "athena", "POST", "/", "")
		wantJSON(t, response, body, http.StatusInternalServerError, "InternalServerException")
		if strings.Contains(body, "secret") || !strings.Contains(s.log.String(), "secret cause") {
			t.Errorf("body %s, log %s", body, s.log)
		}
		if id := response.Header.Get("X-Amzn-Requestid"); !strings.Contains(s.log.String(), id) {
			t.Errorf("the log does not have %s", id)
		}
	})
	t.Run("objects", func(t *testing.T) {
		response, body := s.signed(t, "s3", "GET", "/", "")
		wantXML(t, response, body, http.StatusInternalServerError, "InternalError")
	})
	t.Run("in the middle of an answer", func(t *testing.T) {
		response, err := s.client.Do(s.sign(t, s.request(t, "GET", "/v1/x", ""), "athena", ""))
		if err != nil {
			return // broken off before any of it was sent
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("a part looks like the whole: %q", body)
		}
	})
}

func TestServer_Health(t *testing.T) {
	var notReady error
	s := open(t, func(c *httpd.Config) { c.Ready = func(context.Context) error { return notReady } })
	t.Run("ready", func(t *testing.T) {
		response, body := s.send(t, s.request(t, "GET", "/ok", ""))
		if response.StatusCode != http.StatusOK || body != "ok\n" || response.Header.Get("X-Hearth-Identity") != "this one" {
			t.Errorf("%s, %q, %v", response.Status, body, response.Header)
		}
	})
	t.Run("not ready", func(t *testing.T) {
		notReady = hearth.Errorf(hearth.KindUnavailable, "the engine is being installed")
		response, body := s.send(t, s.request(t, "GET", "/ok", ""))
		if response.StatusCode != http.StatusServiceUnavailable || body != "the engine is being installed\n" {
			t.Errorf("%s, %q", response.Status, body)
		}
	})
	t.Run("is only read", func(t *testing.T) {
		if response, _ := s.send(t, s.request(t, "POST", "/ok", "")); response.StatusCode != http.StatusMethodNotAllowed {
			t.Error(response.Status)
		}
	})
}

func TestServer_Log(t *testing.T) {
	s := open(t, nil)
	r := s.request(t, "POST", "/", "")
	r.Header.Set("X-Amz-Target", "AmazonAthena.GetSession")
	s.send(t, s.sign(t, r, "athena", ""))
	s.signed(t, "s3", "GET", "/bucket?token=secret", "")
	s.Shutdown(t.Context()) // the lines are written after the answers
	log := s.log.String()
	for _, part := range []string{"target=AmazonAthena.GetSession", "key=" + s.key.AccessKeyID, "status=200", "path=/bucket", "method=POST"} {
		if !strings.Contains(log, part) {
			t.Errorf("%s is not in the log:\n%s", part, log)
		}
	}
	for _, secret := range []string{"token", s.key.SecretAccessKey} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

func TestServer_LogOfPolls(t *testing.T) {
	log := &testenv.Log{}
	s := open(t, func(c *httpd.Config) {
		c.Polls = func(target string) bool { return target == "AmazonAthena.GetSessionStatus" }
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		c.Athena = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("fails") {
				w.WriteHeader(http.StatusBadRequest)
			}
			echo(w, r)
		})
	})
	send := func(target, uri string, sign bool) {
		r := s.request(t, "POST", uri, "")
		r.Header.Set("X-Amz-Target", target)
		if sign {
			r = s.sign(t, r, "athena", "")
		}
		s.send(t, r)
	}
	for range 3 {
		send("AmazonAthena.GetSessionStatus", "/", true)
	}
	send("AmazonAthena.GetSessionStatus", "/?fails", true)
	send("AmazonAthena.GetSessionStatus", "/", false)
	send("AmazonAthena.GetSession", "/", true)
	s.Shutdown(t.Context()) // tells what was counted
	for part, want := range map[string]int{
		"msg=request ":          3,
		"msg=requests count=3 ": 1,
		" remote=127.0.0.1 target=AmazonAthena.GetSessionStatus key=" + s.key.AccessKeyID: 1,
		"target=AmazonAthena.GetSessionStatus":                                            3,
		"fault=":                                                                          1,
	} {
		if got := strings.Count(log.String(), part); got != want {
			t.Errorf("%q is there %d times, want %d:\n%s", part, got, want, log)
		}
	}
}

func TestLogTail(t *testing.T) {
	s := open(t, nil)
	s.send(t, s.request(t, "POST", "/refused", "")) // nobody signed it
	s.signed(t, "s3", "GET", "/bucket", "")
	s.Shutdown(t.Context()) // the lines are written after the answers
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(s.log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tail := httpd.LogTail(file, 1<<20)
	if !strings.Contains(tail, "path=/refused") || strings.Contains(tail, "path=/bucket") {
		t.Errorf("of\n%s\nit has\n%s", s.log, tail)
	}
	if tail := httpd.LogTail(file, 10); len(tail) > 10 {
		t.Errorf("its last ten bytes are %q", tail)
	}
	if tail := httpd.LogTail(file+"-that-is-not-there", 10); !strings.Contains(tail, "no such file") {
		t.Errorf("without a file it is %q", tail)
	}
}

func TestListen(t *testing.T) {
	t.Run("says that the port is taken", func(t *testing.T) {
		s := open(t, nil)
		address := strings.TrimPrefix(s.URL(), "http://")
		_, err := httpd.Listen(httpd.Config{Address: address, Log: slog.New(slog.DiscardHandler)})
		message := hearth.MessageOf(err)
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(message, address) || !strings.Contains(message, "--listen") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("says that the address is of another machine", func(t *testing.T) {
		_, err := httpd.Listen(httpd.Config{Address: "192.0.2.1:0", Log: slog.New(slog.DiscardHandler)})
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), "192.0.2.1:0") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("serves TLS", func(t *testing.T) {
		certificate, roots := newCertificate(t)
		s := open(t, func(c *httpd.Config) { c.Certificate = certificate })
		s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
		response, body := s.signed(t, "athena", "POST", "/", "body")
		if response.TLS == nil || response.ProtoMajor != 2 || !strings.HasSuffix(body, " body") {
			t.Errorf("%s %s: %s", response.Proto, response.Status, body)
		}
	})
	t.Run("may be shut down without having served", func(t *testing.T) {
		s, err := httpd.Listen(httpd.Config{Address: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s.Shutdown(t.Context())
		l, err := net.Listen("tcp", strings.TrimPrefix(s.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
}

func TestServer_Shutdown(t *testing.T) {
	type answer struct {
		body string
		err  error
	}
	// begin sends a request and returns when its handler runs.
	begin := func(t *testing.T, s *site, began <-chan struct{}, r *http.Request) <-chan answer {
		t.Helper()
		answered := make(chan answer, 1)
		go func() {
			response, err := s.client.Do(r)
			if err != nil {
				answered <- answer{"", err}
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			answered <- answer{string(body), err}
		}()
		<-began
		return answered
	}

	t.Run("answers open requests", func(t *testing.T) {
		began, finish := make(chan struct{}), make(chan struct{})
		s := open(t, func(c *httpd.Config) {
			c.Athena = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(began)
				<-finish
				if r.Context().Err() != nil {
					t.Error("its context is done")
				}
				io.WriteString(w, "answer")
			})
		})
		answered := begin(t, s, began, s.sign(t, s.request(t, "POST", "/", ""), "athena", ""))
		left := make(chan struct{})
		go func() { s.Shutdown(context.Background()); close(left) }()
		for { // until nobody listens any more
			connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
			if err != nil {
				break
			}
			connection.Close()
		}
		close(finish)
		if a := <-answered; a.body != "answer" || a.err != nil {
			t.Errorf("%q, %v", a.body, a.err)
		}
		<-left
	})
	t.Run("cuts streams off", func(t *testing.T) {
		began := make(chan struct{})
		s := open(t, func(c *httpd.Config) {
			c.REST = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "a part")
				http.NewResponseController(w).Flush()
				close(began)
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			})
		})
		answered := begin(t, s, began, s.sign(t, s.request(t, "GET", "/v1/x", ""), "athena", ""))
		s.Shutdown(context.Background())
		if a := <-answered; a.body != "a part" || a.err == nil {
			t.Errorf("%q, %v", a.body, a.err)
		}
	})
	t.Run("lets requests answer that they are cut off", func(t *testing.T) {
		began := make(chan struct{})
		s := open(t, func(c *httpd.Config) {
			c.Athena = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(began)
				<-r.Context().Done()
				io.WriteString(w, "as it is now")
			})
		})
		answered := begin(t, s, began, s.sign(t, s.request(t, "POST", "/", ""), "athena", ""))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Shutdown(ctx)
		if a := <-answered; a.body != "as it is now" || a.err != nil {
			t.Errorf("%q, %v", a.body, a.err)
		}
	})
}

// Ensure that clients of other services can read the refusal: their protocol
// is that of STS.
func TestServer_OtherServices(t *testing.T) {
	s := open(t, nil)
	body := "Action=GetCallerIdentity&Version=2011-06-15"
	r := s.request(t, "POST", "/", body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	response, answer := s.send(t, s.sign(t, r, "sts", body))
	var e struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Error     struct{ Type, Code, Message string }
		RequestID string `xml:"RequestId"`
	}
	if err := xml.Unmarshal([]byte(answer), &e); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	if response.StatusCode != http.StatusBadRequest || e.Error.Code != "InvalidSignatureException" || !strings.Contains(e.Error.Message, "AWS_ENDPOINT_URL_ATHENA") || e.RequestID == "" {
		t.Errorf("%s: %+v", response.Status, e)
	}
}

// Ensure that S3's own client works with signatures, as a whole.
func TestServer_S3(t *testing.T) {
	store, err := objects.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key := "a b/ü+%2F/../x"
	if err := errors.Join(store.CreateBucket(t.Context(), "hearth"), store.Put(t.Context(), hearth.Object{URI: "s3://hearth/" + key}, strings.NewReader("content"))); err != nil {
		t.Fatal(err)
	}
	s := open(t, func(c *httpd.Config) {
		c.Objects = objects.Handler(store, objects.Options{Region: region, Allow: everyBucket, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	})
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL()),
		Region:       region,
		UsePathStyle: true,
		HTTPClient:   s.client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.key.AccessKeyID, SecretAccessKey: s.key.SecretAccessKey}, nil
		}),
		Retryer: aws.NopRetryer{},
	})
	t.Run("GetObject", func(t *testing.T) {
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("hearth"), Key: &key, Range: aws.String("bytes=3-")})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		if body, err := io.ReadAll(out.Body); err != nil || string(body) != "tent" {
			t.Errorf("%q, %v", body, err)
		}
	})
	t.Run("ListObjectsV2", func(t *testing.T) {
		out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("hearth"), Prefix: aws.String("a b/")})
		if err != nil || len(out.Contents) != 1 || *out.Contents[0].Key != key {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("ListBuckets", func(t *testing.T) {
		if out, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{}); err != nil || len(out.Buckets) != 1 {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("a presigned URL", func(t *testing.T) {
		presigned, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("hearth"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, presigned.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, body := s.send(t, r)
		if body != "content" || response.Header.Get("Content-Security-Policy") != "sandbox" {
			t.Errorf("%s, %q", response.Status, body)
		}
	})
	t.Run("PutObject", func(t *testing.T) {
		put := &s3.PutObjectInput{Bucket: aws.String("hearth"), Key: aws.String("new"), Body: strings.NewReader("new")}
		if _, err := client.PutObject(t.Context(), put); err != nil {
			t.Fatal(err)
		}
		if info, err := store.Stat(t.Context(), "hearth", "new"); err != nil || info.Size != 3 {
			t.Errorf("%+v, %v", info, err)
		}
	})
	t.Run("another body than the signed one changes nothing", func(t *testing.T) {
		r := s.sign(t, s.request(t, "PUT", "/hearth/new", "old"), "s3", "old")
		r.Body = io.NopCloser(strings.NewReader("odd"))
		response, body := s.send(t, r)
		wantXML(t, response, body, http.StatusBadRequest, "XAmzContentSHA256Mismatch")
		if info, err := store.Stat(t.Context(), "hearth", "new"); err != nil || info.ETag != "22af645d1859cb5ca6da0c484f1f37ea" {
			t.Errorf("%+v, %v", info, err)
		}
	})
}

func wantJSON(t *testing.T, response *http.Response, body string, status int, kind string) {
	t.Helper()
	var e struct {
		Type    string `json:"__type"`
		Message string
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%s, %v: %s", response.Status, err, body)
	}
	if response.StatusCode != status || e.Type != kind || e.Message == "" || response.Header.Get("X-Amzn-ErrorType") != kind {
		t.Errorf("%s, %s; want %d, %s", response.Status, body, status, kind)
	}
}

func wantXML(t *testing.T, response *http.Response, body string, status int, code string) {
	t.Helper()
	var e struct {
		XMLName                  xml.Name `xml:"Error"`
		Code, Message, RequestId string
	}
	if err := xml.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%s, %v: %s", response.Status, err, body)
	}
	if response.StatusCode != status || e.Code != code || e.Message == "" || e.RequestId != response.Header.Get("X-Amz-Request-Id") || e.RequestId == "" {
		t.Errorf("%s, %s; want %d, %s", response.Status, body, status, code)
	}
}

// newCertificate makes a certificate for 127.0.0.1 that signs itself.
func newCertificate(t *testing.T) (certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), roots *x509.CertPool) {
	t.Helper()
	now := time.Now()
	public, key := testenv.Certificate(t, 1, now.Add(-time.Hour), now.Add(time.Hour))
	pair, err := tls.X509KeyPair(public, key)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, roots
}
