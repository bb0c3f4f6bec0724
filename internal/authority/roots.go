package authority

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"

	"hearth"
)

// RootsFile is the name, in the data directory, of the file that Roots makes.
const RootsFile = "roots.pem"

// systemRoots are where systems keep the certificates that they trust, as Go
// looks for them (crypto/x509).
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// Roots makes a file with the authority's certificate and all that the system
// trusts, and gives its path. gRPC takes one such file in the place of its own
// (GRPC_DEFAULT_SSL_ROOTS_FILE_PATH), and is to reach all others still. It returns
// KindUnavailable when the file cannot be made.
func (a *Authority) Roots() (path string, err error) {
	path = filepath.Join(a.dir, RootsFile)
	text := append(a.PEM(), trusted(append([]string{os.Getenv("SSL_CERT_FILE")}, systemRoots...))...)
	if had, err := os.ReadFile(path); err == nil && bytes.Equal(had, text) {
		return path, nil
	}
	temporary, err := writeBeside(path, text)
	if err == nil {
		defer os.Remove(temporary)
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return "", hearth.Errorf(hearth.KindUnavailable, "The certificates that clients are to trust cannot be written: %w. Check that the directory can be written and its disk has room.", err)
	}
	return path, nil
}

// PEM is the authority's certificate, which clients have to trust.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

func trusted(files []string) []byte {
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			return text
		}
	}
	return nil
}
