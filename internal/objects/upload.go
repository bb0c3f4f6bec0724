package objects

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// A multipart upload is a folder of its bucket, in which its parts are kept as
// objects are.
const (
	uploadsName = ".%uploads"
	uploadFile  = "upload" // in an upload's folder: what was asked for
)

// Limits of multipart uploads (S3's user guide).
const (
	MaxPart     = 10_000  // the highest number of a part
	minPartSize = 5 << 20 // of all parts but the last
)

// Upload is a multipart upload that is not complete.
type Upload struct {
	ID        string
	Key       string
	StartedAt time.Time
	Checksum  string // the algorithm of the checksums of the parts; "" is none
	// WholeChecksum is set when the object's checksum is to be of all its bytes
	// and not of the parts' checksums.
	WholeChecksum bool
	Encryption    string // of the object and of the parts; see Info

	draft Draft
}

// uploadDocument is the form of uploadFile.
type uploadDocument struct {
	Key           string             `json:"key"`
	StartedAt     time.Time          `json:"started_at"`
	ContentType   string             `json:"content_type,omitzero"`
	Headers       map[string]string  `json:"headers,omitzero"`
	Tags          map[string]string  `json:"tags,omitzero"`
	Encryption    *hearth.Encryption `json:"encryption,omitzero"`
	Checksum      string             `json:"checksum,omitzero"`
	WholeChecksum bool               `json:"whole_checksum,omitzero"`
}

func uploadsFolder(bucket string) string { return path.Join(bucket, uploadsName) }

func uploadFolder(bucket, id string) string { return path.Join(uploadsFolder(bucket), id) }

// partPlace is the file of a part, and the key that it has inside the bucket.
func partPlace(bucket, id string, number int) (file, key string) {
	key = path.Join(uploadsName, id, fmt.Sprintf("%05d", number))
	return path.Join(bucket, key), key
}

// uploadID is the form of rand.Text.
var uploadID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

func noUpload(id string) error {
	return faultf(noSuchUpload, "There is no multipart upload %s of this key. It may have been completed or aborted.", id)
}

// CreateUpload begins a multipart upload of an object as d says; d.Checksum is
// the algorithm of the checksums of parts. It returns the errors of Write.
func (s *Store) CreateUpload(_ context.Context, bucket, key string, d Draft, wholeChecksum bool) (Upload, error) {
	if _, err := s.check(bucket, key, d.Encryption); err != nil {
		return Upload{}, err
	}
	doc := uploadDocument{
		Key: key, StartedAt: time.Now().UTC(), ContentType: d.ContentType, Headers: d.Headers, Tags: d.Tags,
		Encryption: d.Encryption, Checksum: d.Checksum, WholeChecksum: wholeChecksum,
	}
	id := rand.Text()
	if err := s.makeUpload(bucket, id, doc); err != nil {
		return Upload{}, err
	}
	return doc.upload(id), nil
}

func (s *Store) makeUpload(bucket, id string, doc uploadDocument) error {
	text, err := json.Marshal(doc)
	if err != nil {
		return hearth.Internal(err, "encoding an upload")
	}
	s.buckets.RLock()
	defer s.buckets.RUnlock()
	if _, err := s.bucket(bucket); err != nil {
		return err
	}
	changed, err := s.makeFolders(uploadsFolder(bucket))
	if err != nil {
		return fileError(err, "beginning an upload")
	}
	staged := s.temporary()
	defer s.root.RemoveAll(staged)
	if err := s.root.Mkdir(staged, 0o700); err != nil {
		return fileError(err, "beginning an upload")
	}
	f, err := s.root.OpenFile(path.Join(staged, uploadFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fileError(err, "beginning an upload")
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fileError(err, "beginning an upload")
	}
	folder := uploadFolder(bucket, id)
	if err := s.root.Rename(staged, folder); err != nil {
		return fileError(err, "beginning an upload")
	}
	if err := s.sync(append(changed, folder)...); err != nil {
		return fileError(err, "beginning an upload")
	}
	return nil
}

func (d uploadDocument) upload(id string) Upload {
	u := Upload{
		ID: id, Key: d.Key, StartedAt: d.StartedAt, Checksum: d.Checksum, WholeChecksum: d.WholeChecksum,
		draft: Draft{ContentType: d.ContentType, Headers: d.Headers, Tags: d.Tags, Encryption: d.Encryption},
	}
	if d.Encryption != nil {
		u.Encryption = d.Encryption.Option
	}
	return u
}

// Upload returns KindNotFound when there is no such bucket, or no upload of the
// key with this id that is not complete.
func (s *Store) Upload(_ context.Context, bucket, key, id string) (Upload, error) {
	if _, err := s.bucket(bucket); err != nil {
		return Upload{}, err
	}
	u, err := s.upload(bucket, id)
	if err == nil && u.Key != key {
		err = fs.ErrNotExist
	}
	if isNotExist(err) {
		return Upload{}, noUpload(id)
	}
	if err != nil {
		return Upload{}, fileError(err, "reading an upload")
	}
	return u, nil
}

func (s *Store) upload(bucket, id string) (Upload, error) {
	if !uploadID.MatchString(id) {
		return Upload{}, fs.ErrNotExist
	}
	text, err := s.root.ReadFile(path.Join(uploadFolder(bucket, id), uploadFile))
	if err != nil {
		return Upload{}, err
	}
	var doc uploadDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return Upload{}, err
	}
	return doc.upload(id), nil
}

// WritePart writes a part of an upload, in place of one with that number. Of d it
// heeds the checksum and Check. It returns the errors of Upload and Write.
func (s *Store) WritePart(ctx context.Context, bucket, key, id string, number int, d Draft, content io.Reader) (Info, error) {
	u, err := s.Upload(ctx, bucket, key, id)
	if err != nil {
		return Info{}, err
	}
	if number < 1 || number > MaxPart {
		return Info{}, faultf(invalidArgument, "The number of a part is %d; it has to be from 1 to %d.", number, MaxPart)
	}
	master, err := s.check(bucket, key, u.draft.Encryption)
	if err != nil {
		return Info{}, err
	}
	switch {
	case d.Checksum == "":
		d.Checksum = u.Checksum
	case u.Checksum != "" && d.Checksum != u.Checksum:
		return Info{}, faultf(invalidRequest, "The upload was begun with checksums by %s, and the part has one by %s.", u.Checksum, d.Checksum)
	}
	file, place := partPlace(bucket, id, number)
	w, err := s.begin(file, place, master)
	if err != nil {
		return Info{}, err
	}
	defer w.abandon()
	w.within = true
	info, err := w.write(ctx, Draft{Checksum: d.Checksum, Check: d.Check}, content)
	if isNotExist(err) {
		return Info{}, noUpload(id)
	}
	return info, err
}

// Part is a part of an upload.
type Part struct {
	Number int
	Info
}

// Parts lists the parts of an upload whose number is higher than after, limit at
// most, and tells whether there are more.
func (s *Store) Parts(_ context.Context, bucket, id string, after, limit int) (parts []Part, more bool, err error) {
	entries, err := fs.ReadDir(s.root.FS(), uploadFolder(bucket, id)) // in the order of names
	if isNotExist(err) {
		return nil, false, noUpload(id)
	}
	if err != nil {
		return nil, false, fileError(err, "listing parts")
	}
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil || number <= after {
			continue
		}
		if len(parts) == limit {
			return parts, true, nil
		}
		file, place := partPlace(bucket, id, number)
		info, err := s.stat(file, place)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return nil, false, fileError(err, "listing parts")
		}
		parts = append(parts, Part{number, info})
	}
	return parts, false, nil
}

// AbortUpload deletes an upload with its parts. It returns the errors of Upload.
func (s *Store) AbortUpload(ctx context.Context, bucket, key, id string) error {
	if _, err := s.Upload(ctx, bucket, key, id); err != nil {
		return err
	}
	return s.removeUpload(bucket, id)
}

func (s *Store) removeUpload(bucket, id string) error {
	gone := s.temporary()
	err := s.root.Rename(uploadFolder(bucket, id), gone)
	if isNotExist(err) {
		return noUpload(id)
	}
	if err != nil {
		return fileError(err, "removing an upload")
	}
	s.root.RemoveAll(gone) // what is left is removed when the store is opened
	if err := s.sync(uploadsFolder(bucket)); err != nil {
		return fileError(err, "removing an upload")
	}
	return nil
}

// PartChoice names a part of which an object is to be made.
type PartChoice struct {
	Number   int
	ETag     string
	Checksum *Checksum // that it has to have; nil is any
}

// CompleteUpload makes an object of parts of an upload, and ends the upload. It
// takes the condition and Check of d. When an upload was completed before and
// nothing was written since, it gives the object again, whatever the condition:
// whoever asks has not heard of it. It returns the errors of Upload and Write, and
// KindInvalid when a part is missing, is another one, is out of order or too small.
func (s *Store) CompleteUpload(ctx context.Context, bucket, key, id string, choices []PartChoice, d Draft) (Info, error) {
	info, err := s.complete(ctx, bucket, key, id, choices, d)
	if _, refused := asFault(err); !refused {
		return info, err
	}
	// Whoever asks at the same time may have completed it, and taken the parts
	// away while they were read here. Who was killed may have completed it and
	// left the parts: then the object itself is what the condition refuses.
	o, readErr := s.open(bucket, key)
	if readErr != nil {
		return Info{}, err
	}
	defer o.Close()
	if o.upload != id {
		return Info{}, err
	}
	// Neither of them may have come to sync it.
	var folders []string
	for folder := path.Dir(path.Join(bucket, filePath(key))); folder != "."; folder = path.Dir(folder) {
		folders = append(folders, folder)
	}
	if err := s.sync(folders...); err != nil {
		return Info{}, fileError(err, "completing an upload")
	}
	return o.Info, s.endUpload(bucket, id)
}

// endUpload removes an upload that is complete, unless somebody else has.
func (s *Store) endUpload(bucket, id string) error {
	if err := s.removeUpload(bucket, id); err != nil && hearth.KindOf(err) != hearth.KindNotFound {
		return err
	}
	return nil
}

func (s *Store) complete(ctx context.Context, bucket, key, id string, choices []PartChoice, d Draft) (Info, error) {
	u, err := s.Upload(ctx, bucket, key, id)
	if err != nil {
		return Info{}, err
	}
	parts, err := s.choose(bucket, u, choices)
	if err != nil {
		return Info{}, err
	}
	info, err := s.assemble(ctx, bucket, u, parts, d)
	if err != nil {
		return Info{}, err
	}
	faultpoint.At("upload", "complete")
	return info, s.endUpload(bucket, id)
}

// choose finds the parts of a completion, in their order.
func (s *Store) choose(bucket string, u Upload, choices []PartChoice) ([]Part, error) {
	for i := 1; i < len(choices); i++ {
		if c, before := choices[i].Number, choices[i-1].Number; c <= before {
			return nil, faultf(invalidPartOrder, "Part %d is listed after part %d; parts have to be in the order of their numbers.", c, before)
		}
	}
	var parts []Part
	for i, c := range choices {
		file, place := partPlace(bucket, u.ID, c.Number)
		info, err := s.stat(file, place)
		if err != nil && !isNotExist(err) {
			return nil, fileError(err, "completing an upload")
		}
		if err != nil || info.ETag != c.ETag || c.Checksum != nil && (info.Checksum == nil || *info.Checksum != *c.Checksum) {
			return nil, invalidPartOf(c.Number)
		}
		if i < len(choices)-1 && info.Size < minPartSize {
			return nil, faultf(entityTooSmall, "Part %d has %d bytes. All parts but the last need %d.", c.Number, info.Size, minPartSize)
		}
		parts = append(parts, Part{c.Number, info})
	}
	return parts, nil
}

func invalidPartOf(number int) error {
	return faultf(invalidPart, "Part %d was not uploaded, or its ETag or checksum is another one.", number)
}

// assemble writes the parts as one object.
func (s *Store) assemble(ctx context.Context, bucket string, u Upload, parts []Part, d Draft) (Info, error) {
	master, err := s.check(bucket, u.Key, u.draft.Encryption)
	if err != nil {
		return Info{}, err
	}
	w, err := s.begin(path.Join(bucket, filePath(u.Key)), u.Key, master)
	if err != nil {
		return Info{}, err
	}
	defer w.abandon()

	sum := md5.New()
	info := Info{upload: u.ID}
	into := w.content
	var whole hash.Hash
	if u.Checksum != "" && u.WholeChecksum {
		whole = checksums[u.Checksum]()
		into = io.MultiWriter(into, whole)
	}
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return Info{}, err
		}
		if err := s.append(into, bucket, u.ID, p); err != nil {
			return Info{}, err
		}
		md5OfPart, err := hex.DecodeString(p.ETag)
		if err != nil {
			return Info{}, hearth.Internal(err, "reading a part's ETag")
		}
		sum.Write(md5OfPart)
		info.Size += p.Size
		info.Parts = append(info.Parts, p.Size)
	}
	info.ETag = fmt.Sprintf("%x-%d", sum.Sum(nil), len(parts))
	switch {
	case whole != nil:
		info.Checksum = sumOf(u.Checksum, whole)
	case u.Checksum != "":
		info.Checksum = compose(u.Checksum, parts)
	}
	draft := u.draft
	draft.Condition, draft.Check = d.Condition, d.Check
	return w.commit(ctx, info, draft)
}

func (s *Store) append(into io.Writer, bucket, id string, p Part) error {
	o, err := s.openFile(partPlace(bucket, id, p.Number))
	if isNotExist(err) || err == nil && o.ETag != p.ETag {
		return invalidPartOf(p.Number)
	}
	if err != nil {
		return err
	}
	defer o.Close()
	_, err = io.Copy(into, o.ReadSeeker)
	if errors.Is(err, errUnreadable) {
		return err
	}
	if err != nil {
		return fileError(err, "completing an upload")
	}
	return nil
}

// UploadQuery says which uploads of a bucket to list.
type UploadQuery struct {
	Prefix  string // only keys that begin with it
	After   string // only what comes after this key
	AfterID string // and, with that key, after this id; "" leaves the key out
	Limit   int
}

func (q UploadQuery) wants(u Upload) bool {
	return strings.HasPrefix(u.Key, q.Prefix) &&
		(u.Key > q.After || u.Key == q.After && q.AfterID != "" && u.ID > q.AfterID)
}

// Uploads lists uploads that are not complete by key and id, and tells whether
// there are more.
func (s *Store) Uploads(_ context.Context, bucket string, q UploadQuery) (uploads []Upload, more bool, err error) {
	if _, err := s.bucket(bucket); err != nil {
		return nil, false, err
	}
	entries, err := fs.ReadDir(s.root.FS(), uploadsFolder(bucket))
	if err != nil && !isNotExist(err) {
		return nil, false, fileError(err, "listing uploads")
	}
	for _, e := range entries {
		u, err := s.upload(bucket, e.Name())
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return nil, false, fileError(err, "listing uploads")
		}
		if q.wants(u) {
			uploads = append(uploads, u)
		}
	}
	slices.SortFunc(uploads, func(a, b Upload) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
	if len(uploads) > q.Limit {
		return uploads[:q.Limit], true, nil
	}
	return uploads, false, nil
}

// AbandonUploads deletes the uploads of all buckets that are not complete and of
// which no part has come since a time, nor their beginning, and tells how many.
// Nobody is going to complete them: whoever began them was killed, or forgot.
func (s *Store) AbandonUploads(ctx context.Context, before time.Time) (int, error) {
	buckets, err := s.Buckets(ctx)
	if err != nil {
		return 0, err
	}
	abandoned := 0
	for _, b := range buckets {
		uploads, _, err := s.Uploads(ctx, b.Name, UploadQuery{Limit: math.MaxInt})
		if err != nil && hearth.KindOf(err) != hearth.KindNotFound { // the bucket was deleted meanwhile
			return abandoned, err
		}
		for _, u := range uploads {
			changed, err := s.uploadChangedAt(b.Name, u.ID)
			if err == nil && !changed.Before(before) {
				continue
			}
			if err == nil {
				err = s.removeUpload(b.Name, u.ID)
			}
			switch {
			case err == nil:
				abandoned++
			case hearth.KindOf(err) != hearth.KindNotFound:
				return abandoned, err
			}
		}
	}
	return abandoned, nil
}

// uploadChangedAt is when an upload was begun, or its latest part came: each is
// renamed into the upload's folder.
func (s *Store) uploadChangedAt(bucket, id string) (time.Time, error) {
	stat, err := s.root.Stat(uploadFolder(bucket, id))
	if isNotExist(err) {
		return time.Time{}, noUpload(id)
	}
	if err != nil {
		return time.Time{}, fileError(err, "looking at an upload")
	}
	return stat.ModTime(), nil
}
