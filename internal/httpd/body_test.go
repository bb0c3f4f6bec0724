package httpd_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/internal/httpd"
	"hearth/internal/objects"
)

// everyBucket lets everybody use all buckets.
func everyBucket(context.Context, string) error { return nil }

// storing opens a site with an object store that has the bucket hearth.
func storing(t *testing.T, open func(*testing.T, func(*httpd.Config)) *site) (*site, *objects.Store) {
	t.Helper()
	store, err := objects.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := store.CreateBucket(t.Context(), "hearth"); err != nil {
		t.Fatal(err)
	}
	return open(t, func(c *httpd.Config) {
		c.Objects = objects.Handler(store, objects.Options{Region: region, Allow: everyBucket, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	}), store
}

func wantNone(t *testing.T, store *objects.Store, key string) {
	t.Helper()
	if info, err := store.Stat(t.Context(), "hearth", key); hearth.KindOf(err) != hearth.KindNotFound {
		t.Errorf("%+v, %v", info, err)
	}
}

// wire sends a request without its last bytes, and then no more. It gives what
// is answered.
func (s *site) wire(t *testing.T, r *http.Request, without int) *bufio.Reader {
	t.Helper()
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	if _, err := connection.Write(text.Bytes()[:text.Len()-without]); err != nil {
		t.Fatal(err)
	}
	if without > 0 { // who closes when all was sent has gone, and nobody writes for him
		if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	return bufio.NewReader(connection)
}

func answerOf(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
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

func TestServer_ObjectBodies(t *testing.T) {
	t.Run("one that does not come is not waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, store := storing(t, openPiped)
			body, never := io.Pipe()
			defer never.Close()
			r := s.sign(t, s.request(t, "PUT", "/hearth/a", "body"), "s3", "body")
			r.Body = body
			response, text := s.send(t, r)
			wantXML(t, response, text, http.StatusBadRequest, "RequestTimeout")
			wantNone(t, store, "a")
		})
	})
	t.Run("the time for one is not one for the answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := openPiped(t, func(c *httpd.Config) {
				c.Objects = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					select {
					case <-r.Context().Done():
						t.Error("cut off")
					case <-time.After(time.Hour):
					}
					w.Write(body)
				})
			})
			if _, body := s.signed(t, "s3", "PUT", "/hearth/a", "body"); body != "body" {
				t.Errorf("%q", body)
			}
		})
	})
	t.Run("one that is shorter than it says", func(t *testing.T) {
		s, store := storing(t, open)
		r := s.sign(t, s.request(t, "PUT", "/hearth/a", "content"), "s3", "content")
		response, text := answerOf(t, s.wire(t, r, 4))
		wantXML(t, response, text, http.StatusBadRequest, "IncompleteBody")
		wantNone(t, store, "a")
	})
	t.Run("one over the limit of other doors", func(t *testing.T) {
		s, store := storing(t, open)
		if response, text := s.signed(t, "s3", "PUT", "/hearth/a", strings.Repeat("x", 100_000)); response.StatusCode != http.StatusOK {
			t.Errorf("%s %s", response.Status, text)
		}
		if info, err := store.Stat(t.Context(), "hearth", "a"); err != nil || info.Size != 100_000 {
			t.Errorf("%+v, %v", info, err)
		}
	})
	t.Run("one in chunks that are signed by nobody", func(t *testing.T) {
		s, store := storing(t, open)
		const chunks = "7;chunk-signature=0000000000000000000000000000000000000000000000000000000000000000\r\ncontent\r\n"
		r := s.request(t, "PUT", "/hearth/a", chunks)
		r.Header.Set("X-Amz-Decoded-Content-Length", "7")
		r.Header.Set("Content-Encoding", "aws-chunked")
		response, text := s.send(t, s.signAs(t, r, "s3", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))
		wantXML(t, response, text, http.StatusForbidden, "SignatureDoesNotMatch")
		wantNone(t, store, "a")
	})

	// boto3 waits for that even where it has nothing to send.
	t.Run("who waits to send nothing is told to go on", func(t *testing.T) {
		s, _ := storing(t, open)
		r := s.request(t, "PUT", "/hearth/a", "")
		r.Header.Set("Expect", "100-continue")
		answers := s.wire(t, s.sign(t, r, "s3", ""), 0)
		line, err := answers.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			t.Fatalf("%q, %v", line, err)
		}
		for line != "\r\n" {
			if line, err = answers.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if response, text := answerOf(t, answers); response.StatusCode != http.StatusOK {
			t.Errorf("%s %s", response.Status, text)
		}
	})
}
