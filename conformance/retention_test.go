package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"hearth/internal/testenv"
)

// retention lets results of ended sessions take little, and looks for them when
// the next server has begun.
func retention(t *testing.T, binary string) {
	home := t.TempDir()
	settings := "light_drivers = true\nmax_results = \"8k\"\n"
	if err := os.WriteFile(filepath.Join(home, "hearth.toml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c := connect(t, testenv.ServeIn(t, home, binary))
	var calculations []*athena.GetCalculationExecutionOutput
	var sessions []string
	for range 2 {
		id := c.start()
		got := c.ended(c.begin(id, "print('x' * 5000)"))
		must(c.athena.TerminateSession(c.ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.awaitSession(id, types.SessionStateTerminated)
		calculations, sessions = append(calculations, got), append(sessions, id)
	}
	theirs := "s3://hearth/" + sessions[0] + "/theirs"
	if err := os.WriteFile(filepath.Join(home, "objects", "hearth", sessions[0]+"+", "theirs"), []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Stop()
	c.Start()

	old := c.awaitReason(calculations[0].CalculationExecutionId)
	same(t, "State", old.Status.State, types.CalculationExecutionStateCompleted)
	same(t, "StateChangeReason", aws.ToString(old.Status.StateChangeReason),
		"Its results were removed: those of ended sessions took more than max_results, which is 8 KiB.")
	same(t, "StdOutS3Uri", aws.ToString(old.Result.StdOutS3Uri), aws.ToString(calculations[0].Result.StdOutS3Uri))
	for _, uri := range []string{*old.Result.StdOutS3Uri, *old.Result.StdErrorS3Uri, *old.Result.ResultS3Uri + "result.json"} {
		if code := c.missing(uri); code != "NoSuchKey" {
			t.Errorf("%s is answered with %s", uri, code)
		}
	}
	_, stderr, status := outcome(t, c.Command("calculations", "output", *old.CalculationExecutionId))
	if status != 1 || !strings.Contains(stderr, "were removed on") {
		t.Errorf("hearth calculations output: %d, %s", status, stderr)
	}
	shown, _, _ := outcome(t, c.Command("sessions", "show", sessions[0]))
	if !strings.Contains(shown, "max_results") {
		t.Errorf("hearth sessions show:\n%s", shown)
	}
	same(t, "what is not Hearth's", c.read(&theirs), "rows")
	same(t, "the younger result", c.read(calculations[1].Result.StdOutS3Uri), strings.Repeat("x", 5000)+"\n")
}

// awaitReason waits until a calculation has a StateChangeReason.
func (c *client) awaitReason(id *string) *athena.GetCalculationExecutionOutput {
	c.t.Helper()
	late := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		got := must(c.athena.GetCalculationExecution(c.ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: id}))(c.t)
		if aws.ToString(got.Status.StateChangeReason) != "" {
			return got
		}
		select {
		case <-again.C:
		case <-late:
			c.t.Fatalf("calculation %s has no reason after %v", *id, patience)
		}
	}
}

// missing gives the code of the refusal to read an s3:// object.
func (c *client) missing(uri string) string {
	c.t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	_, err := c.s3.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	refusal, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		c.t.Fatalf("%s: %v", uri, err)
	}
	return refusal.ErrorCode()
}
