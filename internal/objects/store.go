package objects

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
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
	ETag        string // without quotes: the MD5 of the content in hexadecimal
	ContentType string
	Encryption  string // hearth.SSES3, or "" when it is not encrypted
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
	bucket, key, err := parseURI(o.URI)
	if err != nil {
		return err
	}
	_, err = s.check(bucket, key, o.Encryption)
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
	bucket, key, err := parseURI(o.URI)
	if err != nil {
		return err
	}
	_, err = s.Write(ctx, bucket, key, o.ContentType, o.Encryption, content)
	return err
}

// Open opens the object of an s3:// URI (see hearth.Objects).
func (s *Store) Open(_ context.Context, uri string) (io.ReadSeekCloser, error) {
	bucket, key, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	o, err := s.open(bucket, key)
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

// Write puts the whole content under a key, in place of what is there, or
// changes nothing. An error of content itself is returned as it is; others are
// KindNotFound (no such bucket), KindInvalid (an impossible key, or encryption
// that the store does not have) and KindUnavailable (the disk is full).
func (s *Store) Write(ctx context.Context, bucket, key, contentType string, e *hearth.Encryption, content io.Reader) (Info, error) {
	master, err := s.check(bucket, key, e)
	if err != nil {
		return Info{}, err
	}
	if contentType == "" {
		contentType = defaultContentType
	}
	staged := s.temporary()
	f, err := s.root.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Info{}, fileError(err, "writing an object")
	}
	defer s.root.Remove(staged) // nothing is there after the rename
	defer f.Close()

	file := path.Join(bucket, filePath(key))
	uri := uriOf(file, key)
	into, finish := io.Writer(f), func() error { return nil }
	if master != nil {
		encrypted, err := master.encrypt(f, uri)
		if err != nil {
			return Info{}, fileError(err, "encrypting an object")
		}
		into, finish = encrypted, encrypted.Close
	}
	sum, source := md5.New(), &source{ctx: ctx, content: content}
	size, err := io.Copy(io.MultiWriter(into, sum), source)
	if source.err != nil {
		return Info{}, source.err
	}
	if err == nil {
		err = finish()
	}
	if err != nil {
		return Info{}, fileError(err, "writing an object")
	}
	info := Info{Key: key, Size: size, ETag: hex.EncodeToString(sum.Sum(nil)), ContentType: contentType}
	if master != nil {
		info.Encryption = hearth.SSES3
	}
	if info.ModifiedAt, err = s.commit(f, staged, file, describe(info, master, uri)); err != nil {
		return Info{}, fileError(err, "writing an object")
	}
	return info, nil
}

// commit makes the staged content the object in file and tells its time.
func (s *Store) commit(f *os.File, staged, file string, d description) (time.Time, error) {
	changed, err := s.makeFolders(path.Dir(file))
	if err != nil {
		return time.Time{}, err
	}
	modified, err := s.replace(f, staged, file, d)
	if err != nil {
		return time.Time{}, err
	}
	return modified, s.sync(changed...)
}

// replace puts the description and then the content in place, both synced.
func (s *Store) replace(f *os.File, staged, file string, d description) (time.Time, error) {
	lock := s.lock(file)
	lock.Lock()
	defer lock.Unlock()

	modified := time.Now()
	var present []description
	switch old, err := s.root.Stat(file); {
	case err == nil:
		// Times tell contents apart: a later one is later for certain.
		modified = later(modified, old.ModTime())
		if known, ok := s.description(file, old); ok {
			present = append(present, known)
		}
	case !isNotExist(err):
		return time.Time{}, err
	}
	if err := s.root.Chtimes(staged, modified, modified); err != nil {
		return time.Time{}, err
	}
	stat, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	d.Size, d.Modified = stat.Size(), stat.ModTime().UnixNano()
	meta, stagedMeta, err := s.stageDescriptions(append(present, d))
	if err != nil {
		return time.Time{}, err
	}
	defer s.root.Remove(stagedMeta) // nothing is there after the rename
	defer meta.Close()

	if err := syncTogether(f, meta); err != nil {
		return time.Time{}, err
	}
	faultpoint.At("object", "written")
	if err := s.root.Rename(stagedMeta, metaPath(file)); err != nil {
		return time.Time{}, err
	}
	faultpoint.At("object", "described")
	return stat.ModTime(), s.root.Rename(staged, file)
}

func later(t, than time.Time) time.Time {
	if t.After(than) {
		return t
	}
	return than.Add(time.Microsecond)
}

func (s *Store) open(bucket, key string) (*Object, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	o, err := s.openFile(path.Join(bucket, filePath(key)), key)
	if isNotExist(err) {
		return nil, faultf(noSuchKey, "There is no object s3://%s/%s.", bucket, key)
	}
	if errors.Is(err, errUnreadable) {
		return nil, err
	}
	if err != nil {
		return nil, fileError(err, "reading an object")
	}
	return o, nil
}

// openFile opens the object in file, with its description.
func (s *Store) openFile(file, key string) (*Object, error) {
	lock := s.lock(file)
	lock.RLock()
	defer lock.RUnlock()

	f, err := s.root.Open(file)
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
	bucket, _, _ := strings.Cut(file, "/")
	return "s3://" + bucket + "/" + key
}

func (s *Store) lock(file string) *sync.RWMutex {
	return &s.locks[maphash.String(s.seed, file)%uint64(len(s.locks))]
}

func (s *Store) temporary() string { return path.Join(Temporaries, rand.Text()) }

// makeFolders makes a folder and those above it, and lists the folders that
// have to be synced once a file has been put into it.
func (s *Store) makeFolders(folder string) (changed []string, err error) {
	changed = []string{folder}
	switch err := s.root.Mkdir(folder, 0o700); {
	case err == nil:
		return append(changed, path.Dir(folder)), nil
	case errors.Is(err, fs.ErrExist):
		return changed, nil
	case !isNotExist(err):
		return nil, err
	}
	above, err := s.makeFolders(path.Dir(folder))
	if err != nil {
		return nil, err
	}
	if err := s.root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return append(changed, above...), nil
}

// sync makes what is in folders outlast a loss of power.
func (s *Store) sync(folders ...string) error {
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	for _, folder := range folders {
		f, err := s.root.Open(folder)
		if err != nil {
			return err
		}
		open = append(open, f)
	}
	return syncTogether(open...)
}

// syncTogether syncs files at once, so that one commit of the file system's
// journal serves all of them.
func syncTogether(files ...*os.File) error {
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Go(func() { errs[i] = f.Sync() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// source reads content until its context is done, and keeps its own error
// apart from those of writing.
type source struct {
	ctx     context.Context
	content io.Reader
	err     error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.content.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
