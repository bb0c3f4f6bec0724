package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/remote"
)

// answering is a store that answers everything with one refusal.
func answering(t *testing.T, status int, code string) *remote.Store {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		if code != "" {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>said by the store to SECRET</Message></Error>", code)
		}
	}))
	t.Cleanup(server.Close)
	return open(t, server.URL)
}

// each does to a store all that one can.
func each(t *testing.T, s *remote.Store) map[string]error {
	t.Helper()
	o := hearth.Object{URI: "s3://bucket/key"}
	_, opening := s.Open(t.Context(), o.URI)
	return map[string]error{
		"Check": s.Check(t.Context(), o),
		"Put":   s.Put(t.Context(), o, strings.NewReader("x")),
		"large": s.Put(t.Context(), o, bytes.NewReader(make([]byte, 9<<20))),
		"Open":  opening,
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   hearth.Kind
		words  string
	}{
		{404, "NoSuchBucket", hearth.KindNotFound, "has no bucket bucket"},
		{404, "NoSuchKey", hearth.KindNotFound, "s3://bucket/key"},
		{403, "AccessDenied", hearth.KindDenied, "s3:PutObject"},
		{403, "AllAccessDisabled", hearth.KindDenied, "AllAccessDisabled"},
		{403, "InvalidAccessKeyId", hearth.KindUnavailable, "credentials"},
		{403, "SignatureDoesNotMatch", hearth.KindUnavailable, "credentials"},
		{400, "ExpiredToken", hearth.KindUnavailable, "ExpiredToken"},
		{400, "AuthorizationHeaderMalformed", hearth.KindInvalid, "region"},
		{301, "PermanentRedirect", hearth.KindInvalid, "region"},
		{307, "TemporaryRedirect", hearth.KindInvalid, "endpoint"},
		{400, "KMS.NotFoundException", hearth.KindInvalid, "KMS key"},
		{400, "InvalidArgument", hearth.KindInvalid, "InvalidArgument"},
		{501, "NotImplemented", hearth.KindUnavailable, "NotImplemented"},
		{503, "SlowDown", hearth.KindUnavailable, "SlowDown"},
		{500, "InternalError", hearth.KindUnavailable, "InternalError"},
		{400, "RequestTimeout", hearth.KindUnavailable, "RequestTimeout"},
		{409, "OperationAborted", hearth.KindUnavailable, "OperationAborted"},
		{507, "XMinioStorageFull", hearth.KindUnavailable, "XMinioStorageFull"},
		{502, "", hearth.KindUnavailable, "BadGateway"},
	} {
		t.Run(fmt.Sprintf("%d %s", c.status, c.code), func(t *testing.T) {
			t.Parallel()
			for what, err := range each(t, answering(t, c.status, c.code)) {
				if hearth.KindOf(err) != c.want || err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "lake") {
					t.Errorf("%s: %v; want one of kind %s that says %s", what, err, c.want, c.words)
				}
				if err != nil && strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%s repeats what the store said: %v", what, err)
				}
			}
		})
	}

	t.Run("a bucket that is not there, without a word", func(t *testing.T) {
		err := answering(t, http.StatusNotFound, "").Reach(t.Context(), "bucket")
		if hearth.KindOf(err) != hearth.KindNotFound || !strings.Contains(err.Error(), "has no bucket bucket") {
			t.Error(err)
		}
	})

	serve := func(server *httptest.Server) string {
		t.Cleanup(server.Close)
		return server.URL
	}
	for url, words := range map[string]string{
		"http://" + closedAddress(t):                         "nothing listens there",
		"https://store.invalid":                              "its name has no address",
		serve(httptest.NewTLSServer(http.NotFoundHandler())): "certificate",
		strings.Replace(serve(httptest.NewServer(http.NotFoundHandler())), "http:", "https:", 1): "it does not speak TLS",
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			for what, err := range each(t, open(t, url)) {
				if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), url+": ") || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "lookup") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// A store that takes connections and says nothing holds up nobody who leaves.
func TestSilence(t *testing.T) {
	asked := make(chan struct{}, 10)
	leave := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-leave
	}))
	t.Cleanup(func() { close(leave); server.Close() })
	s := open(t, server.URL)
	o := hearth.Object{URI: "s3://bucket/key"}
	for name, ask := range map[string]func(context.Context) error{
		"Check": func(ctx context.Context) error { return s.Check(ctx, o) },
		"Put":   func(ctx context.Context) error { return s.Put(ctx, o, strings.NewReader("x")) },
		"Open":  func(ctx context.Context) error { _, err := s.Open(ctx, o.URI); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-asked; cancel() }()
			if err := ask(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// The environment's settings of AWS's clients lead to credentials, and not to
// another store.
func TestEnvironment(t *testing.T) {
	var signed string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ENDPOINT_URL", "http://"+closedAddress(t))
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://"+closedAddress(t))
	chained := func() *remote.Store {
		s, err := remote.New(t.Context(), remote.Config{Name: "lake", Endpoint: server.URL, Region: "eu-west-1", PathStyle: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("no credentials", func(t *testing.T) {
		for what, err := range each(t, chained()) {
			if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "no credentials for the store lake") {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	t.Run("those of variables", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "OFENVIRONMENT")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
		err := chained().Reach(t.Context(), "bucket")
		if hearth.KindOf(err) != hearth.KindNotFound || !strings.Contains(signed, "Credential=OFENVIRONMENT/") || !strings.Contains(signed, "/eu-west-1/s3/") {
			t.Errorf("signed %q, %v", signed, err)
		}
	})
	t.Run("a profile that is not there", func(t *testing.T) {
		_, err := remote.New(t.Context(), remote.Config{Name: "lake", Profile: "absent"})
		if hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(err.Error(), "lake") {
			t.Error(err)
		}
	})
}

// Encryption, owner and ACL go to the store in its words, and a store that says
// nothing of the encryption is not believed.
func TestHeaders(t *testing.T) {
	sent := map[string]http.Header{}
	confirms := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		query := r.URL.Query()
		what := r.Method
		if query.Has("uploads") {
			what = "begin"
		} else if query.Has("uploadId") {
			what += " upload"
		}
		sent[what] = r.Header
		if confirms {
			w.Header().Set("X-Amz-Server-Side-Encryption", r.Header.Get("X-Amz-Server-Side-Encryption"))
		}
		w.Header().Set("Etag", `"1"`)
		switch what {
		case "begin":
			fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
		case "POST upload":
			fmt.Fprint(w, "<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")
		}
	}))
	t.Cleanup(server.Close)
	s := open(t, server.URL)
	o := hearth.Object{
		URI: "s3://bucket/key", ContentType: "text/x", Encryption: &hearth.Encryption{Option: hearth.SSEKMS, KMSKey: "alias/k"},
		Ownership: hearth.Ownership{BucketOwner: "123456789012", ACL: hearth.BucketOwnerFullControl},
	}
	small, large := strings.NewReader("x"), bytes.NewReader(make([]byte, 9<<20))
	if err := errors.Join(s.Put(t.Context(), o, small), s.Put(t.Context(), o, large)); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"PUT", "begin"} {
		for name, want := range map[string]string{
			"Content-Type":                                "text/x",
			"X-Amz-Server-Side-Encryption":                "aws:kms",
			"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/k",
			"X-Amz-Acl":                                   "bucket-owner-full-control",
			"X-Amz-Expected-Bucket-Owner":                 "123456789012",
		} {
			if got := sent[what].Get(name); got != want {
				t.Errorf("%s has %s: %q, want %q", what, name, got, want)
			}
		}
	}
	for _, what := range []string{"PUT upload", "POST upload"} {
		if got := sent[what].Get("X-Amz-Expected-Bucket-Owner"); got != "123456789012" {
			t.Errorf("%s expects the owner %q", what, got)
		}
	}
	if sent["PUT"].Get("Content-Md5") == "" || sent["PUT upload"].Get("Content-Md5") == "" {
		t.Error("content goes without its MD5")
	}

	confirms = false
	small.Reset("x")
	for what, err := range map[string]error{"Check": s.Check(t.Context(), o), "Put": s.Put(t.Context(), o, small)} {
		if hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(err.Error(), "does not confirm") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if sent["DELETE upload"] == nil {
		t.Error("the upload that was not confirmed is not aborted")
	}
}
