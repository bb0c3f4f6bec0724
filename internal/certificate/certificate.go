// Package certificate serves with a certificate of the user's, who replaces it
// before it ends: what renews certificates writes files, and knows no server to
// start anew.
package certificate

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"hearth"
)

// Files are a certificate, with its chain, and its key, in PEM files. Its methods
// may be called from several goroutines.
type Files struct {
	certificate, key string
	log              *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]os.FileInfo // of both files when they were read last; nil for one that is not there
}

// Open reads the files. It returns KindInvalid when they cannot be used. The log
// is told how later replacements go.
func Open(certificate, key string, log *slog.Logger) (*Files, error) {
	f := &Files{certificate: certificate, key: key, log: log}
	f.seen = f.look()
	if err := f.read(); err != nil {
		return nil, hearth.Errorf(hearth.KindInvalid, "The certificate %s with the key %s cannot be used: %w. Both have to be PEM files that belong together.", certificate, key, err)
	}
	return f, nil
}

// Get gives the certificate for a connection, in the form of
// tls.Config.GetCertificate: what is in the files now or, as long as that cannot
// be used, what was there last that could.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.look()
	if same(now[0], f.seen[0]) && same(now[1], f.seen[1]) {
		return f.current, nil
	}
	f.seen = now // before they are read: a change meanwhile is another one
	if err := f.read(); err != nil {
		f.log.Warn("a certificate was replaced by what cannot be used; connections get the one before", "certificate", f.certificate, "key", f.key, "error", err, "until", f.current.Leaf.NotAfter)
	} else {
		f.log.Info("a certificate was replaced", "certificate", f.certificate, "until", f.current.Leaf.NotAfter)
	}
	return f.current, nil
}

// Until is when the certificate ends.
func (f *Files) Until() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current.Leaf.NotAfter
}

func (f *Files) read() error {
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return err
	}
	f.current = &pair
	return nil
}

func (f *Files) look() (found [2]os.FileInfo) {
	for i, path := range []string{f.certificate, f.key} {
		if info, err := os.Stat(path); err == nil {
			found[i] = info
		}
	}
	return found
}

// same reports whether nobody has written or replaced a file.
func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
