package objects_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth/internal/objects"
)

func TestHandler_GetObject_empty(t *testing.T) {
	store, client, _ := serve(t)
	put(t, store, "empty", "text/plain", "")

	t.Run("its last bytes are all of it", func(t *testing.T) {
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: hearthBucket, Key: aws.String("empty"), Range: aws.String("bytes=-5")})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		if out.ContentRange != nil || aws.ToInt64(out.ContentLength) != 0 {
			t.Errorf("Content-Range %v, Content-Length %d", aws.ToString(out.ContentRange), aws.ToInt64(out.ContentLength))
		}
	})
	t.Run("it has no first byte", func(t *testing.T) {
		_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: hearthBucket, Key: aws.String("empty"), Range: aws.String("bytes=0-5")})
		wantCode(t, err, "InvalidRange", http.StatusRequestedRangeNotSatisfiable)
	})
}

func TestHandler_GetObject_bareETag(t *testing.T) {
	store, _, url := serve(t)
	put(t, store, "a", "text/plain", "content")
	etag := stat(t, store, "a").ETag
	for _, c := range []struct {
		name, header, etag string
		status             int
	}{
		{"matches", "If-Match", etag, http.StatusOK},
		{"does not match", "If-Match", "0" + etag, http.StatusPreconditionFailed},
		{"is known already", "If-None-Match", etag, http.StatusNotModified},
		{"is another one", "If-None-Match", "0" + etag, http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body := send(t, http.MethodGet, url+"/hearth/a", "", c.header, c.etag); status != c.status {
				t.Errorf("status %d, want %d: %s", status, c.status, body)
			}
		})
	}
}

// Python's SDK reads whatever has a checksum as the object that it is of.
func TestHandler_GetObject_refusedWithoutChecksum(t *testing.T) {
	store, _, url := serve(t)
	info, err := store.Write(t.Context(), "hearth", "a", objects.Draft{Checksum: "CRC32"}, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, header string
		checksum     bool
	}{
		{"sent", "If-Match", true},
		{"known already", "If-None-Match", false},
		{"older than wanted", "If-Modified-Since", false},
		{"changed since", "If-Unmodified-Since", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/hearth/a", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Amz-Checksum-Mode", "ENABLED")
			request.Header.Set(c.header, map[string]string{
				"If-Match":            info.ETag,
				"If-None-Match":       info.ETag,
				"If-Modified-Since":   info.ModifiedAt.Add(time.Hour).UTC().Format(http.TimeFormat),
				"If-Unmodified-Since": info.ModifiedAt.Add(-time.Hour).UTC().Format(http.TimeFormat),
			}[c.header])
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			sum, kind := response.Header.Get("X-Amz-Checksum-Crc32"), response.Header.Get("X-Amz-Checksum-Type")
			if (response.StatusCode == http.StatusOK) != c.checksum || (sum != "") != c.checksum || (kind != "") != c.checksum {
				t.Errorf("%s with checksum %q of type %q", response.Status, sum, kind)
			}
		})
	}
}

func TestHandler_GetObject_rangeAndPart(t *testing.T) {
	store, client, _ := serve(t)
	put(t, store, "a", "text/plain", "content")
	_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: hearthBucket, Key: aws.String("a"), Range: aws.String("bytes=0-1"), PartNumber: aws.Int32(1)})
	wantCode(t, err, "InvalidRequest", http.StatusBadRequest)
}
