package data

import (
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// boto3Objects runs testdata/s3_boto3.py.
func boto3Objects(t *testing.T, c *conformance.Client) { c.Python("s3_boto3.py") }

// awswranglerObjects runs testdata/s3_awswrangler.py.
func awswranglerObjects(t *testing.T, c *conformance.Client) { c.Python("s3_awswrangler.py") }

// cliObjects moves files with the AWS CLI, as its users do.
func cliObjects(t *testing.T, c *conformance.Client) {
	cli := filepath.Join(testenv.PythonClients(t).Bin, "aws")
	aws := func(args ...string) string { return c.Script(exec.CommandContext(c.Ctx, cli, args...)) }
	content := make([]byte, 17<<20)
	rand.Read(content)
	from, to := t.TempDir(), t.TempDir()
	for name, text := range map[string][]byte{"large": content, "folder/small": []byte("small"), "folder/empty": nil, "ü +": []byte("odd")} {
		file := filepath.Join(from, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	names := func(prefix string) string {
		listed := aws("s3api", "list-objects-v2", "--bucket", "cli-objects", "--prefix", prefix, "--query", "join(' ', Contents[].Key || `[]`)", "--output", "text")
		return strings.TrimSpace(listed)
	}

	aws("s3", "mb", "s3://cli-objects")
	aws("s3", "sync", from, "s3://cli-objects/a")
	conformance.Same(t, "after sync", names("a/"), "a/folder/empty a/folder/small a/large a/ü +")
	if again := aws("s3", "sync", from, "s3://cli-objects/a"); strings.Contains(again, "upload:") {
		t.Errorf("a second sync uploads what is there: %s", again)
	}
	aws("s3", "cp", "s3://cli-objects/a", "s3://cli-objects/b", "--recursive")
	aws("s3", "mv", "s3://cli-objects/b/folder", "s3://cli-objects/moved", "--recursive")
	conformance.Same(t, "after mv", names("b/")+" "+names("moved/"), "b/large b/ü + moved/empty moved/small")
	aws("s3", "sync", "s3://cli-objects/b", to)
	got, err := os.ReadFile(filepath.Join(to, "large"))
	if err != nil || string(got) != string(content) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	aws("s3", "sync", from, "s3://cli-objects/b", "--delete", "--exclude", "*", "--include", "folder/*")
	conformance.Same(t, "after sync --delete", names("b/"), "b/folder/empty b/folder/small b/large b/ü +")

	upload := exec.CommandContext(c.Ctx, cli, "s3", "cp", "-", "s3://cli-objects/stream")
	upload.Stdin = strings.NewReader("from a pipe")
	c.Script(upload)
	conformance.Same(t, "a stream", aws("s3", "cp", "s3://cli-objects/stream", "-"), "from a pipe")
	url := aws("s3", "presign", "s3://cli-objects/stream")
	response := conformance.Must(http.Get(strings.TrimSpace(url)))(t)
	response.Body.Close()
	conformance.Same(t, "a presigned URL", response.StatusCode, 200)

	aws("s3", "rm", "s3://cli-objects/a", "--recursive")
	conformance.Same(t, "after rm", names("a/"), "")
	aws("s3", "rb", "s3://cli-objects", "--force")
}
