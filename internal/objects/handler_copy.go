package objects

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// source opens the object that a request copies from, when its conditions hold.
func (h *handler) source(r *http.Request) (bucket string, o *Object, err error) {
	text, version, _ := strings.Cut(r.Header.Get("X-Amz-Copy-Source"), "?versionId=")
	if err := checkVersion(version); err != nil {
		return "", nil, err
	}
	path, err := url.PathUnescape(strings.TrimPrefix(text, "/"))
	bucket, key, found := strings.Cut(path, "/")
	if err != nil || !found {
		return "", nil, faultf(invalidArgument, "x-amz-copy-source is %q; it has to be bucket/key, URL-encoded.", text)
	}
	if err := h.admit(r, bucket); err != nil {
		return "", nil, err
	}
	if err := h.checkOwner(r, "X-Amz-Source-Expected-Bucket-Owner", bucket); err != nil {
		return "", nil, err
	}
	if o, err = h.store.Read(r.Context(), bucket, key); err != nil {
		return "", nil, err
	}
	if err := checkSource(r.Header, o.Info); err != nil {
		o.Close()
		return "", nil, err
	}
	return bucket, o, nil
}

// checkSource checks the conditions that a copy has for its source. A condition
// on the ETag decides before one on the time does.
func checkSource(header http.Header, source Info) error {
	const prefix = "X-Amz-Copy-Source-If-"
	modified := source.ModifiedAt.Truncate(time.Second)
	match, noneMatch := header.Get(prefix+"Match"), header.Get(prefix+"None-Match")
	unmodified, unmodifiedErr := http.ParseTime(header.Get(prefix + "Unmodified-Since"))
	since, sinceErr := http.ParseTime(header.Get(prefix + "Modified-Since"))
	switch {
	case match != "" && !matches(unquoted(match), source.ETag),
		match == "" && unmodifiedErr == nil && modified.After(unmodified),
		noneMatch != "" && matches(unquoted(noneMatch), source.ETag),
		noneMatch == "" && sinceErr == nil && !modified.After(since):
		return errCondition
	}
	return nil
}

func (h *handler) copyObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	d, err := draftOf(r)
	if err != nil {
		return err
	}
	if d.Condition, err = conditionOf(r); err != nil {
		return err
	}
	if d.Checksum, err = algorithmOf(r.Header.Get("X-Amz-Checksum-Algorithm")); err != nil {
		return err
	}
	from, o, err := h.source(r)
	if err != nil {
		return err
	}
	defer o.Close()
	switch directive := r.Header.Get("X-Amz-Metadata-Directive"); directive {
	case "REPLACE":
	case "", "COPY":
		if from == bucket && o.Key == key && d.Encryption == nil {
			return faultf(invalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
		}
		d.ContentType, d.Headers = o.ContentType, o.Headers
	default:
		return faultf(invalidArgument, "x-amz-metadata-directive is %q; it has to be COPY or REPLACE.", directive)
	}
	switch directive := r.Header.Get("X-Amz-Tagging-Directive"); directive {
	case "REPLACE":
	case "", "COPY":
		d.Tags = o.Tags
	default:
		return faultf(invalidArgument, "x-amz-tagging-directive is %q; it has to be COPY or REPLACE.", directive)
	}
	if d.Checksum == "" && o.Checksum != nil {
		d.Checksum = o.Checksum.Algorithm
	}
	if d.Encryption != nil {
		describeEncryption(w.Header(), d.Encryption.Option)
	}
	return h.patiently(w, r, func() (any, error) {
		info, err := h.store.Copy(r.Context(), o, bucket, key, d)
		return copyResultOf("CopyObjectResult", info), err
	})
}

func copyResultOf(name string, info Info) copyResult {
	return copyResult{
		XMLName:          xml.Name{Space: namespace, Local: name},
		LastModified:     timestamp(info.ModifiedAt),
		ETag:             quoted(info.ETag),
		checksumElements: checksumElementsOf(info.Checksum),
	}
}

func (h *handler) uploadPartCopy(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	number, err := partNumberOf(r)
	if err != nil {
		return err
	}
	_, o, err := h.source(r)
	if err != nil {
		return err
	}
	defer o.Close()
	content := io.Reader(o)
	if text := r.Header.Get("X-Amz-Copy-Source-Range"); text != "" {
		first, length, err := sourceRange(text, o.Size)
		if err != nil {
			return err
		}
		if _, err := o.Seek(first, io.SeekStart); err != nil {
			return fileError(err, "reading an object")
		}
		content = io.LimitReader(o, length)
	}
	id := r.URL.Query().Get("uploadId")
	return h.patiently(w, r, func() (any, error) {
		info, err := h.store.WritePart(r.Context(), bucket, key, id, number, Draft{}, content)
		return copyResultOf("CopyPartResult", info), err
	})
}

// wholeRange is the only form of a copy's range.
var wholeRange = regexp.MustCompile(`^bytes=(\d+)-(\d+)$`)

// sourceRange gives the first byte of a copy's range, and how many there are.
func sourceRange(text string, size int64) (first, length int64, err error) {
	m := wholeRange.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, faultf(invalidArgument, "x-amz-copy-source-range is %q; it has to be bytes=first-last.", text)
	}
	first, firstErr := strconv.ParseInt(m[1], 10, 64)
	last, lastErr := strconv.ParseInt(m[2], 10, 64)
	if firstErr != nil || lastErr != nil || first > last || last >= size {
		return 0, 0, faultf(invalidArgument, "The range %q is outside of the source, which has %d bytes.", text, size)
	}
	return first, last - first + 1, nil
}
