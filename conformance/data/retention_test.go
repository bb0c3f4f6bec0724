package data

import (
	"database/sql"
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

	"hearth/conformance"
)

// retention lets results of ended sessions take little, and looks for them when
// the next server has begun, two hours later by the record.
func retention(t *testing.T, c *conformance.Client) {
	c = c.Serve("light_drivers = true\nmax_results = \"8k\"\n")
	var calculations []*athena.GetCalculationExecutionOutput
	var sessions []string
	for range 2 {
		id := c.StartSession()
		got := c.Ended(c.Begin(id, "print('x' * 5000)"))
		conformance.Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.AwaitSession(id, types.SessionStateTerminated)
		calculations, sessions = append(calculations, got), append(sessions, id)
	}
	theirs := "s3://hearth/" + sessions[0] + "/theirs"
	if err := os.WriteFile(filepath.Join(c.Home, "objects", "hearth", sessions[0]+"+", "theirs"), []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Stop()
	record := conformance.Must(sql.Open("sqlite", filepath.Join(c.Home, "hearth.db")))(t)
	conformance.Must(record.ExecContext(c.Ctx, "UPDATE sessions SET ended_at = ended_at - ?", (2 * time.Hour).Microseconds()))(t)
	if err := record.Close(); err != nil {
		t.Fatal(err)
	}
	c.Start()

	old := awaitReason(c, calculations[0].CalculationExecutionId)
	conformance.Same(t, "State", old.Status.State, types.CalculationExecutionStateCompleted)
	conformance.Same(t, "StateChangeReason", aws.ToString(old.Status.StateChangeReason),
		"Its results were removed: those of ended sessions took more than max_results, which is 8 KiB.")
	conformance.Same(t, "StdOutS3Uri", aws.ToString(old.Result.StdOutS3Uri), aws.ToString(calculations[0].Result.StdOutS3Uri))
	for _, uri := range []string{*old.Result.StdOutS3Uri, *old.Result.StdErrorS3Uri, *old.Result.ResultS3Uri + "result.json"} {
		if code := missing(c, uri); code != "NoSuchKey" {
			t.Errorf("%s is answered with %s", uri, code)
		}
	}
	_, stderr, status := conformance.Outcome(t, c.Command("calculations", "output", *old.CalculationExecutionId))
	if status != 1 || !strings.Contains(stderr, "were removed on") {
		t.Errorf("hearth calculations output: %d, %s", status, stderr)
	}
	shown, _, _ := conformance.Outcome(t, c.Command("sessions", "show", sessions[0]))
	if !strings.Contains(shown, "max_results") {
		t.Errorf("hearth sessions show:\n%s", shown)
	}
	conformance.Same(t, "what is not Hearth's", c.Read(&theirs), "rows")
	conformance.Same(t, "the younger result", c.Read(calculations[1].Result.StdOutS3Uri), strings.Repeat("x", 5000)+"\n")
}

// awaitReason waits until a calculation has a StateChangeReason.
func awaitReason(c *conformance.Client, id *string) *athena.GetCalculationExecutionOutput {
	c.T.Helper()
	late := time.After(conformance.Patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		got := conformance.Must(c.Athena.GetCalculationExecution(c.Ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: id}))(c.T)
		if aws.ToString(got.Status.StateChangeReason) != "" {
			return got
		}
		select {
		case <-again.C:
		case <-late:
			c.T.Fatalf("calculation %s has no reason after %v", *id, conformance.Patience)
		}
	}
}

// missing gives the code of the refusal to read an s3:// object.
func missing(c *conformance.Client, uri string) string {
	c.T.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	_, err := c.S3.GetObject(c.Ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	refusal, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		c.T.Fatalf("%s: %v", uri, err)
	}
	return refusal.ErrorCode()
}
