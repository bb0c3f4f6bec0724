// Package authority makes certificates for a server whose user has none: it is an
// authority of one data directory, which clients are told to trust by a file.
package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"hearth"
)

// file is where the authority is kept, key and certificate, readable by its owner
// only.
const file = "authority.pem"

// How long what is made here is good for. An authority is made anew as long
// before its end as its last certificate would live.
const (
	lifetime     = 10 * 365 * 24 * time.Hour
	leafLifetime = 90 * 24 * time.Hour
	skew         = time.Hour // a client's clock may be behind ours
)

// Authority signs certificates. Its methods may be called from several
// goroutines.
type Authority struct {
	dir         string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	now         func() time.Time
}

// Open reads the authority of a data directory. When there is none, or it is
// about to end, Open makes the directory and the authority; of several processes
// that do so at once, all get the same. It returns KindUnavailable when the file
// can be read by others, is broken, or cannot be made; the message says what to do.
func Open(dir string) (*Authority, error) { return open(dir, time.Now) }

func open(dir string, now func() time.Time) (*Authority, error) {
	a := &Authority{dir: dir, now: now}
	err := a.read()
	if err == nil && a.certificate.NotAfter.Sub(now()) > leafLifetime {
		return a, nil
	}
	replace := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, unavailable(dir, err)
	}
	if err = a.create(replace); err == nil {
		err = a.read()
	}
	if err != nil {
		return nil, unavailable(dir, err)
	}
	return a, nil
}

// Examine looks at the authority of a data directory as Open does, makes none, and
// gives when it ends. It returns KindNotFound when there is none.
func Examine(dir string) (until time.Time, err error) {
	a := &Authority{dir: dir}
	switch err := a.read(); {
	case errors.Is(err, fs.ErrNotExist):
		return until, hearth.Errorf(hearth.KindNotFound, "There is no certificate authority in %s.", dir)
	case err != nil:
		return until, unavailable(dir, err)
	}
	return a.certificate.NotAfter, nil
}

func unavailable(dir string, cause error) error {
	if cause, ok := errors.AsType[*hearth.Error](cause); ok {
		return cause
	}
	return &hearth.Error{
		Kind: hearth.KindUnavailable, Err: cause,
		Message: fmt.Sprintf("The certificate authority in %s is of no use: %v. Check the file and its disk; or delete it to get a new one, and set the environment of clients again (hearth env).", filepath.Join(dir, file), cause),
	}
}

func (a *Authority) read() error {
	f, err := os.Open(filepath.Join(a.dir, file))
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := stat.Mode().Perm(); mode&0o077 != 0 {
		return hearth.Errorf(hearth.KindUnavailable,
			"The certificate authority in %s may be used by other users of this machine (mode %04o). Run chmod 600 on it, or delete it to get a new one if somebody may have read it.", f.Name(), mode)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	key, rest := pem.Decode(text)
	certificate, _ := pem.Decode(rest)
	if key == nil || certificate == nil {
		return errors.New("it does not hold a key and a certificate")
	}
	if a.key, err = x509.ParseECPrivateKey(key.Bytes); err != nil {
		return err
	}
	if a.certificate, err = x509.ParseCertificate(certificate.Bytes); err != nil {
		return err
	}
	if !a.key.PublicKey.Equal(a.certificate.PublicKey) {
		return errors.New("its key and its certificate do not belong together")
	}
	return nil
}

// create makes the file with a new authority. Unless it is to be replaced, one
// that another process made meanwhile stays: a link, unlike a rename, never
// replaces a file.
func (a *Authority) create(replace bool) error {
	text, err := newAuthority(a.now())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(a.dir, file)
	temporary, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if replace {
		return os.Rename(temporary, path)
	}
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// writeBeside writes a temporary file, which is its owner's alone, to be put in
// the place of path.
func writeBeside(path string, text []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // made with mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func newAuthority(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Hearth " + now.UTC().Format(time.DateTime)}, // two of them differ
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = errors.Join(
		pem.Encode(&text, &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
	)
	return text.Bytes(), err
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails; see crypto/rand
	b[0] &= 0x7f    // positive, and of 16 bytes at most
	return new(big.Int).SetBytes(b[:])
}
