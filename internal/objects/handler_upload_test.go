package objects_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestHandler_UploadPart_otherChecksum(t *testing.T) {
	_, client, _ := serve(t)
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: hearthBucket, Key: aws.String("a"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: hearthBucket, Key: aws.String("a"), UploadId: upload.UploadId, PartNumber: aws.Int32(1),
		Body: strings.NewReader("content"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	wantCode(t, err, "InvalidRequest", http.StatusBadRequest)
}

func TestHandler_CompleteMultipartUpload(t *testing.T) {
	_, client, url := serve(t)
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: hearthBucket, Key: aws.String("a b")})
	if err != nil {
		t.Fatal(err)
	}
	part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: hearthBucket, Key: aws.String("a b"), UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("content"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ part, code string }{
		"a part without an ETag":  {"<PartNumber>1</PartNumber>", "MalformedXML"},
		"a part without a number": {"<ETag>" + *part.ETag + "</ETag>", "MalformedXML"},
		"a number below 1":        {"<PartNumber>0</PartNumber><ETag>" + *part.ETag + "</ETag>", "InvalidArgument"},
		"a number above 10,000":   {"<PartNumber>10001</PartNumber><ETag>" + *part.ETag + "</ETag>", "InvalidArgument"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			body := "<CompleteMultipartUpload><Part>" + c.part + "</Part></CompleteMultipartUpload>"
			status, answer := send(t, http.MethodPost, url+"/hearth/a%20b?uploadId="+*upload.UploadId, body)
			if status != http.StatusBadRequest || !strings.Contains(answer, "<Code>"+c.code+"</Code>") {
				t.Errorf("%d %s, want %s", status, answer, c.code)
			}
		})
	}
	t.Run("says where the object is", func(t *testing.T) {
		made, err := client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: hearthBucket, Key: aws.String("a b"), UploadId: upload.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := url + "/hearth/a%20b"; aws.ToString(made.Location) != want {
			t.Errorf("Location %s, want %s", aws.ToString(made.Location), want)
		}
	})
}

func TestHandler_UploadPartCopy_outside(t *testing.T) {
	store, client, _ := serve(t)
	put(t, store, "source", "text/plain", "content")
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: hearthBucket, Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
		Bucket: hearthBucket, Key: aws.String("a"), UploadId: upload.UploadId, PartNumber: aws.Int32(1),
		CopySource: aws.String("hearth/source"), CopySourceRange: aws.String("bytes=0-7"),
	})
	wantCode(t, err, "InvalidArgument", http.StatusBadRequest)
}
