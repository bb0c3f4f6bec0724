package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"hearth/conformance"
)

// sessionKeys has a session sign for itself, in a server whose buckets are not
// all for it.
func sessionKeys(t *testing.T, c *conformance.Client) {
	c = c.Serve(fmt.Sprintf(`
		light_drivers = true

		[buckets."finance-*"]
		workgroups = ["spark-3.5"]

		[buckets.finance-open]
		workgroups = ["spark-3.5", %q]
	`, c.WorkGroup))
	for _, bucket := range []string{"everybodys", "finance-2026", "finance-open"} {
		conformance.Must(c.S3.CreateBucket(c.Ctx, &s3.CreateBucketInput{Bucket: &bucket}))(t)
		conformance.Must(c.S3.PutObject(c.Ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("key"), Body: strings.NewReader("content")}))(t)
	}
	id := c.StartSession()
	var key struct{ ID, Secret, Token string }
	said := c.Run(id, `
import json, os
print(json.dumps({"ID": os.environ["AWS_ACCESS_KEY_ID"], "Secret": os.environ["AWS_SECRET_ACCESS_KEY"], "Token": os.environ["AWS_SESSION_TOKEN"]}))
`)
	if err := json.Unmarshal([]byte(said), &key); err != nil {
		t.Fatal(err)
	}
	config := aws.Config{Region: c.Env["AWS_REGION"], Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.Token)}
	own := s3.NewFromConfig(config, func(o *s3.Options) {
		o.BaseEndpoint, o.UsePathStyle = aws.String(c.Env["AWS_ENDPOINT_URL_S3"]), true
	})
	read := func(bucket string) error {
		_, err := own.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("key")})
		return err
	}

	t.Run("its code reads and writes by the environment alone", func(t *testing.T) {
		conformance.Same(t, "stdout", c.In(t).Run(id, `
from pyarrow import fs
store, _ = fs.FileSystem.from_uri("s3://everybodys")
with store.open_output_stream("everybodys/written") as f:
    f.write(b"by pyarrow")
print(store.open_input_stream("everybodys/written").read(), store.open_input_stream("finance-open/key").read())
`), "b'by pyarrow' b'content'\n")
	})
	t.Run("a bucket of another workgroup is refused", func(t *testing.T) {
		c := c.In(t)
		said := c.Run(id, `
def refusal(act):
    try:
        act()
    except OSError as error:
        return str(error)

print(refusal(lambda: store.open_input_stream("finance-2026/key").read()))
print(refusal(lambda: store.open_output_stream("finance-2026/key").close()))
print(refusal(lambda: store.copy_file("finance-2026/key", "everybodys/stolen")))
`)
		for line := range strings.Lines(said) {
			if !strings.Contains(line, "ACCESS_DENIED") {
				t.Errorf("refused with %s", line)
			}
		}
		conformance.Same(t, "refusals", strings.Count(said, "\n"), 3)
		_, err := own.GetObject(c.Ctx, &s3.GetObjectInput{Bucket: aws.String("finance-2026"), Key: aws.String("key")})
		wantS3(t, err, "AccessDenied", "Bucket finance-2026 is not for sessions of workgroup "+c.WorkGroup)
	})
	t.Run("and not listed", func(t *testing.T) {
		var names []string
		for _, b := range conformance.Must(own.ListBuckets(t.Context(), &s3.ListBucketsInput{}))(t).Buckets {
			names = append(names, aws.ToString(b.Name))
		}
		conformance.Same(t, "the buckets", strings.Join(names, " "), "everybodys finance-open hearth")
	})
	t.Run("it opens no other door", func(t *testing.T) {
		api := athena.NewFromConfig(config, func(o *athena.Options) { o.BaseEndpoint = aws.String(c.Env["AWS_ENDPOINT_URL_ATHENA"]) })
		_, err := api.GetSession(t.Context(), &athena.GetSessionInput{SessionId: &id})
		wantS3(t, err, "UnrecognizedClientException", "")
	})
	t.Run("it is good after a restart, and not after the session's end", func(t *testing.T) {
		c := c.In(t)
		c.Kill()
		c.Start()
		if err := read("everybodys"); err != nil {
			t.Error(err)
		}
		conformance.Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.AwaitSession(id, types.SessionStateTerminated)
		_, err := own.GetObject(c.Ctx, &s3.GetObjectInput{Bucket: aws.String("everybodys"), Key: aws.String("key")})
		wantS3(t, err, "ExpiredToken", id)
	})
}

func wantS3(t *testing.T, err error, code, message string) {
	t.Helper()
	refusal, ok := errors.AsType[smithy.APIError](err)
	if !ok || refusal.ErrorCode() != code || !strings.Contains(refusal.ErrorMessage(), message) {
		t.Errorf("got %v, want %s", err, code)
	}
}
