package authority

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
)

func mustOpen(t *testing.T, dir string, at time.Time) *Authority {
	t.Helper()
	a, err := open(dir, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leaf(t *testing.T, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *x509.Certificate {
	t.Helper()
	c, err := certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestOpen(t *testing.T) {
	t.Run("makes one authority, which is its owner's alone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "new")
		first, second := mustOpen(t, dir, time.Now()), mustOpen(t, dir, time.Now())
		if !first.certificate.Equal(second.certificate) {
			t.Error("the second is another one")
		}
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file %v, %v", info, err)
		}
	})
	t.Run("gives all that open at once the same one, and leaves one file", func(t *testing.T) {
		dir := t.TempDir()
		opened := make([]*Authority, 16)
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for i := range opened {
			wg.Go(func() {
				<-begin
				a, err := Open(dir)
				if err != nil {
					t.Error(err)
				}
				opened[i] = a
			})
		}
		close(begin)
		wg.Wait()
		for _, a := range opened {
			if a == nil || !a.certificate.Equal(opened[0].certificate) {
				t.Fatal("one is another")
			}
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("files %v", entries)
		}
	})
	t.Run("makes another one before the first has ended", func(t *testing.T) {
		dir, now := t.TempDir(), time.Now()
		first := mustOpen(t, dir, now)
		if again := mustOpen(t, dir, now.Add(lifetime-2*leafLifetime)); !again.certificate.Equal(first.certificate) {
			t.Error("it was replaced too soon")
		}
		last := now.Add(lifetime - leafLifetime)
		second := mustOpen(t, dir, last)
		if second.certificate.Equal(first.certificate) || second.certificate.NotAfter.Sub(last) < lifetime-time.Second {
			t.Errorf("at the end there is one until %s", second.certificate.NotAfter)
		}
	})

	t.Run("is not needed to look at one, which changes nothing", func(t *testing.T) {
		dir := t.TempDir()
		if _, err := Examine(dir); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("of none: %v", err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("files %v", entries)
		}
		a := mustOpen(t, dir, time.Now().Add(leafLifetime-lifetime)) // Open would replace it
		if until, err := Examine(dir); err != nil || !until.Equal(a.certificate.NotAfter) {
			t.Errorf("it ends at %s, %v", until, err)
		}
	})

	whole := t.TempDir()
	mustOpen(t, whole, time.Now())
	text, err := os.ReadFile(filepath.Join(whole, file))
	if err != nil {
		t.Fatal(err)
	}
	another := t.TempDir()
	mustOpen(t, another, time.Now())
	other, err := os.ReadFile(filepath.Join(another, file))
	if err != nil {
		t.Fatal(err)
	}
	const end = "-----END EC PRIVATE KEY-----\n"
	ours, _, _ := strings.Cut(string(text), end)
	_, theirs, _ := strings.Cut(string(other), end)
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"others may read":           {string(text), 0o644, "chmod 600"},
		"is empty":                  {"", 0o600, "does not hold a key and a certificate"},
		"is cut off":                {string(text[:len(text)/2]), 0o600, "does not hold a key and a certificate"},
		"has somebody else's parts": {ours + end + theirs, 0o600, "do not belong together"},
	} {
		t.Run("refuses a file that "+name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, opening := Open(dir)
			_, examining := Examine(dir)
			for _, err := range []error{opening, examining} {
				if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), c.want) || !strings.Contains(hearth.MessageOf(err), path) {
					t.Errorf("error %v", err)
				}
			}
			if now, _ := os.ReadFile(path); string(now) != c.text {
				t.Error("the file has changed")
			}
		})
	}
}

func TestAuthority_Certificate(t *testing.T) {
	t.Run("is for its hosts, and who trusts the roots accepts it", func(t *testing.T) {
		a := mustOpen(t, t.TempDir(), time.Now())
		path, err := a.Roots()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(text)
		c := leaf(t, a.Certificate("localhost", "127.0.0.1", "::1", "127.0.0.1", ""))
		for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
			if _, err := c.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
		if c.VerifyHostname("example.com") == nil {
			t.Error("it is for others, too")
		}
	})
	t.Run("is made anew before it has ended, and not before", func(t *testing.T) {
		a, now := mustOpen(t, t.TempDir(), time.Now()), time.Now()
		a.now = func() time.Time { return now }
		certificate := a.Certificate("localhost")
		first := leaf(t, certificate)
		now = now.Add(leafLifetime / 2)
		if !leaf(t, certificate).Equal(first) {
			t.Error("it was made anew in the middle")
		}
		now = now.Add(leafLifetime / 4)
		if second := leaf(t, certificate); second.Equal(first) || second.NotAfter.Sub(now) < leafLifetime-time.Second {
			t.Errorf("then there is one until %s", second.NotAfter)
		}
	})
}

func TestAuthority_Roots(t *testing.T) {
	t.Run("has what the system trusts, too", func(t *testing.T) {
		theirs := filepath.Join(t.TempDir(), "theirs.pem")
		if err := os.WriteFile(theirs, mustOpen(t, t.TempDir(), time.Now()).PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SSL_CERT_FILE", theirs)
		dir := t.TempDir()
		a := mustOpen(t, dir, time.Now())
		for range 2 {
			path, err := a.Roots()
			if err != nil {
				t.Fatal(err)
			}
			text, _ := os.ReadFile(path)
			had, _ := os.ReadFile(theirs)
			if string(text) != string(a.PEM())+string(had) {
				t.Errorf("it has\n%s", text)
			}
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 2 {
			t.Errorf("files %v", entries)
		}
	})
	t.Run("has no key", func(t *testing.T) {
		path, err := mustOpen(t, t.TempDir(), time.Now()).Roots()
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := os.ReadFile(path); strings.Contains(string(text), "PRIVATE") {
			t.Error("it has one")
		}
	})
	t.Run("follows an authority that was made anew", func(t *testing.T) {
		dir := t.TempDir()
		if _, err := mustOpen(t, dir, time.Now()).Roots(); err != nil {
			t.Fatal(err)
		}
		second := mustOpen(t, dir, time.Now().Add(lifetime))
		path, err := second.Roots()
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := os.ReadFile(path); !strings.HasPrefix(string(text), string(second.PEM())) {
			t.Error("it has the first one")
		}
	})
}
