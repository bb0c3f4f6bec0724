package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"hearth"
)

// Temporaries is the folder of content that is being written: nobody needs what
// is in it but who writes. No bucket can have its name.
const Temporaries = ".new"

// Store is a directory of buckets. Its methods may be called from several
// goroutines.
type Store struct {
	root  *os.Root
	seed  maphash.Seed
	locks [256]sync.RWMutex // of keys, by hash

	// buckets is held by whoever changes what is in a bucket, and as a whole by
	// who deletes one.
	buckets sync.RWMutex

	placed placed

	keyFile string
	keyMu   sync.Mutex
	key     *masterKey // nil until something is encrypted
	marked  bool       // the store says that the key was used
}

var _ hearth.Objects = (*Store)(nil)

// Open opens the store in dir and makes the directory when it is not there.
// Every file is reached from dir without leaving it, whatever a key says. The
// key of encrypted objects is in a file beside dir, dir.key; Open returns
// KindUnavailable when there are such objects and their key is missing, another
// one, or open to others.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fileError(err, "making the directory of the object store")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fileError(err, "opening the object store")
	}
	s := &Store{root: root, seed: maphash.MakeSeed(), keyFile: filepath.Clean(dir) + keySuffix}
	if err := s.loadKey(); err != nil {
		root.Close()
		return nil, err
	}
	// What a process that was killed had not finished.
	if err := errors.Join(root.RemoveAll(Temporaries), root.Mkdir(Temporaries, 0o700)); err != nil {
		root.Close()
		return nil, fileError(err, "opening the object store")
	}
	return s, nil
}

// Close closes the store. Objects that are open stay readable.
func (s *Store) Close() error { return s.root.Close() }

// Info describes an object.
type Info struct {
	Key         string
	Size        int64
	ModifiedAt  time.Time
	ETag        string // without quotes: the MD5 of the content in hexadecimal, or of its parts' with their number
	ContentType string
	Encryption  string            // hearth.SSES3, or "" when it is not encrypted
	Headers     map[string]string // that an answer with the object has beside, by their canonical names
	Tags        map[string]string
	Checksum    *Checksum // nil when none was asked for
	Parts       []int64   // lengths of the parts of a multipart upload

	upload string // the multipart upload that made it
}

// Object is an object that is open for reading. It stays what it is when the
// key gets another one.
type Object struct {
	Info
	io.ReadSeeker // the content, decrypted
	file          *os.File
}

// Close closes the object.
func (o *Object) Close() error { return o.file.Close() }

// Check tells whether Put would take an object (see hearth.Objects). It makes
// the key that the object would be encrypted with.
func (s *Store) Check(_ context.Context, o hearth.Object) error {
	at, err := hearth.ParseLocation(o.URI)
	if err != nil {
		return err
	}
	_, err = s.check(at.Bucket, at.Key, o.Encryption)
	return err
}

// check gives the key to encrypt an object with, nil when it is not to be
// encrypted.
func (s *Store) check(bucket, key string, e *hearth.Encryption) (*masterKey, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	if err := checkEncryption(e); err != nil || e == nil {
		return nil, err
	}
	return s.writingKey()
}

// Put writes an object under an s3:// URI (see hearth.Objects). It returns
// KindNotFound when there is no such bucket.
func (s *Store) Put(ctx context.Context, o hearth.Object, content io.Reader) error {
	at, err := hearth.ParseLocation(o.URI)
	if err != nil {
		return err
	}
	_, err = s.Write(ctx, at.Bucket, at.Key, Draft{ContentType: o.ContentType, Encryption: o.Encryption}, content)
	return err
}

// Open opens the object of an s3:// URI (see hearth.Objects).
func (s *Store) Open(_ context.Context, uri string) (io.ReadSeekCloser, error) {
	at, err := hearth.ParseLocation(uri)
	if err != nil {
		return nil, err
	}
	o, err := s.open(at.Bucket, at.Key)
	if err != nil {
		return nil, err // a nil *Object is not a nil io.ReadSeekCloser
	}
	return o, nil
}

// Read opens an object. It returns KindNotFound when there is no such bucket
// or key.
func (s *Store) Read(_ context.Context, bucket, key string) (*Object, error) {
	return s.open(bucket, key)
}

// Stat describes an object, with the errors of Read.
func (s *Store) Stat(_ context.Context, bucket, key string) (Info, error) {
	o, err := s.open(bucket, key)
	if err != nil {
		return Info{}, err
	}
	defer o.Close()
	return o.Info, nil
}

func (s *Store) open(bucket, key string) (*Object, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	o, err := s.openFile(path.Join(bucket, filePath(key)), key)
	if err != nil {
		return nil, readingError(err, bucket, key)
	}
	return o, nil
}

// readingError is the error for an object that could not be opened.
func readingError(err error, bucket, key string) error {
	switch {
	case isNotExist(err):
		return noKey(bucket, key)
	case errors.Is(err, errUnreadable):
		return err
	}
	return fileError(err, "reading an object")
}

// openFile opens the object in file, with its description.
func (s *Store) openFile(file, key string) (*Object, error) {
	lock := s.lock(file)
	lock.RLock()
	defer lock.RUnlock()
	return s.openLocked(file, key)
}

// openLocked is openFile for who has the file's lock.
func (s *Store) openLocked(file, key string) (*Object, error) {
	// Somebody else's pipe would keep whoever opens it, and the lock.
	f, err := s.root.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	stat, err := f.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	o, err := s.object(f, stat, file, key)
	if err != nil {
		f.Close()
		return nil, err
	}
	return o, nil
}

// object decrypts what has to be, and describes what nothing is known of.
func (s *Store) object(f *os.File, stat fs.FileInfo, file, key string) (*Object, error) {
	info, known := s.info(file, stat, key)
	if !known {
		info = Info{Key: key, Size: stat.Size(), ModifiedAt: stat.ModTime()}
		if isEncrypted(f) || s.wasEncrypted(file) {
			info.Encryption = hearth.SSES3
		}
	}
	o := &Object{Info: info, ReadSeeker: f, file: f}
	if o.Encryption != "" {
		content, err := s.decrypt(f, stat.Size(), uriOf(file, key))
		if err != nil {
			return nil, err
		}
		o.ReadSeeker, o.Size = content, content.section.Size()
	}
	if !known {
		if err := o.inspect(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// uriOf is the URI of the object in file.
func uriOf(file, key string) string {
	return hearth.Location{Bucket: bucketOf(file), Key: key}.String()
}

// bucketOf is the bucket of the object in file.
func bucketOf(file string) string {
	bucket, _, _ := strings.Cut(file, "/")
	return bucket
}

func noKey(bucket, key string) error {
	return faultf(noSuchKey, "There is no object %s.", hearth.Location{Bucket: bucket, Key: key})
}

func (s *Store) lock(file string) *sync.RWMutex {
	return &s.locks[maphash.String(s.seed, file)%uint64(len(s.locks))]
}

func (s *Store) temporary() string { return path.Join(Temporaries, rand.Text()) }
