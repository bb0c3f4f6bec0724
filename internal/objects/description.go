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
// time of change say which content it is of.
type description struct {
	Size        int64  `json:"size"`
	Modified    int64  `json:"modified"` // Unix nanoseconds
	ETag        string `json:"etag"`
	ContentType string `json:"content_type"`
}

func describe(stat fs.FileInfo, info Info) description {
	return description{
		Size:        stat.Size(),
		Modified:    stat.ModTime().UnixNano(),
		ETag:        info.ETag,
		ContentType: info.ContentType,
	}
}

func (d description) describes(stat fs.FileInfo) bool {
	return d.Size == stat.Size() && d.Modified == stat.ModTime().UnixNano()
}

func (d description) info(key string) Info {
	return Info{
		Key:         key,
		Size:        d.Size,
		ModifiedAt:  time.Unix(0, d.Modified),
		ETag:        d.ETag,
		ContentType: d.ContentType,
	}
}

// description gives what is known of the content that stat is of. One that is
// lost or broken is made up for by inspect.
func (s *Store) description(file string, stat fs.FileInfo) (description, bool) {
	text, err := s.root.ReadFile(metaPath(file))
	if err != nil {
		return description{}, false
	}
	var known []description
	if json.Unmarshal(text, &known) != nil {
		return description{}, false
	}
	i := slices.IndexFunc(known, func(d description) bool { return d.describes(stat) })
	if i < 0 {
		return description{}, false
	}
	return known[i], true
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

// inspect describes a file that nothing is known of, and leaves it at its
// beginning.
func inspect(f *os.File, stat fs.FileInfo, key string) (Info, error) {
	sum := md5.New()
	if _, err := io.Copy(sum, f); err != nil {
		return Info{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Info{}, err
	}
	contentType := mime.TypeByExtension(path.Ext(key))
	if contentType == "" {
		contentType = defaultContentType
	}
	return Info{
		Key:         key,
		Size:        stat.Size(),
		ModifiedAt:  stat.ModTime(),
		ETag:        hex.EncodeToString(sum.Sum(nil)),
		ContentType: contentType,
	}, nil
}
