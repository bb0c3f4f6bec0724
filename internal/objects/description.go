package objects

import (
	"crypto/md5"
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
// nobody more about the content than its length: its ETag and checksum are sealed.
type description struct {
	Size        int64  `json:"size"`     // of the file
	Modified    int64  `json:"modified"` // Unix nanoseconds
	ETag        string `json:"etag"`
	ContentType string `json:"content_type"`
	Encryption  string `json:"encryption,omitzero"`
	Length      int64  `json:"length,omitzero"` // of the content, when it is encrypted

	Headers  map[string]string `json:"headers,omitzero"`
	Tags     map[string]string `json:"tags,omitzero"`
	Checksum *Checksum         `json:"checksum,omitzero"` // its value sealed like the ETag
	Parts    []int64           `json:"parts,omitzero"`    // lengths of
	Upload   string            `json:"upload,omitzero"`   // that made it
}

// describe tells all but size and time of change of the file. master is nil for
// an object that is not encrypted.
func describe(info Info, master *masterKey, uri string) description {
	d := description{
		ETag:        info.ETag,
		ContentType: info.ContentType,
		Headers:     info.Headers,
		Tags:        info.Tags,
		Checksum:    info.Checksum,
		Parts:       info.Parts,
		Upload:      info.upload,
	}
	if master == nil {
		return d
	}
	d.Encryption, d.Length = info.Encryption, info.Size
	d.ETag = master.sealText(info.ETag, forETag, uri)
	if c := info.Checksum; c != nil {
		d.Checksum = &Checksum{c.Algorithm, master.sealText(c.Value, forChecksum, uri)}
	}
	return d
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
		Headers:     d.Headers,
		Tags:        d.Tags,
		Checksum:    d.Checksum,
		Parts:       d.Parts,
		upload:      d.Upload,
	}
	if d.Encryption == "" {
		return info, true
	}
	master, uri := s.readingKey(), uriOf(file, key)
	if master == nil {
		return Info{}, false
	}
	var err error
	if info.ETag, err = master.openText(d.ETag, forETag, uri); err != nil {
		return Info{}, false
	}
	if c := d.Checksum; c != nil {
		value, err := master.openText(c.Value, forChecksum, uri)
		if err != nil {
			return Info{}, false
		}
		info.Checksum = &Checksum{c.Algorithm, value}
	}
	info.Size = d.Length
	return info, true
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
