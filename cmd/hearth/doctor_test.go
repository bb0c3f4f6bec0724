package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/internal/authority"
	"hearth/internal/config"
)

// certificateUntil makes the files of a certificate that ends then.
func certificateUntil(t *testing.T, end time.Time) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret)
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
