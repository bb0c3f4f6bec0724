package objects

import (
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"hearth"
)

// Handler serves the reading half of the S3 API with path-style addresses, and
// the making of buckets: CreateBucket, ListBuckets, HeadBucket,
// GetBucketLocation, ListObjects, ListObjectsV2, HeadObject and GetObject. Other
// operations are answered with NotImplemented, which names them. It checks no
// signatures.
func Handler(s *Store, region string, log *slog.Logger) http.Handler {
	return &handler{store: s, region: region, log: log}
}

type handler struct {
	store  *Store
	region string
	log    *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var err error
	switch op := operation(r, bucket, key); op {
	case "CreateBucket":
		err = h.createBucket(w, r, bucket)
	case "ListBuckets":
		err = h.listBuckets(w, r)
	case "HeadBucket":
		err = h.headBucket(w, r, bucket)
	case "GetBucketLocation":
		err = h.getBucketLocation(w, r, bucket)
	case "ListObjects", "ListObjectsV2":
		err = h.listObjects(w, r, bucket, op == "ListObjectsV2")
	case "GetObject", "HeadObject":
		err = h.getObject(w, r, bucket, key)
	case "":
		err = faultf(methodNotAllowed, "%s cannot be used here.", r.Method)
	default:
		err = faultf(notImplemented, "%s is not supported. Buckets can be made, and objects can be listed and read.", op)
	}
	if err != nil {
		h.refuse(w, r, err)
	}
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if (hearth.KindOf(err) == hearth.KindInternal || errors.Is(err, errUnreadable)) && r.Context().Err() == nil {
		h.log.ErrorContext(r.Context(), "S3 request failed", "method", r.Method, "path", r.URL.Path,
			"request", w.Header().Get("X-Amz-Request-Id"), "error", err)
	}
	writeError(w, r, err)
}

// olderRegion is the region that is older than the operations on regions, which
// treat it in ways of its own.
const olderRegion = "us-east-1"

// maxBucketConfiguration is the most bytes that the settings of a new bucket may
// have.
const maxBucketConfiguration = 16 << 10

// createBucket makes a bucket. To make one's own again is refused, and is
// nothing in the older region, as on S3.
func (h *handler) createBucket(w http.ResponseWriter, r *http.Request, bucket string) error {
	var wanted createBucketConfiguration
	err := xml.NewDecoder(io.LimitReader(r.Body, maxBucketConfiguration)).Decode(&wanted)
	if err != nil && err != io.EOF {
		return faultf(malformedXML, "The settings of bucket %s cannot be read as XML.", bucket)
	}
	if region := wanted.LocationConstraint; region != "" && region != h.region {
		return faultf(illegalLocation, "Bucket %s cannot be made in region %s. This server's is %s.", bucket, region, h.region)
	}
	err = h.store.CreateBucket(r.Context(), bucket)
	if err != nil && !(hearth.KindOf(err) == hearth.KindExists && h.region == olderRegion) {
		return err
	}
	w.Header().Set("Location", "/"+bucket)
	return nil
}

func (h *handler) listBuckets(w http.ResponseWriter, r *http.Request) error {
	buckets, err := h.store.Buckets(r.Context())
	if err != nil {
		return err
	}
	answer := listAllMyBucketsResult{Owner: owner{ID: "hearth"}}
	for _, b := range buckets {
		answer.Buckets = append(answer.Buckets, bucketElement{Name: b.Name, CreationDate: timestamp(b.CreatedAt), BucketRegion: h.region})
	}
	return writeXML(w, http.StatusOK, answer)
}

func (h *handler) headBucket(w http.ResponseWriter, r *http.Request, bucket string) error {
	w.Header().Set("X-Amz-Bucket-Region", h.region)
	_, err := h.store.Bucket(r.Context(), bucket)
	return err
}

func (h *handler) getBucketLocation(w http.ResponseWriter, r *http.Request, bucket string) error {
	if _, err := h.store.Bucket(r.Context(), bucket); err != nil {
		return err
	}
	answer := locationConstraint{Region: h.region}
	if h.region == olderRegion {
		answer.Region = ""
	}
	return writeXML(w, http.StatusOK, answer)
}

// singleRange is the only form of Range that S3 knows; others it ignores.
var singleRange = regexp.MustCompile(`^bytes=(\d*)-(\d*)$`)

// rangeOf gives a Range as http.ServeContent takes it; "" is none. That one
// refuses what S3 takes for no range (an end before the beginning) and for the
// end of the object (a number that no object's size reaches).
func rangeOf(header string) string {
	m := singleRange.FindStringSubmatch(header)
	if m == nil {
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
	if v := query.Get("versionId"); v != "" && v != "null" {
		return faultf(noSuchVersion, "Objects have no versions here, so there is no version %s.", v)
	}
	if n := query.Get("partNumber"); n != "" && n != "1" {
		return faultf(notImplemented, "Reading an object by part number is not supported; use a range.")
	}
	object, err := h.store.Read(r.Context(), bucket, key)
	if err != nil {
		return err
	}
	defer object.Close()
	part := rangeOf(r.Header.Get("Range"))
	if part == "bytes=-0" {
		return outside(part)
	}
	r.Header.Set("Range", part)
	header := w.Header()
	header.Set("Content-Type", object.ContentType)
	header.Set("Etag", quoted(object.ETag))
	if object.Encryption != "" {
		header.Set("X-Amz-Server-Side-Encryption", "AES256") // what S3 calls SSE_S3
	}
	// What a session wrote must not become a page that acts for its reader.
	header.Set("Content-Security-Policy", "sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(&refusals{ResponseWriter: w, request: r}, r, "", object.ModifiedAt, object.ReadSeeker)
	if content, ok := object.ReadSeeker.(*plaintext); ok && content.err != nil {
		// The client has got less than it was promised, and knows by that.
		h.log.ErrorContext(r.Context(), "an object could not be sent to its end", "error", content.err)
	}
	return nil
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
	switch status {
	case http.StatusPreconditionFailed:
		w.refuse(faultf(preconditionFails, "The object is not in the state that the request's conditions ask for."))
	case http.StatusRequestedRangeNotSatisfiable:
		w.refuse(outside(w.request.Header.Get("Range")))
	default:
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *refusals) refuse(err error) {
	w.refused = true
	w.Header().Del("Content-Length")
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
