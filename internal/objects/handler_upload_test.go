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
