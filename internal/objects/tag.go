package objects

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"unicode/utf8"

	"hearth/internal/faultpoint"
)

// Limits of an object's tags (S3's user guide).
const (
	maxTags       = 10
	maxTagKey     = 128 // characters
	maxTagValue   = 256
	maxTagRequest = 64 << 10 // bytes
)

// Tag gives an object other tags and leaves all else of it. It returns
// KindNotFound when there is no such bucket or key.
func (s *Store) Tag(ctx context.Context, bucket, key string, tags map[string]string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	s.buckets.RLock()
	defer s.buckets.RUnlock()
	if _, err := s.bucket(bucket); err != nil {
		return err
	}
	file := path.Join(bucket, filePath(key))
	unlock, err := s.lockFor(ctx, file)
	if err != nil {
		return err
	}
	defer unlock()

	o, err := s.openLocked(file, key)
	if err != nil {
		return readingError(err, bucket, key)
	}
	defer o.Close()
	stat, err := o.file.Stat()
	if err != nil {
		return fileError(err, "tagging an object")
	}
	var master *masterKey
	if o.Encryption != "" {
		master = s.readingKey()
	}
	o.Tags = tags
	d := describe(o.Info, master, uriOf(file, key))
	d.Size, d.Modified = stat.Size(), stat.ModTime().UnixNano()
	meta, staged, err := s.stageDescriptions([]description{d})
	if err != nil {
		return fileError(err, "tagging an object")
	}
	defer s.root.Remove(staged) // nothing is there after the rename
	defer meta.Close()
	if err := meta.Sync(); err != nil {
		return fileError(err, "tagging an object")
	}
	faultpoint.At("object", "tagged")
	if err := s.root.Rename(staged, metaPath(file)); err != nil {
		return fileError(err, "tagging an object")
	}
	if err := s.sync(path.Dir(file)); err != nil {
		return fileError(err, "tagging an object")
	}
	return nil
}

func (h *handler) getObjectTagging(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	info, err := h.store.Stat(r.Context(), bucket, key)
	if err != nil {
		return err
	}
	var answer tagging
	for key, value := range info.Tags {
		answer.TagSet.Tags = append(answer.TagSet.Tags, tagElement{key, value})
	}
	slices.SortFunc(answer.TagSet.Tags, func(a, b tagElement) int { return cmp.Compare(a.Key, b.Key) })
	return writeXML(w, http.StatusOK, answer)
}

func (h *handler) putObjectTagging(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	var wanted tagging
	if err := readCheckedXML(r, maxTagRequest, &wanted); err != nil {
		return err
	}
	tags := make(map[string]string)
	for _, t := range wanted.TagSet.Tags {
		tags[t.Key] = t.Value
	}
	if len(tags) < len(wanted.TagSet.Tags) {
		return faultf(invalidTag, "Two tags have the same key.")
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	if err := h.store.Tag(r.Context(), bucket, key, tags); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) deleteObjectTagging(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	if err := h.store.Tag(r.Context(), bucket, key, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tagsOf is what a request says of the tags of an object that it writes.
func tagsOf(header http.Header) (map[string]string, error) {
	text := header.Get("X-Amz-Tagging")
	query, err := url.ParseQuery(text)
	if err != nil {
		return nil, faultf(invalidTag, "x-amz-tagging is %q; it has to be written as the query of a URL.", text)
	}
	var tags map[string]string
	for key, values := range query {
		if len(values) > 1 {
			return nil, faultf(invalidTag, "Two tags have the key %q.", key)
		}
		if tags == nil {
			tags = make(map[string]string)
		}
		tags[key] = values[0]
	}
	return tags, checkTags(tags)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return faultf(invalidTag, "An object has at most %d tags; these are %d.", maxTags, len(tags))
	}
	for key, value := range tags {
		if n := utf8.RuneCountInString(key); n == 0 || n > maxTagKey || utf8.RuneCountInString(value) > maxTagValue {
			return faultf(invalidTag, "The tag %q cannot be: a key has 1 to %d characters, a value up to %d.", key, maxTagKey, maxTagValue)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return faultf(invalidTag, "The tag %q is not valid UTF-8.", key)
		}
	}
	return nil
}

// describeTags sets the header that tells of tags.
func describeTags(header http.Header, tags map[string]string) {
	if len(tags) > 0 {
		header.Set("X-Amz-Tagging-Count", strconv.Itoa(len(tags)))
	}
}
