package httpd_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"hearth/internal/access"
	"hearth/internal/httpd"
)

// Ensure that what a browser asks for, which is not signed, comes to the
// console and to nobody else.
func TestServer_Console(t *testing.T) {
	s := open(t, func(c *httpd.Config) {
		c.Console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := access.PrincipalFrom(r.Context()); ok {
				t.Error("somebody was authenticated")
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, "console "+r.URL.Path+" "+string(body))
		})
	})
	for _, path := range []string{"/ui", "/ui/", "/ui/sessions/x"} {
		t.Run(path, func(t *testing.T) {
			response, body := s.send(t, s.request(t, "POST", path, "body"))
			if body != "console "+path+" body" || len(response.Header.Get("X-Amzn-Requestid")) != 36 {
				t.Errorf("%s %s %v", response.Status, body, response.Header)
			}
		})
	}
	for _, path := range []string{"/uix", "/UI/sessions", "//ui/sessions", "/bucket/ui/"} {
		t.Run("not "+path, func(t *testing.T) {
			response, body := s.send(t, s.request(t, "GET", path, ""))
			wantXML(t, response, body, http.StatusForbidden, "AccessDenied")
		})
	}
}

func TestServer_ConsoleSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openPiped(t, func(c *httpd.Config) {
			c.Console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("reading the body: %v", err)
				}
				w.WriteHeader(http.StatusRequestTimeout)
			})
		})
		body, never := io.Pipe()
		defer never.Close()
		r := s.request(t, "POST", "/ui/", "body")
		r.Body = body
		if response, _ := s.send(t, r); response.StatusCode != http.StatusRequestTimeout {
			t.Error(response.Status)
		}
	})
}

func TestServer_UnsignedPanic(t *testing.T) {
	fail := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret cause") })
	s := open(t, func(c *httpd.Config) {
		c.Console, c.Metrics = fail, fail
		c.Ready = func(context.Context) error { panic("secret cause") }
	})
	for _, path := range []string{"/ui/", "/metrics", "/ok"} {
		t.Run(path, func(t *testing.T) {
			response, body := s.send(t, s.request(t, "GET", path, ""))
			if response.StatusCode != http.StatusInternalServerError || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") || strings.Contains(body, "secret") {
				t.Errorf("%s %v %s", response.Status, response.Header, body)
			}
			if !strings.Contains(s.log.String(), "path="+path+" status=500") {
				t.Errorf("the log does not tell of it: %s", s.log)
			}
		})
	}
}

// Ensure that a door can tell a client an address that leads back here.
func TestAddressFrom(t *testing.T) {
	var s *site
	tell := func(c *httpd.Config) {
		c.Athena = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, httpd.AddressFrom(r.Context())) })
	}
	t.Run("as the client wrote it", func(t *testing.T) {
		s = open(t, tell)
		r := s.request(t, "POST", "/", "")
		r.Host = "Lab.example:1234"
		if _, body := s.send(t, s.sign(t, r, "athena", "")); body != "http://Lab.example:1234" {
			t.Errorf("%q", body)
		}
	})
	t.Run("with TLS", func(t *testing.T) {
		certificate, roots := newCertificate(t)
		s = open(t, func(c *httpd.Config) { tell(c); c.Certificate = certificate })
		s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		if _, body := s.signed(t, "athena", "POST", "/", ""); body != s.URL() || !strings.HasPrefix(body, "https://") {
			t.Errorf("%q", body)
		}
	})
}
