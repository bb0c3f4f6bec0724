package conformance

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// encryption reads encrypted results as a client does, and looks for them on
// the disk as a thief would.
func encryption(t *testing.T, c *Client) {
	c = c.Serve("")
	results := func(location string, encryption *types.EncryptionConfiguration) *types.ResultConfiguration {
		return &types.ResultConfiguration{OutputLocation: &location, EncryptionConfiguration: encryption}
	}
	sseS3 := &types.EncryptionConfiguration{EncryptionOption: types.EncryptionOptionSseS3}
	sseKMS := &types.EncryptionConfiguration{EncryptionOption: types.EncryptionOptionSseKms, KmsKey: aws.String("alias/key")}

	t.Run("what cannot be is refused before there is a session", func(t *testing.T) {
		c := c.In(t)
		for name, bad := range map[string]struct {
			configuration types.WorkGroupConfiguration
			words         string
		}{
			"encryption-kms":    {types.WorkGroupConfiguration{ResultConfiguration: results("s3://hearth/kms/", sseKMS)}, "SSE_KMS"},
			"encryption-bucket": {types.WorkGroupConfiguration{ResultConfiguration: results("s3://no-such-bucket/", nil)}, "no-such-bucket"},
			"encryption-code": {types.WorkGroupConfiguration{
				ResultConfiguration:                    results("s3://hearth/code/", nil),
				CustomerContentEncryptionConfiguration: &types.CustomerContentEncryptionConfiguration{KmsKey: aws.String("alias/code")},
			}, "alias/code"},
		} {
			c.CreateWorkGroup(name, bad.configuration)
			refusal := Refused(c.Athena.StartSession(c.Ctx, &athena.StartSessionInput{WorkGroup: &name, EngineConfiguration: &types.EngineConfiguration{}}))(t)
			if !strings.Contains(refusal.ErrorMessage(), bad.words) || !strings.Contains(refusal.ErrorMessage(), name) {
				t.Errorf("%s: %s", name, refusal.ErrorMessage())
			}
			Same(t, "sessions of "+name, len(Must(c.Athena.ListSessions(c.Ctx, &athena.ListSessionsInput{WorkGroup: &name}))(t).Sessions), 0)
		}
	})

	c.CreateWorkGroup("encrypted", types.WorkGroupConfiguration{ResultConfiguration: results("s3://hearth/encrypted/", sseS3)})
	sparks := map[string]string{"spark.authenticate": "true", "spark.io.encryption.enabled": "true", "spark.network.crypto.enabled": "true"}
	session := c.StartSession(c.With(sparks), func(request *athena.StartSessionInput) { request.WorkGroup = aws.String("encrypted") })
	configured := c.Session(session).SessionConfiguration.EncryptionConfiguration
	if configured == nil || configured.EncryptionOption != types.EncryptionOptionSseS3 {
		t.Errorf("GetSession gives the encryption %v", configured)
	}

	t.Run("Spark's own, with a job that shuffles", func(t *testing.T) {
		got := c.In(t).Run(session, fmt.Sprintf(`
print(*[sc.getConf().get(key) for key in %q.split()])
print(spark.range(1000).repartition(3).groupBy("id").count().count())
`, strings.Join([]string{"spark.authenticate", "spark.io.encryption.enabled", "spark.network.crypto.enabled"}, " ")))
		Same(t, "stdout", got, "true true true\n1000\n")
	})

	marker := Token()
	calculation := c.Ended(c.Begin(session, fmt.Sprintf("import sys\nprint(%[1]q)\nprint(%[1]q, file=sys.stderr)\n%[1]q", marker)))
	t.Run("a client reads it", func(t *testing.T) {
		c := c.In(t)
		bucket, key, _ := strings.Cut(strings.TrimPrefix(*calculation.Result.StdOutS3Uri, "s3://"), "/")
		Same(t, "stdout", c.Read(calculation.Result.StdOutS3Uri), marker+"\n")
		Same(t, "stderr", c.Read(calculation.Result.StdErrorS3Uri), marker+"\n")
		if result := c.Read(aws.String(*calculation.Result.ResultS3Uri + "result.json")); !strings.Contains(result, marker) {
			t.Errorf("the result is %s", result)
		}
		part := Must(c.S3.GetObject(c.Ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: aws.String("bytes=3-7")}))(t)
		defer part.Body.Close()
		Same(t, "bytes 3 to 7", string(Must(io.ReadAll(part.Body))(t)), marker[3:8])
		head := Must(c.S3.HeadObject(c.Ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))(t)
		Same(t, "ContentLength", aws.ToInt64(head.ContentLength), int64(len(marker)+1))
		Same(t, "ServerSideEncryption", head.ServerSideEncryption, s3types.ServerSideEncryptionAes256)
	})
	t.Run("the disk does not have it", func(t *testing.T) {
		encrypted := 0
		err := filepath.WalkDir(filepath.Join(c.Home, "objects"), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if bytes.Contains(text, []byte(marker)) {
				t.Errorf("%s has the marker", path)
			}
			if bytes.HasPrefix(text, []byte("age-encryption.org/v1\n")) {
				encrypted++
			}
			return err
		})
		if err != nil || encrypted < 3 {
			t.Errorf("%d encrypted files, %v", encrypted, err)
		}
	})
	t.Run("the key is missing, and restored", func(t *testing.T) {
		c := c.In(t)
		key := filepath.Join(c.Home, "objects.key")
		c.Stop()
		if err := os.Rename(key, key+".copy"); err != nil {
			t.Fatal(err)
		}
		_, stderr, status := Outcome(t, c.Command("serve", "--listen", "127.0.0.1:0"))
		Same(t, "exit status", status, 1)
		if !strings.Contains(stderr, key) || !strings.Contains(stderr, "Restore") {
			t.Errorf("stderr is %s", stderr)
		}
		if err := os.Rename(key+".copy", key); err != nil {
			t.Fatal(err)
		}
		c.Start()
		Same(t, "stdout", c.Read(calculation.Result.StdOutS3Uri), marker+"\n")
	})
}
