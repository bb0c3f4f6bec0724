// Package access knows the access keys that requests are signed with, who signs
// with them, the keys of sessions and the buckets that these reach, and the passes
// that open a session in a browser.
package access

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// Key is a pair of access key id and secret.
type Key struct {
	AccessKeyID     string    `json:"access_key_id"`     // 20 upper-case letters and digits, as AWS's are
	SecretAccessKey string    `json:"secret_access_key"` // 40 letters and digits
	CreatedAt       time.Time `json:"created_at"`
}

// keysFile is where the keys are kept, readable by its owner only.
const keysFile = "keys.json"

// document is the form of the file. The first key is the root key.
type document struct {
	Keys []Key `json:"keys"`
}

// Keys are all access keys of a server. Its methods may be called from several
// goroutines.
type Keys struct {
	root     Key
	byID     map[string]Key
	sessions []byte // what the keys of sessions are derived from
}

// Open reads the keys from keys.json in dir. When there is none, it makes the
// directory and the root key first; of several processes that do so at once,
// all get the same key. It returns KindUnavailable when the file can be read by
// others, is broken, or cannot be made; the message says what to do.
func Open(dir string) (*Keys, error) {
	path := filepath.Join(dir, keysFile)
	keys, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, unavailable(path, "cannot be made", err, "Check that the directory can be written and its disk has room.")
		}
		keys, err = read(path)
	}
	return keys, err
}

// Root is the key that the first start made. It may do everything.
func (k *Keys) Root() Key { return k.root }

// Secret gives the secret of an access key. It returns KindNotFound when
// nobody has that id.
func (k *Keys) Secret(_ context.Context, accessKeyID string) (string, error) {
	key, ok := k.byID[accessKeyID]
	if !ok {
		return "", hearth.Errorf(hearth.KindNotFound, "There is no access key %q.", accessKeyID)
	}
	return key.SecretAccessKey, nil
}

// Principal tells who signs with an access key, in an account.
func (k *Keys) Principal(accessKeyID, account string) Principal {
	return Principal{AccessKeyID: accessKeyID, ARN: "arn:aws:iam::" + account + ":root"}
}

func read(path string) (*Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unavailable(path, "cannot be read", err, "Make it readable for the user that runs the server.")
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, unavailable(path, "cannot be read", err, "Make it readable for the user that runs the server.")
	}
	if mode := stat.Mode().Perm(); mode&0o077 != 0 {
		return nil, hearth.Errorf(hearth.KindUnavailable,
			"The keys in %s may be used by other users of this machine (mode %04o). Run chmod 600 on it, or delete it to get a new key if somebody may have read it.", path, mode)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, unavailable(path, "cannot be read", err, "Check its disk.")
	}
	const restore = "Restore it from a copy, or delete it to get a new key."
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, unavailable(path, "is broken", err, restore)
	}
	if len(d.Keys) == 0 {
		return nil, unavailable(path, "is broken", errors.New("it has no key"), restore)
	}
	sessions, err := sessionsSecret(d.Keys[0])
	if err != nil {
		return nil, hearth.Internal(err, "deriving the keys of sessions")
	}
	keys := &Keys{root: d.Keys[0], byID: make(map[string]Key), sessions: sessions}
	for _, key := range d.Keys {
		if key.AccessKeyID == "" || key.SecretAccessKey == "" {
			return nil, unavailable(path, "is broken", errors.New("a key lacks its id or secret"), restore)
		}
		keys.byID[key.AccessKeyID] = key
	}
	return keys, nil
}

// create makes the file with a new root key, or leaves the one that another
// process made: a link, unlike a rename, never replaces a file.
func create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(document{Keys: []Key{newKey()}}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, keysFile+".*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	faultpoint.At("access key", "to be put in place")
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	faultpoint.At("access key", "in place")
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func newKey() Key {
	secret := make([]byte, 25)
	rand.Read(secret) // never fails; see crypto/rand
	return Key{
		AccessKeyID:     "HEARTH" + rand.Text()[:14],
		SecretAccessKey: base32.StdEncoding.EncodeToString(secret),
		CreatedAt:       time.Now().UTC().Truncate(time.Second),
	}
}

// unavailable is the error for a file of keys that is of no use. Its cause is
// shown without the path, which the message has already.
func unavailable(path, what string, cause error, remedy string) error {
	shown := cause
	if number, ok := errors.AsType[syscall.Errno](cause); ok {
		shown = number
	}
	return &hearth.Error{
		Kind:    hearth.KindUnavailable,
		Message: fmt.Sprintf("The access keys in %s: the file %s: %v. %s", path, what, shown, remedy),
		Err:     cause,
	}
}
