package objects

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// Draft is what is said of an object that is to be written.
type Draft struct {
	ContentType string            // "" is binary/octet-stream
	Headers     map[string]string // see Info
	Tags        map[string]string
	Encryption  *hearth.Encryption
	Checksum    string // the algorithm of a checksum to make; "" is none
	Condition   Condition

	// Check looks at what was written, before it becomes the object; nil takes
	// everything.
	Check func(Info) error
}

// Condition is what has to hold of a key's object for it to be changed.
type Condition struct {
	Match  string // the object's ETag is this, or any where this is *; "" is no condition
	Absent bool   // there is no object
}

// errCondition is the error for an object that is not as a request asks for.
var errCondition = faultf(preconditionFails, "The object is not in the state that the request's conditions ask for.")

// attempts is how often a write may find a folder removed that it has just seen
// or made. Each time somebody else has deleted the last object in it.
const attempts = 100

// Write puts the whole content under a key, in place of what is there, or
// changes nothing. An error of content itself, and of d.Check, is returned as it
// is; others are KindNotFound (no such bucket), KindInvalid (an impossible key,
// or encryption that the store does not have), KindConflict (d.Condition does not
// hold) and KindUnavailable (the disk is full).
func (s *Store) Write(ctx context.Context, bucket, key string, d Draft, content io.Reader) (Info, error) {
	master, err := s.check(bucket, key, d.Encryption)
	if err != nil {
		return Info{}, err
	}
	w, err := s.begin(path.Join(bucket, filePath(key)), key, master)
	if err != nil {
		return Info{}, err
	}
	defer w.abandon()
	return w.write(ctx, d, content)
}

// Copy writes an object that is open under another key, or the same. It returns
// the errors of Write.
func (s *Store) Copy(ctx context.Context, from *Object, bucket, key string, d Draft) (Info, error) {
	master, err := s.check(bucket, key, d.Encryption)
	if err != nil {
		return Info{}, err
	}
	w, err := s.begin(path.Join(bucket, filePath(key)), key, master)
	if err != nil {
		return Info{}, err
	}
	defer w.abandon()
	if from.Encryption != "" || master != nil || len(from.Parts) > 0 || d.Checksum != "" && (from.Checksum == nil || from.Checksum.Algorithm != d.Checksum) {
		return w.write(ctx, d, from)
	}
	// The same bytes have the same sums, and the kernel copies files by itself.
	for {
		if err := ctx.Err(); err != nil {
			return Info{}, err
		}
		switch _, err := io.CopyN(w.f, from.file, copiedAtOnce); {
		case err == io.EOF:
			return w.commit(ctx, Info{Size: from.Size, ETag: from.ETag, Checksum: from.Checksum}, d)
		case err != nil:
			return Info{}, fileError(err, "copying an object")
		}
	}
}

// copiedAtOnce is how many bytes are copied between two looks at whether anybody
// still wants them.
const copiedAtOnce = 64 << 20

// A writing is an object on its way into its file.
type writing struct {
	store  *Store
	file   string
	key    string
	master *masterKey // nil when the object is not encrypted

	// within is set where the file's folder has to be there already.
	within bool

	placing   string    // is set where the object is placed, and not synced
	kept      []byte    // of a placed object
	restoring time.Time // when an object that is restored was placed

	staged  string
	f       *os.File
	content io.Writer // encrypts
	finish  func() error
}

func (s *Store) begin(file, key string, master *masterKey) (*writing, error) {
	w := &writing{store: s, file: file, key: key, master: master, staged: s.temporary()}
	var err error
	if w.f, err = s.root.OpenFile(w.staged, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fileError(err, "writing an object")
	}
	w.content, w.finish = w.f, func() error { return nil }
	if master != nil {
		encrypted, err := master.encrypt(w.f, w.uri())
		if err != nil {
			w.abandon()
			return nil, fileError(err, "encrypting an object")
		}
		w.content, w.finish = encrypted, encrypted.Close
	}
	return w, nil
}

func (w *writing) uri() string { return uriOf(w.file, w.key) }

// abandon ends a writing. What was committed stays.
func (w *writing) abandon() {
	w.f.Close()
	if w.staged != "" {
		w.store.root.Remove(w.staged)
	}
}

// write takes the content in and commits it.
func (w *writing) write(ctx context.Context, d Draft, content io.Reader) (Info, error) {
	sum, source := md5.New(), &source{ctx: ctx, content: content}
	sinks := []io.Writer{w.content, sum}
	var checksum hash.Hash
	if d.Checksum != "" {
		checksum = checksums[d.Checksum]()
		sinks = append(sinks, checksum)
	}
	size, err := io.Copy(io.MultiWriter(sinks...), source)
	if source.err != nil {
		return Info{}, source.err
	}
	if err != nil {
		return Info{}, fileError(err, "writing an object")
	}
	info := Info{Size: size, ETag: hex.EncodeToString(sum.Sum(nil))}
	if checksum != nil {
		info.Checksum = sumOf(d.Checksum, checksum)
	}
	return w.commit(ctx, info, d)
}

// commit makes what was written the object, which info has the sums of.
func (w *writing) commit(ctx context.Context, info Info, d Draft) (Info, error) {
	if err := w.finish(); err != nil {
		return Info{}, fileError(err, "writing an object")
	}
	info.Key, info.ContentType, info.Headers, info.Tags = w.key, d.ContentType, d.Headers, d.Tags
	if info.ContentType == "" {
		info.ContentType = defaultContentType
	}
	if w.master != nil {
		info.Encryption = hearth.SSES3
	}
	if d.Check != nil {
		if err := d.Check(info); err != nil {
			return Info{}, err
		}
	}
	var err error
	info.ModifiedAt, err = w.put(func() (time.Time, error) {
		return w.replace(ctx, describe(info, w.master, w.uri()), d.Condition)
	})
	return info, err
}

// put makes the folders of the file, has it put in place there, and syncs them.
func (w *writing) put(place func() (time.Time, error)) (modified time.Time, err error) {
	s := w.store
	s.buckets.RLock()
	defer s.buckets.RUnlock()
	if _, err := s.bucket(bucketOf(w.file)); err != nil {
		return modified, err
	}
	var changed []string
	for range attempts {
		if changed, err = w.folders(); err == nil {
			modified, err = place()
		}
		if w.within || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case err != nil:
	case w.placing != "":
		s.placed.changed(w.file, w.placing, changed)
	default:
		err = s.sync(append(changed, s.placed.above(w.file)...)...)
	}
	if _, refused := asFault(err); err != nil && !refused && !errors.Is(err, errUnreadable) {
		err = fileError(err, "writing an object")
	}
	return modified, err
}

// folders makes the folders of the file, and lists those that have to be synced
// once it is there.
func (w *writing) folders() ([]string, error) {
	if w.within {
		return []string{path.Dir(w.file)}, nil
	}
	return w.store.makeFolders(path.Dir(w.file))
}

// replace puts the description and then the content in place, both synced unless
// the object is placed.
func (w *writing) replace(ctx context.Context, d description, c Condition) (time.Time, error) {
	s := w.store
	unlock, err := w.lock(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer unlock()

	if d.Upload != "" {
		// Whoever completed it at the same time may have been answered, and the
		// key have got a newer object since.
		_, err := s.upload(bucketOf(w.file), d.Upload)
		if isNotExist(err) {
			err = noUpload(d.Upload)
		}
		if err != nil {
			return time.Time{}, err
		}
	}
	if err := s.meets(c, w.file, w.key); err != nil {
		return time.Time{}, err
	}
	modified := time.Now()
	var present []description
	switch old, err := s.root.Stat(w.file); {
	case !w.restoring.IsZero():
	case err == nil:
		// Times tell contents apart: a later one is later for certain.
		modified = later(modified, old.ModTime())
		if known, ok := s.description(w.file, old); ok {
			present = append(present, known)
		}
	case !isNotExist(err):
		return time.Time{}, err
	}
	if !w.restoring.IsZero() {
		modified = w.restoring
	}
	if err := s.root.Chtimes(w.staged, modified, modified); err != nil {
		return time.Time{}, err
	}
	stat, err := w.f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	d.Size, d.Modified = stat.Size(), stat.ModTime().UnixNano()
	meta, stagedMeta, err := s.stageDescriptions(append(present, d))
	if err != nil {
		return time.Time{}, err
	}
	defer meta.Close()

	if w.placing != "" {
		err = w.keep(d)
		s.placed.begin(w.file, w.placing)
	} else {
		err = syncTogether(w.f, meta)
	}
	if err == nil {
		faultpoint.At("object", "written")
		err = s.root.Rename(stagedMeta, metaPath(w.file))
	}
	if err != nil {
		s.root.Remove(stagedMeta)
		return time.Time{}, err
	}
	faultpoint.At("object", "described")
	if err := s.root.Rename(w.staged, w.file); err != nil {
		return time.Time{}, err
	}
	w.staged = ""
	return stat.ModTime(), nil
}

// lock locks the file. Who places or restores an object does not wait for it.
func (w *writing) lock(ctx context.Context) (unlock func(), err error) {
	if w.placing == "" && w.restoring.IsZero() {
		return w.store.lockFor(ctx, w.file)
	}
	lock := w.store.lock(w.file)
	lock.Lock()
	return lock.Unlock, nil
}

func later(t, than time.Time) time.Time {
	if t.After(than) {
		return t
	}
	return than.Add(time.Microsecond)
}

// meets checks a condition, for who has the file's lock.
func (s *Store) meets(c Condition, file, key string) error {
	if c == (Condition{}) {
		return nil
	}
	o, err := s.openLocked(file, key)
	switch {
	case isNotExist(err) && c.Match != "":
		return noKey(bucketOf(file), key)
	case isNotExist(err):
		return nil
	case err != nil:
		return err
	}
	defer o.Close()
	if c.Absent || !matches(c.Match, o.ETag) {
		return errCondition
	}
	return nil
}

// matches tells whether an object's ETag is the wanted one, which * always is.
func matches(wanted, etag string) bool { return wanted == "*" || wanted == etag }

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
