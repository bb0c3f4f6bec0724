package objects_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth/internal/objects"
)

// Ensure that whoever expects a bucket to be of another account gets nothing
// from it, and leaves nothing in it.
func TestHandler_ExpectedBucketOwner(t *testing.T) {
	const owner, other = "111122223333", "444455556666"
	store, _ := open(t)
	put(t, store, "a", "", "x")
	server := httptest.NewServer(objects.Handler(store, objects.Options{Account: owner, Region: "eu-central-1", Allow: everyBucket, Log: slog.New(slog.DiscardHandler)}))
	defer server.Close()
	client := clientOf(server.URL)

	for _, c := range []struct{ method, path string }{
		{"HEAD", "/hearth"},
		{"GET", "/hearth"},
		{"GET", "/hearth?location"},
		{"GET", "/hearth?uploads"},
		{"POST", "/hearth?delete"},
		{"DELETE", "/hearth"},
		{"GET", "/hearth/a"},
		{"HEAD", "/hearth/a"},
		{"PUT", "/hearth/a"},
		{"DELETE", "/hearth/a"},
		{"GET", "/hearth/a?tagging"},
		{"POST", "/hearth/a?uploads"},
		{"PUT", "/hearth/a?partNumber=1&uploadId=x"},
		{"POST", "/hearth/a?uploadId=x"},
		{"DELETE", "/hearth/a?uploadId=x"},
	} {
		t.Run("of another account, "+c.method+" "+c.path, func(t *testing.T) {
			status, body := send(t, c.method, server.URL+c.path, "y", "X-Amz-Expected-Bucket-Owner", other)
			if status != http.StatusForbidden || c.method != http.MethodHead && !strings.Contains(body, "<Code>AccessDenied</Code>") {
				t.Errorf("%d %s", status, body)
			}
			if content := get(t, store, "a"); content != "x" {
				t.Errorf("the object is %q", content)
			}
		})
	}

	copying := func(expected, expectedSource *string) error {
		_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{
			Bucket: hearthBucket, Key: aws.String("b"), CopySource: aws.String("hearth/a"),
			ExpectedBucketOwner: expected, ExpectedSourceBucketOwner: expectedSource,
		})
		return err
	}
	t.Run("a copy to or from another account's", func(t *testing.T) {
		wantCode(t, copying(aws.String(other), aws.String(owner)), "AccessDenied", http.StatusForbidden)
		wantCode(t, copying(aws.String(owner), aws.String(other)), "AccessDenied", http.StatusForbidden)
	})
	t.Run("a part copied from another account's", func(t *testing.T) {
		upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: hearthBucket, Key: aws.String("b")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
			Bucket: hearthBucket, Key: aws.String("b"), UploadId: upload.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String("hearth/a"),
			ExpectedSourceBucketOwner: aws.String(other),
		})
		wantCode(t, err, "AccessDenied", http.StatusForbidden)
	})
	t.Run("of the account", func(t *testing.T) {
		if err := copying(aws.String(owner), aws.String(owner)); err != nil {
			t.Fatal(err)
		}
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: hearthBucket, Key: aws.String("b"), ExpectedBucketOwner: aws.String(owner)})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		if content, err := io.ReadAll(out.Body); err != nil || string(content) != "x" {
			t.Errorf("%q, %v", content, err)
		}
	})
	t.Run("of another account, and not there", func(t *testing.T) {
		_, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("elsewhere"), ExpectedBucketOwner: aws.String(other)})
		wantCode(t, err, "NoSuchBucket", http.StatusNotFound)
	})
	for _, nobody := range []string{"", "me", owner[1:], owner + "0"} {
		t.Run("of nobody who could be: "+nobody, func(t *testing.T) {
			for _, header := range []string{"X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner"} {
				status, body := send(t, http.MethodPut, server.URL+"/hearth/b", "", "X-Amz-Copy-Source", "hearth/a", header, nobody)
				if status != http.StatusBadRequest || !strings.Contains(body, "<Code>InvalidBucketOwnerAWSAccountID</Code>") {
					t.Errorf("%s: %d %s", header, status, body)
				}
			}
		})
	}
}
