package objects

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"mime"
	"os"
	"path"
	"slices"
	"time"
)

// defaultContentType is S3's for objects that came without one.
const defaultContentType = "binary/octet-stream"

// A description is what is known of one content of an object's file. Size and
// time of change say which content it is of. That of an encrypted one tells
// nobody more about the content than its length: its ETag is sealed.
type description struct {
	Size        int64  `json:"size"`     // of the file
	Modified    int64  `json:"modified"` // Unix nanoseconds
	ETag        string `json:"etag"`
	ContentType string `json:"content_type"`
	Encryption  string `json:"encryption,omitzero"`
	Length      int64  `json:"length,omitzero"` // of the content, when it is encrypted
}

// describe tells all but size and time of change of the file. master is nil for
// an object that is not encrypted.
func describe(info Info, master *masterKey, uri string) description {
	if master == nil {
		return description{ETag: info.ETag, ContentType: info.ContentType}
	}
	return description{
		ETag:        base64.StdEncoding.EncodeToString(master.seal([]byte(info.ETag), forETag, uri)),
		ContentType: info.ContentType,
		Encryption:  info.Encryption,
		Length:      info.Size,
	}
}

func (d description) describes(stat fs.FileInfo) bool {
	return d.Size == stat.Size() && d.Modified == stat.ModTime().UnixNano()
}

// info gives what is known of the content that stat is of.
func (s *Store) info(file string, stat fs.FileInfo, key string) (Info, bool) {
	d, ok := s.description(file, stat)
	if !ok {
		return Info{}, false
	}
	info := Info{
		Key:         key,
		Size:        d.Size,
		ModifiedAt:  time.Unix(0, d.Modified),
		ETag:        d.ETag,
		ContentType: d.ContentType,
		Encryption:  d.Encryption,
	}
	if d.Encryption == "" {
		return info, true
	}
	master := s.readingKey()
	sealed, err := base64.StdEncoding.DecodeString(d.ETag)
	if err != nil || master == nil {
		return Info{}, false
	}
	etag, err := master.open(sealed, forETag, uriOf(file, key))
	info.ETag, info.Size = string(etag), d.Length
	return info, err == nil
}

// description gives what is known of the content that stat is of. One that is
// lost or broken is made up for by inspect.
func (s *Store) description(file string, stat fs.FileInfo) (description, bool) {
	known := s.descriptions(file)
	i := slices.IndexFunc(known, func(d description) bool { return d.describes(stat) })
	if i < 0 {
		return description{}, false
	}
	return known[i], true
}

// descriptions are of the contents that a file may have, the latest last.
func (s *Store) descriptions(file string) []description {
	text, err := s.root.ReadFile(metaPath(file))
	if err != nil {
		return nil
	}
	var known []description
	if json.Unmarshal(text, &known) != nil {
		return nil
	}
	return known
}

// wasEncrypted tells whether the object's latest content was put encrypted. Then
// what is in its file is no object in plain text, though it may look so: the
// beginning of an encrypted one, for example.
func (s *Store) wasEncrypted(file string) bool {
	known := s.descriptions(file)
	return len(known) > 0 && known[len(known)-1].Encryption != ""
}

// stageDescriptions writes descriptions to a temporary file, still open.
func (s *Store) stageDescriptions(known []description) (*os.File, string, error) {
	text, err := json.Marshal(known)
	if err != nil {
		return nil, "", err
	}
	name := s.temporary()
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, "", err
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		s.root.Remove(name)
		return nil, "", err
	}
	return f, name, nil
}

// inspect describes an object that nothing is known of, and leaves it at its
// beginning.
func (o *Object) inspect() error {
	sum := md5.New()
	if _, err := io.Copy(sum, o); err != nil {
		return err
	}
	if _, err := o.Seek(0, io.SeekStart); err != nil {
		return err
	}
	o.ETag = hex.EncodeToString(sum.Sum(nil))
	o.ContentType = mime.TypeByExtension(path.Ext(o.Key))
	if o.ContentType == "" {
		o.ContentType = defaultContentType
	}
	return nil
}
