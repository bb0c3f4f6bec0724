package testenv

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3 is a server of S3's API in a process of its own, with nothing in it. It
// knows no key pair and so takes every one.
type S3 struct {
	URL    string // http://127.0.0.1:PORT
	Client *s3.Client
}

// ServeS3 starts one, which ends with the test.
func ServeS3(t testing.TB) S3 {
	t.Helper()
	url := ServeMoto(t)
	return S3{URL: url, Client: s3.New(s3.Options{
		Region:       "us-east-1",
		BaseEndpoint: &url,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider("KEY", "SECRET", ""),
	})}
}

// CreateBucket makes a bucket.
func (s S3) CreateBucket(t testing.TB, name string) {
	t.Helper()
	if _, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
		t.Fatal(err)
	}
}
