package certificate_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/internal/certificate"
	"hearth/internal/testenv"
)

// served is a certificate that is served, and how it is replaced.
type served struct {
	*certificate.Files
	t                *testing.T
	certificate, key string
	log              bytes.Buffer
}

// made makes a certificate that signs itself, and its key.
func made(t *testing.T, number int64) (certificate, key []byte) {
	t.Helper()
	now := time.Now()
	return testenv.Certificate(t, number, now.Add(-time.Hour), now.Add(time.Duration(number)*time.Hour))
}

func serve(t *testing.T) *served {
	t.Helper()
	dir := t.TempDir()
	s := &served{t: t, certificate: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	certificatePEM, keyPEM := made(t, 1)
	s.replace(s.certificate, certificatePEM)
	s.replace(s.key, keyPEM)
	var err error
	if s.Files, err = certificate.Open(s.certificate, s.key, slog.New(slog.NewTextHandler(&s.log, nil))); err != nil {
		t.Fatal(err)
	}
	return s
}

// replace puts another file in the place of one, as programs that renew
// certificates do.
func (s *served) replace(path string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// serves checks which certificate a connection gets, and how often the log has
// complained.
func (s *served) serves(number int64, complaints int) {
	s.t.Helper()
	got, err := s.Get(nil)
	if err != nil || got.Leaf.SerialNumber.Int64() != number {
		s.t.Errorf("certificate %v, %v; want %d", got, err, number)
	}
	if n := strings.Count(s.log.String(), "level=WARN"); n != complaints {
		s.t.Errorf("the log complains %d times and not %d:\n%s", n, complaints, s.log.String())
	}
}

func TestFiles(t *testing.T) {
	t.Run("are served", func(t *testing.T) {
		s := serve(t)
		s.serves(1, 0)
		if until := time.Until(s.Until()); until < 58*time.Minute || until > time.Hour {
			t.Errorf("until %s", s.Until())
		}
	})
	t.Run("are read again when they were replaced", func(t *testing.T) {
		s := serve(t)
		s.serves(1, 0)
		certificate, key := made(t, 2)
		s.replace(s.key, key)
		s.replace(s.certificate, certificate)
		s.serves(2, 0)
		s.serves(2, 0)
		if n := strings.Count(s.log.String(), "level=INFO"); n != 1 {
			t.Errorf("the log tells it %d times:\n%s", n, s.log.String())
		}
	})
	t.Run("are read again when they were written over", func(t *testing.T) {
		s := serve(t)
		certificate, key := made(t, 2)
		for path, text := range map[string][]byte{s.certificate: certificate, s.key: key} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Minute)); err != nil { // clocks of file systems are coarse
				t.Fatal(err)
			}
		}
		s.serves(2, 0)
	})
	t.Run("are read again when they are links to others", func(t *testing.T) {
		s, dir := serve(t), t.TempDir()
		certificate, key := made(t, 2)
		for path, text := range map[string][]byte{s.certificate: certificate, s.key: key} {
			target := filepath.Join(dir, filepath.Base(path))
			s.replace(target, text)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		}
		s.serves(2, 0)
	})
	t.Run("one after the other are served when both are there", func(t *testing.T) {
		s := serve(t)
		certificate, key := made(t, 2)
		s.replace(s.certificate, certificate)
		s.serves(1, 1)
		s.serves(1, 1)
		s.replace(s.key, key)
		s.serves(2, 1)
	})
	for name, text := range map[string]string{
		"nothing":           "",
		"what is no PEM":    "certificate",
		"what is no X.509":  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"another one's key": "",
	} {
		t.Run("replaced by "+name+" are served as they were", func(t *testing.T) {
			s := serve(t)
			good, err := os.ReadFile(s.certificate)
			if err != nil {
				t.Fatal(err)
			}
			path := s.certificate
			if name == "another one's key" {
				_, key := made(t, 2)
				path, text = s.key, string(key)
				if good, err = os.ReadFile(s.key); err != nil {
					t.Fatal(err)
				}
			}
			s.replace(path, []byte(text))
			s.serves(1, 1)
			s.serves(1, 1)
			s.replace(path, good)
			s.serves(1, 1)
		})
	}
	t.Run("removed are served as they were", func(t *testing.T) {
		s := serve(t)
		if err := os.Remove(s.key); err != nil {
			t.Fatal(err)
		}
		s.serves(1, 1)
		s.serves(1, 1)
		certificate, key := made(t, 2)
		s.replace(s.certificate, certificate)
		s.replace(s.key, key)
		s.serves(2, 1)
	})
	t.Run("are there for connections at once", func(t *testing.T) {
		s := serve(t)
		certificate, key := made(t, 2)
		s.replace(s.certificate, certificate)
		s.replace(s.key, key)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got, err := s.Get(nil); err != nil || got.Leaf.SerialNumber.Int64() != 2 {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		wg.Wait()
	})
}

// A server takes up a certificate between two connections.
func TestFiles_Connections(t *testing.T) {
	s := serve(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: s.Get})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	for _, number := range []int64{1, 2} {
		if number > 1 {
			certificate, key := made(t, number)
			s.replace(s.certificate, certificate)
			s.replace(s.key, key)
		}
		c, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // it looks by itself
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != number {
			t.Errorf("certificate %d is served and not %d", got, number)
		}
		c.Close()
	}
}

func TestOpen(t *testing.T) {
	s := serve(t)
	_, other := made(t, 2)
	wrong := filepath.Join(t.TempDir(), "other.pem")
	s.replace(wrong, other)
	for name, key := range map[string]string{"that are not there": "absent.pem", "that do not belong together": wrong} {
		t.Run("refuses files "+name, func(t *testing.T) {
			_, err := certificate.Open(s.certificate, key, slog.New(slog.DiscardHandler))
			if hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(hearth.MessageOf(err), key) || !strings.Contains(hearth.MessageOf(err), s.certificate) {
				t.Errorf("error %v", err)
			}
		})
	}
}
