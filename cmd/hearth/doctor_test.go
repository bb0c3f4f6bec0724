package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/internal/authority"
	"hearth/internal/config"
	"hearth/internal/testenv"
)

// certificateUntil makes the files of a certificate that ends then.
func certificateUntil(t *testing.T, end time.Time) (certificate, key string) {
	t.Helper()
	public, secret := testenv.Certificate(t, 1, end.Add(-time.Hour), end)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", public), write("key.pem", secret)
}

func TestDoctor_Certificates(t *testing.T) {
	for name, c := range map[string]struct {
		left   time.Duration
		status health
		remedy string
	}{
		"for long":       {30 * 24 * time.Hour, healthy, ""},
		"that ends soon": {6 * 24 * time.Hour, odd, "Renew it"},
		"that has ended": {-time.Minute, broken, "Renew it"},
	} {
		t.Run("one "+name, func(t *testing.T) {
			var settings config.Config
			settings.TLSCertificate, settings.TLSKey = certificateUntil(t, time.Now().Add(c.left))
			settings.ConnectCertificate, settings.ConnectKey = settings.TLSCertificate, settings.TLSKey
			d := doctor{settings: settings}
			d.certificates()
			if len(d.findings) != 2 || d.findings[0].Check == d.findings[1].Check {
				t.Fatalf("it finds %v", d.findings)
			}
			for _, f := range d.findings {
				if f.Status != c.status || !strings.Contains(f.Found, settings.TLSCertificate) || !strings.HasPrefix(f.Remedy, c.remedy) || c.remedy == "" && f.Remedy != "" {
					t.Errorf("it finds %v", f)
				}
			}
		})
	}
	t.Run("one that cannot be used", func(t *testing.T) {
		certificate, _ := certificateUntil(t, time.Now().Add(time.Hour))
		d := doctor{settings: config.Config{ConnectCertificate: certificate, ConnectKey: "absent.key"}}
		d.certificates()
		if len(d.findings) != 1 || d.findings[0].Status != broken || !strings.Contains(d.findings[0].Found, "absent.key") {
			t.Errorf("it finds %v", d.findings)
		}
	})
	t.Run("none", func(t *testing.T) {
		var d doctor
		if d.certificates(); len(d.findings) > 0 {
			t.Errorf("it finds %v", d.findings)
		}
	})
}

func TestDoctor_Authority(t *testing.T) {
	settings := config.Config{Data: t.TempDir()}
	look := func() []finding {
		d := doctor{settings: settings}
		d.authority()
		return d.findings
	}
	t.Run("none", func(t *testing.T) {
		if found := look(); len(found) > 0 {
			t.Errorf("it finds %v", found)
		}
	})
	if _, err := authority.Open(settings.Data); err != nil {
		t.Fatal(err)
	}
	t.Run("one that is its owner's alone", func(t *testing.T) {
		if found := look(); len(found) != 1 || found[0].Status != healthy {
			t.Errorf("it finds %v", found)
		}
	})
	if err := os.Chmod(filepath.Join(settings.Data, "authority.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	t.Run("one that others may use", func(t *testing.T) {
		if found := look(); len(found) != 1 || found[0].Status != broken || !strings.Contains(found[0].Found, "chmod 600") {
			t.Errorf("it finds %v", found)
		}
	})
	t.Run("one that is not used", func(t *testing.T) {
		settings.ConnectCertificate = "ours.pem"
		if found := look(); len(found) > 0 {
			t.Errorf("it finds %v", found)
		}
	})
}
