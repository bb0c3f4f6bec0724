package objects

import (
	"bytes"
	"errors"
	"io"

	"filippo.io/age"

	"hearth"
)

// An encrypted object is an age file (age-encryption.org/v1), whose key the
// store wraps itself. Of the libraries that read encrypted files from any place
// on, age alone authenticates the length of a file before it gives the first
// byte, and an empty file at all; minio/sio does neither, and tink-go's streams
// have no seek. The wrapping belongs to the object's URI: a file that was put
// in another's place does not open.

// stanza is the name of the wrapped key in the file's header: hearth, the id of
// the master key.
const stanza = "hearth"

// magic is how each encrypted file begins.
const magic = "age-encryption.org/v1\n-> " + stanza + " "

// wrapping is the age recipient and identity of one object.
type wrapping struct {
	key *masterKey
	uri string
}

// purpose of what is sealed with the master key.
const (
	forContent  = "content"
	forETag     = "etag"
	forChecksum = "checksum"
)

func (w wrapping) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	return []*age.Stanza{{Type: stanza, Args: []string{w.key.id}, Body: w.key.seal(fileKey, forContent, w.uri)}}, nil
}

func (w wrapping) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type == stanza && len(s.Args) == 1 {
			if s.Args[0] != w.key.id {
				return nil, otherKey(s.Args[0])
			}
			return w.key.open(s.Body, forContent, w.uri)
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// otherKey is the id of a key that is not the store's.
type otherKey string

func (k otherKey) Error() string { return "encrypted with the key " + string(k) }

// encrypt encrypts what is written to an object's file. The file is whole when
// Close has returned.
func (k *masterKey) encrypt(file io.Writer, uri string) (io.WriteCloser, error) {
	return age.Encrypt(file, wrapping{k, uri})
}

// plaintext reads an encrypted object.
type plaintext struct {
	section *io.SectionReader
	uri     string
	err     error // the first that reading met
}

// decrypt opens the content of an encrypted file.
func (s *Store) decrypt(file io.ReaderAt, size int64, uri string) (*plaintext, error) {
	key := s.readingKey()
	if key == nil {
		return nil, unreadable(uri, "it is encrypted, and there is no key at "+s.keyFile+". Restore the key from a copy.", nil)
	}
	at, length, err := age.DecryptReaderAt(file, size, wrapping{key, uri})
	if other, ok := errors.AsType[otherKey](err); ok {
		return nil, unreadable(uri, "it was "+other.Error()+", and the key at "+s.keyFile+" is "+key.id+". Restore the object from a copy that was encrypted with this one.", err)
	}
	if err != nil {
		return nil, damaged(uri, err)
	}
	return &plaintext{section: io.NewSectionReader(at, 0, length), uri: uri}, nil
}

func (p *plaintext) Read(b []byte) (int, error) {
	n, err := p.section.Read(b)
	if err != nil && err != io.EOF {
		p.err = damaged(p.uri, err)
		return n, p.err
	}
	return n, err
}

func (p *plaintext) Seek(offset int64, whence int) (int64, error) {
	return p.section.Seek(offset, whence)
}

// isEncrypted tells an encrypted file of ours by its beginning.
func isEncrypted(file io.ReaderAt) bool {
	begin := make([]byte, len(magic))
	_, err := file.ReadAt(begin, 0)
	return (err == nil || err == io.EOF) && bytes.Equal(begin, []byte(magic))
}

// errUnreadable is in the chain of errors of encrypted objects that cannot be
// decrypted.
var errUnreadable = errors.New("unreadable object")

func unreadable(uri, why string, cause error) error {
	return &hearth.Error{
		Kind:    hearth.KindUnavailable,
		Message: "The object " + uri + " cannot be read: " + why,
		Err:     errors.Join(errUnreadable, cause),
	}
}

func damaged(uri string, cause error) error {
	return unreadable(uri, "its file is damaged, or is another object's. Restore it from a copy.", cause)
}

// checkEncryption refuses encryption that the store does not have.
func checkEncryption(e *hearth.Encryption) error {
	if e == nil || e.Option == hearth.SSES3 {
		return e.Check()
	}
	return faultf(notImplemented, "The built-in object store has no encryption %s, because no key management service is behind it. Choose %s, whose key the server keeps, or none.", e.Option, hearth.SSES3)
}
