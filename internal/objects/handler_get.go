package objects

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// singleRange is the only form of Range that S3 knows; others it ignores.
var singleRange = regexp.MustCompile(`^bytes=(\d*)-(\d*)$`)

// bareETag is an ETag without its quotes, which S3 takes too.
var bareETag = regexp.MustCompile(`^[0-9A-Za-z-]+$`)

// rangeOf gives a Range as http.ServeContent takes it; "" is none. That one
// refuses what S3 takes for no range (an end before the beginning, neither of
// them) and for the end of the object (a number that no object's size reaches).
func rangeOf(header string) string {
	m := singleRange.FindStringSubmatch(header)
	if m == nil || m[1] == "" && m[2] == "" {
		return ""
	}
	for i, digits := range m[1:] {
		if digits != "" {
			n, _ := strconv.ParseInt(digits, 10, 64) // too large a number becomes the largest
			m[i+1] = strconv.FormatInt(n, 10)
		}
	}
	first, last := m[1], m[2]
	if first != "" && last != "" && (len(last) < len(first) || len(last) == len(first) && last < first) {
		return ""
	}
	return "bytes=" + first + "-" + last
}

func (h *handler) getObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	query := r.URL.Query()
	if err := checkVersion(query.Get("versionId")); err != nil {
		return err
	}
	object, err := h.store.Read(r.Context(), bucket, key)
	if err != nil {
		return err
	}
	defer object.Close()
	part := rangeOf(r.Header.Get("Range"))
	last := strings.HasPrefix(part, "bytes=-")
	switch {
	case part == "bytes=-0", part != "" && !last && object.Size == 0:
		return outside(part)
	case last && object.Size == 0:
		part = "" // the last bytes of nothing are all of it
	}
	header := w.Header()
	if text := query.Get("partNumber"); text != "" {
		if part != "" {
			return faultf(invalidRequest, "A request takes either the header Range or the parameter partNumber.")
		}
		if part, err = object.rangeOfPart(text); err != nil {
			return err
		}
		if len(object.Parts) > 0 {
			header.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(object.Parts)))
		}
	}
	r.Header.Set("Range", part)
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if etag := r.Header.Get(name); bareETag.MatchString(etag) { // as Java's SDK sends it
			r.Header.Set(name, quoted(etag))
		}
	}
	describeObject(header, object.Info)
	describeTags(header, object.Tags)
	if part == "" && r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		describeChecksum(header, object.Checksum)
	}
	for parameter, name := range overrides {
		if v := query.Get(parameter); v != "" {
			header.Set(name, v)
		}
	}
	// What a session wrote must not become a page that acts for its reader.
	header.Set("Content-Security-Policy", "sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.FormatInt(object.Size, 10)) // which is not set for encodings
	http.ServeContent(&refusals{ResponseWriter: w, request: r}, r, "", object.ModifiedAt, object.ReadSeeker)
	if content, ok := object.ReadSeeker.(*plaintext); ok && content.err != nil {
		// The client has got less than it was promised, and knows by that.
		h.log.ErrorContext(r.Context(), "an object could not be sent to its end", "error", content.err)
	}
	return nil
}

// overrides are the headers of an answer that a request may choose, by its
// parameters.
var overrides = map[string]string{
	"response-cache-control":       "Cache-Control",
	"response-content-disposition": "Content-Disposition",
	"response-content-encoding":    "Content-Encoding",
	"response-content-language":    "Content-Language",
	"response-content-type":        "Content-Type",
	"response-expires":             "Expires",
}

// describeObject sets the headers that every answer with an object has.
func describeObject(header http.Header, info Info) {
	header.Set("Content-Type", info.ContentType)
	header.Set("Etag", quoted(info.ETag))
	for name, value := range info.Headers {
		header[name] = []string{value} // metadata's names are in lower case, also in dictionaries of clients
	}
	describeEncryption(header, info.Encryption)
}

func describeEncryption(header http.Header, encryption string) {
	if encryption != "" {
		header.Set("X-Amz-Server-Side-Encryption", "AES256") // what S3 calls SSE_S3
	}
}

func describeChecksum(header http.Header, c *Checksum) {
	if c == nil {
		return
	}
	header.Set(checksumHeader(c.Algorithm), c.Value)
	header.Set("X-Amz-Checksum-Type", c.kind())
}

func withoutChecksum(header http.Header) {
	for algorithm := range checksums {
		header.Del(checksumHeader(algorithm))
	}
	header.Del("X-Amz-Checksum-Type")
}

// rangeOfPart gives the range of a part by its number, "" for all of an object
// that is empty. An object that was put in one piece is its own first part.
func (o *Object) rangeOfPart(text string) (string, error) {
	parts := o.Parts
	if len(parts) == 0 {
		parts = []int64{o.Size}
	}
	number, err := strconv.Atoi(text)
	switch {
	case err != nil || number < 1 || number > MaxPart:
		return "", faultf(invalidArgument, "partNumber is %q; it has to be a number from 1 to %d.", text, MaxPart)
	case number > len(parts):
		return "", faultf(invalidPartNumber, "The object has %d parts, and no part %d.", len(parts), number)
	}
	var first int64
	for _, length := range parts[:number-1] {
		first += length
	}
	length := parts[number-1]
	if length == 0 {
		return "", nil
	}
	return fmt.Sprintf("bytes=%d-%d", first, first+length-1), nil
}

func outside(part string) error {
	return faultf(invalidRange, "The range %q is outside of the object.", part)
}

// refusals gives the refusals of http.ServeContent S3's form.
type refusals struct {
	http.ResponseWriter
	request *http.Request
	refused bool
}

func (w *refusals) WriteHeader(status int) {
	if status >= http.StatusMultipleChoices {
		withoutChecksum(w.Header()) // SDKs hold whatever comes with one to it
	}
	switch status {
	case http.StatusPreconditionFailed:
		w.refuse(errCondition)
	case http.StatusRequestedRangeNotSatisfiable:
		w.refuse(outside(w.request.Header.Get("Range")))
	default:
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *refusals) refuse(err error) {
	w.refused = true
	w.Header().Del("Content-Length")
	for _, name := range keptHeaders {
		w.Header().Del(name) // it is no answer with the object
	}
	writeError(w.ResponseWriter, w.request, err)
}

func (w *refusals) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the content be sent without copying it through the program.
func (w *refusals) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }
