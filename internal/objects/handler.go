package objects

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"hearth"
)

// Options are what a Handler needs beside the store.
type Options struct {
	// Account and Region are those of all buckets.
	Account, Region string
	Log             *slog.Logger

	// Allow tells whether who asks may use a bucket. A copy is asked for its
	// source's too, and a bucket that may not be used is not listed. An error of
	// KindDenied is answered with AccessDenied. nil allows nothing.
	Allow func(ctx context.Context, bucket string) error
}

// Handler serves the S3 API with path-style addresses, as far as operations has
// it. Other operations are answered with NotImplemented, which names them. It
// checks no signatures. A body may have errors with a method S3, which gives the
// code and HTTP status to answer.
func Handler(s *Store, o Options) http.Handler {
	if o.Allow == nil {
		o.Allow = func(_ context.Context, bucket string) error {
			return faultf(accessDenied, "Nobody may use bucket %s.", bucket)
		}
	}
	return &handler{store: s, account: o.Account, region: o.Region, log: o.Log, allow: o.Allow}
}

type handler struct {
	store           *Store
	account, region string
	log             *slog.Logger
	allow           func(ctx context.Context, bucket string) error
}

// operations are those of S3 that are served.
var operations = map[string]func(h *handler, w http.ResponseWriter, r *http.Request, bucket, key string) error{
	"ListBuckets":          (*handler).listBuckets,
	"CreateBucket":         (*handler).createBucket,
	"HeadBucket":           (*handler).headBucket,
	"GetBucketLocation":    (*handler).getBucketLocation,
	"GetBucketVersioning":  (*handler).getBucketVersioning,
	"DeleteBucket":         (*handler).deleteBucket,
	"ListObjects":          (*handler).listObjects,
	"ListObjectsV2":        (*handler).listObjects,
	"ListMultipartUploads": (*handler).listMultipartUploads,
	"DeleteObjects":        (*handler).deleteObjects,

	"GetObject":               (*handler).getObject,
	"HeadObject":              (*handler).getObject,
	"PutObject":               (*handler).putObject,
	"CopyObject":              (*handler).copyObject,
	"DeleteObject":            (*handler).deleteObject,
	"CreateMultipartUpload":   (*handler).createMultipartUpload,
	"UploadPart":              (*handler).uploadPart,
	"UploadPartCopy":          (*handler).uploadPartCopy,
	"CompleteMultipartUpload": (*handler).completeMultipartUpload,
	"AbortMultipartUpload":    (*handler).abortMultipartUpload,
	"ListParts":               (*handler).listParts,
	"GetObjectTagging":        (*handler).getObjectTagging,
	"PutObjectTagging":        (*handler).putObjectTagging,
	"DeleteObjectTagging":     (*handler).deleteObjectTagging,
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if err := h.serve(w, r, bucket, key); err != nil {
		h.refuse(w, r, err)
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	name := operation(r, bucket, key)
	if name == "" {
		return faultf(methodNotAllowed, "%s cannot be used here.", r.Method)
	}
	operate, found := operations[name]
	if !found {
		return faultf(notImplemented, "%s is not supported. The documentation has a list of the operations that are.", name)
	}
	if bucket != "" {
		if err := h.admit(r, bucket); err != nil {
			return err
		}
		if name != "CreateBucket" { // which names no owner
			if err := h.checkOwner(r, "X-Amz-Expected-Bucket-Owner", bucket); err != nil {
				return err
			}
		}
	}
	return operate(h, w, r, bucket, key)
}

// admit checks that a bucket may be used. What cannot be the name of one is
// nothing to have rules for.
func (h *handler) admit(r *http.Request, bucket string) error {
	if err := CheckBucketName(bucket); err != nil {
		return err
	}
	return h.allow(r.Context(), bucket)
}

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// checkOwner checks that a bucket belongs to the account that a header expects.
// One that is not there belongs to nobody.
func (h *handler) checkOwner(r *http.Request, header, bucket string) error {
	expected := r.Header.Get(header)
	switch {
	case r.Header[header] == nil, expected == h.account:
		return nil
	case !accountPattern.MatchString(expected):
		return faultf(invalidOwner, "%s is %q; it has to be the id of an AWS account, 12 digits.", strings.ToLower(header), expected)
	}
	if _, err := h.store.Bucket(r.Context(), bucket); err != nil {
		return err
	}
	return faultf(accessDenied, "Bucket %s belongs to account %s, and %s is %s.", bucket, h.account, strings.ToLower(header), expected)
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	h.note(w, r, err)
	writeError(w, r, err)
}

// note has the log tell what a client is not told.
func (h *handler) note(w http.ResponseWriter, r *http.Request, err error) {
	if (hearth.KindOf(err) == hearth.KindInternal || errors.Is(err, errUnreadable)) && r.Context().Err() == nil {
		h.log.ErrorContext(r.Context(), "S3 request failed", "method", r.Method, "path", r.URL.Path,
			"request", w.Header().Get("X-Amz-Request-Id"), "error", err)
	}
}

// olderRegion is the region that is older than the operations on regions, which
// treat it in ways of its own.
const olderRegion = "us-east-1"

// maxBucketConfiguration is the most bytes that the settings of a new bucket may
// have.
const maxBucketConfiguration = 16 << 10

// createBucket makes a bucket. To make one's own again is refused, and is
// nothing in the older region, as on S3.
func (h *handler) createBucket(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	var wanted createBucketConfiguration
	if err := readXML(r, maxBucketConfiguration, &wanted); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if region := wanted.LocationConstraint; region != "" && region != h.region {
		return faultf(illegalLocation, "Bucket %s cannot be made in region %s. This server's is %s.", bucket, region, h.region)
	}
	err := h.store.CreateBucket(r.Context(), bucket)
	if err != nil && !(hearth.KindOf(err) == hearth.KindExists && h.region == olderRegion) {
		return err
	}
	w.Header().Set("Location", "/"+bucket)
	return nil
}

func (h *handler) listBuckets(w http.ResponseWriter, r *http.Request, _, _ string) error {
	query := r.URL.Query()
	limit, err := bucketLimit(query)
	if err != nil {
		return err
	}
	after := ""
	if token := query.Get("continuation-token"); token != "" {
		if after, err = fromToken(token); err != nil {
			return err
		}
	}
	buckets, err := h.store.Buckets(r.Context())
	if err != nil {
		return err
	}
	answer := listAllMyBucketsResult{Owner: everyone, Prefix: query.Get("prefix")}
	for _, b := range buckets {
		if b.Name <= after || !strings.HasPrefix(b.Name, answer.Prefix) || h.allow(r.Context(), b.Name) != nil {
			continue
		}
		if n := len(answer.Buckets); n == limit {
			answer.ContinuationToken = toToken(answer.Buckets[n-1].Name)
			break
		}
		answer.Buckets = append(answer.Buckets, bucketElement{Name: b.Name, CreationDate: timestamp(b.CreatedAt), BucketRegion: h.region})
	}
	return writeXML(w, http.StatusOK, answer)
}

// maxBuckets is the most that one answer lists, and S3's default.
const maxBuckets = 10_000

func bucketLimit(query url.Values) (int, error) {
	text := query.Get("max-buckets")
	if text == "" {
		return maxBuckets, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxBuckets {
		return 0, faultf(invalidArgument, "max-buckets is %q; it has to be a number from 1 to %d.", text, maxBuckets)
	}
	return n, nil
}

func (h *handler) headBucket(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	w.Header().Set("X-Amz-Bucket-Region", h.region)
	_, err := h.store.Bucket(r.Context(), bucket)
	return err
}

func (h *handler) getBucketLocation(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	if _, err := h.store.Bucket(r.Context(), bucket); err != nil {
		return err
	}
	answer := locationConstraint{Region: h.region}
	if h.region == olderRegion {
		answer.Region = ""
	}
	return writeXML(w, http.StatusOK, answer)
}

// getBucketVersioning answers that there are no versions: s3fs asks before it
// deletes a bucket.
func (h *handler) getBucketVersioning(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	if _, err := h.store.Bucket(r.Context(), bucket); err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, versioningConfiguration{})
}

func (h *handler) deleteBucket(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	if err := h.store.DeleteBucket(r.Context(), bucket); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
