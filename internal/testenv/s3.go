package testenv

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "s3.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command := exec.Command(program, "-H", "127.0.0.1", "-p", port)
	command.Stdout, command.Stderr = log, log
	endWithParent(command)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	url := "http://" + address
	awaitAnswer(t, url+"/moto-api/")
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

func awaitAnswer(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if answer, err := http.Get(url); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s did not answer within %v", url, patience)
		}
	}
}
