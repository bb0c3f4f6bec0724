package objects

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

const (
	// keySuffix makes the name of the key's file of the store's directory: the
	// key is beside what it opens, so that a copy of the objects has no key.
	keySuffix = ".key"

	// keyMark is the file that says with which key the store has encrypted. No
	// bucket can have its name.
	keyMark = ".encrypted"
)

// A masterKey seals what only the store may read: the keys of objects, of which
// each has one of its own, and their ETags.
type masterKey struct {
	id   string      // tells keys apart, and nothing about them
	aead cipher.AEAD // makes its own nonces
}

func newMasterKey(secret []byte) (*masterKey, error) {
	id, err := hkdf.Key(sha256.New, secret, nil, "hearth objects: name of the key", 8)
	if err != nil {
		return nil, err
	}
	sealing, err := hkdf.Key(sha256.New, secret, nil, "hearth objects: sealing", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &masterKey{id: hex.EncodeToString(id), aead: aead}, nil
}

// seal encrypts a short secret for one purpose of one object, and opens for no
// other.
func (k *masterKey) seal(secret []byte, purpose, uri string) []byte {
	return k.aead.Seal(nil, nil, secret, []byte(purpose+" "+uri))
}

func (k *masterKey) open(sealed []byte, purpose, uri string) ([]byte, error) {
	return k.aead.Open(nil, nil, sealed, []byte(purpose+" "+uri))
}

// sealText seals a text for a place that holds texts.
func (k *masterKey) sealText(secret, purpose, uri string) string {
	return base64.StdEncoding.EncodeToString(k.seal([]byte(secret), purpose, uri))
}

func (k *masterKey) openText(sealed, purpose, uri string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", err
	}
	text, err := k.open(b, purpose, uri)
	return string(text), err
}

// keyDocument is the form of the key's file.
type keyDocument struct {
	ID        string    `json:"id"`
	Key       []byte    `json:"key"` // 32 random bytes
	CreatedAt time.Time `json:"created_at"`
}

// readKey reads the key's file. Its error is fs.ErrNotExist when there is none.
func readKey(file string) (*masterKey, error) {
	stat, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && stat.Mode().Perm()&0o077 != 0 {
		return nil, hearth.Errorf(hearth.KindUnavailable,
			"The key of the objects, %s, may be read by other users of this machine (mode %04o). Run chmod 600 on it.", file, stat.Mode().Perm())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The key of the objects cannot be read: %w. Make it readable for the user that runs the server.", err)
	}
	var d keyDocument
	if json.Unmarshal(text, &d) == nil && len(d.Key) == sha256.Size {
		if key, err := newMasterKey(d.Key); err != nil || key.id == d.ID {
			return key, err
		}
	}
	return nil, hearth.Errorf(hearth.KindUnavailable, "The key of the objects, %s, is broken. Restore it from a copy.", file)
}

// makeKey makes the key's file with a new key, synced, and never in place of
// another one.
func makeKey(file string) (*masterKey, error) {
	secret := make([]byte, sha256.Size)
	rand.Read(secret) // never fails; see crypto/rand
	key, err := newMasterKey(secret)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(keyDocument{ID: key.id, Key: secret, CreatedAt: time.Now().UTC().Truncate(time.Second)}, "", "  ")
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, filepath.Base(file)+".*") // made with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	faultpoint.At("key of the objects", "to be put in place")
	if err := os.Link(f.Name(), file); err != nil { // a link, unlike a rename, replaces nothing
		return nil, err
	}
	faultpoint.At("key of the objects", "in place")
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return key, errors.Join(d.Sync(), d.Close())
}

// loadKey reads the key when the store is opened. It refuses to go on without
// the one that the store has encrypted with: a new one would open nothing.
func (s *Store) loadKey() error {
	key, err := readKey(s.keyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mark, err := s.root.ReadFile(keyMark)
	if err != nil && !isNotExist(err) {
		return fileError(err, "looking for the key of the objects")
	}
	id, marked := strings.TrimSpace(string(mark)), err == nil
	if marked && (key == nil || key.id != id) {
		what := "is missing"
		if key != nil {
			what = "is not the one"
		}
		return hearth.Errorf(hearth.KindUnavailable,
			"The key of the objects, %s, %s: some were encrypted with the key %s. Restore its file from a copy. If there is none, these objects are lost; delete %s to go on without them.",
			s.keyFile, what, id, filepath.Join(s.root.Name(), keyMark))
	}
	s.key, s.marked = key, marked
	return nil
}

// readingKey gives the key, nil when there is none.
func (s *Store) readingKey() *masterKey {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	return s.key
}

// writingKey gives the key and makes it when there is none, also none that came
// since the store was opened. It marks the store before anything is encrypted.
func (s *Store) writingKey() (*masterKey, error) {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	if s.key == nil {
		key, err := readKey(s.keyFile)
		if errors.Is(err, fs.ErrNotExist) {
			if key, err = makeKey(s.keyFile); err != nil {
				err = fileError(err, "making the key of the objects")
			}
		}
		if err != nil {
			return nil, err
		}
		s.key = key
	}
	if !s.marked {
		if err := s.mark(s.key.id); err != nil {
			return nil, fileError(err, "noting the key of the objects")
		}
		s.marked = true
	}
	return s.key, nil
}

func (s *Store) mark(id string) error {
	staged := s.temporary()
	defer s.root.Remove(staged) // nothing is there after the rename
	f, err := s.root.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(id + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	faultpoint.At("mark of the key", "to be put in place")
	if err := s.root.Rename(staged, keyMark); err != nil {
		return err
	}
	faultpoint.At("mark of the key", "in place")
	return s.sync(".")
}
