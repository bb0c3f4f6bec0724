package testenv

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// moto answers to S3's API and is nobody's of ours.
const moto = "moto[server]==5.2.1"

// S3 is a server of S3's API in a process of its own, with nothing in it. It
// knows no key pair and so takes every one.
type S3 struct {
	URL    string // http://127.0.0.1:PORT
	Client *s3.Client
}

// ServeS3 starts one, which ends with the test.
func ServeS3(t testing.TB) S3 {
	t.Helper()
	program := filepath.Join(virtualEnvironment(t, []string{moto}), "bin", "moto_server")
	command := exec.Command(program, "-H", "127.0.0.1", "-p", "0") // a port that it takes itself
	var log Log
	command.Stdout, command.Stderr = &log, &log
	endWithParent(command)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	url := awaitURL(t, &log)
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

// motoURL is how moto says where it listens, which it does by then.
var motoURL = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

func awaitURL(t testing.TB, log *Log) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if m := motoURL.FindStringSubmatch(log.String()); m != nil {
			return m[1]
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s did not say within %v where it listens:\n%s", moto, patience, log)
		}
	}
}
