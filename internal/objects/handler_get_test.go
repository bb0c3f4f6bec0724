package objects_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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

func TestHandler_GetObject_rangeAndPart(t *testing.T) {
	store, client, _ := serve(t)
	put(t, store, "a", "text/plain", "content")
	_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: hearthBucket, Key: aws.String("a"), Range: aws.String("bytes=0-1"), PartNumber: aws.Int32(1)})
	wantCode(t, err, "InvalidRequest", http.StatusBadRequest)
}
