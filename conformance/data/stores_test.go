package data

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// stores keeps results in a store of somebody else, which goes away in the
// middle.
func stores(t *testing.T, c *conformance.Client) {
	store := testenv.ServeS3(t)
	store.CreateBucket(t, "lake-results")
	store.CreateBucket(t, "hearth-logs")
	line := testenv.ProxyTo(t, store.URL)
	secret := filepath.Join(t.TempDir(), "lake.secret")
	if err := os.WriteFile(secret, []byte("not-to-be-shown\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c = c.Serve(fmt.Sprintf(`
light_drivers = true
[stores.lake]
buckets = ["lake-*", "hearth-logs"]
endpoint = %q
path_style = true
access_key_id = "OFTHELAKE"
secret_access_key_file = %q
`, line.URL, secret))
	there := *c // reads from the store itself, as its clients do
	there.S3 = store.Client

	group := func(name, location string, change func(*types.ResultConfiguration)) {
		t.Helper()
		results := &types.ResultConfiguration{OutputLocation: &location}
		change(results)
		c.CreateWorkGroup(name, types.WorkGroupConfiguration{
			ResultConfiguration: results,
			MonitoringConfiguration: &types.MonitoringConfiguration{
				S3LoggingConfiguration: &types.S3LoggingConfiguration{Enabled: aws.Bool(true), LogLocation: aws.String("s3://hearth-logs/")},
			},
		})
	}
	in := func(name string) func(*athena.StartSessionInput) {
		return func(request *athena.StartSessionInput) { request.WorkGroup = &name }
	}
	group("lake", "s3://lake-results/results/", func(*types.ResultConfiguration) {})
	group("absent", "s3://lake-absent/", func(*types.ResultConfiguration) {})
	group("encrypted", "s3://lake-results/encrypted/", func(r *types.ResultConfiguration) {
		r.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionOption: types.EncryptionOptionSseKms, KmsKey: aws.String("alias/results")}
		r.AclConfiguration = &types.AclConfiguration{S3AclOption: types.S3AclOptionBucketOwnerFullControl}
	})
	session := c.StartSession(in("lake"))

	t.Run("results and logs are there", func(t *testing.T) {
		c, there := c.In(t), there.In(t)
		id := c.StartSession(in("lake"))
		got := c.Ended(c.Begin(id, "print('hello')\n1 + 1"))
		conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		conformance.Same(t, "the place of stdout", strings.HasPrefix(*got.Result.StdOutS3Uri, "s3://lake-results/results/"+id+"/"), true)
		conformance.Same(t, "stdout", there.Read(got.Result.StdOutS3Uri), "hello\n")
		if result := there.Read(aws.String(*got.Result.ResultS3Uri + "result.json")); !strings.Contains(result, `"2"`) {
			t.Errorf("the result is %s", result)
		}
		output, _, _ := conformance.Outcome(t, c.Command("calculations", "output", *got.CalculationExecutionId))
		conformance.Same(t, "what hearth prints", output, "hello\n")
		conformance.Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.AwaitSession(id, types.SessionStateTerminated)
		there.Read(aws.String("s3://hearth-logs/" + id + "/SPARK_DRIVER/stderr"))
		if _, err := os.Stat(filepath.Join(c.Home, "objects", "lake-results")); err == nil {
			t.Error("the bucket is on the disk")
		}
	})
	t.Run("other buckets are on the disk", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(c.StartSession(), "print('hello')"), "hello\n")
	})
	t.Run("a large output passes through no memory", func(t *testing.T) {
		c, there := c.In(t), there.In(t)
		const lines = 48 << 10
		got := c.Ended(c.Begin(session, fmt.Sprintf("for i in range(%d): print(f'{i:01023}')", lines)))
		conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		bucket, key, _ := strings.Cut(strings.TrimPrefix(*got.Result.StdOutS3Uri, "s3://"), "/")
		head := conformance.Must(there.S3.HeadObject(there.Ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))(t)
		conformance.Same(t, "ContentLength", aws.ToInt64(head.ContentLength), int64(lines<<10))
		output, _, _ := conformance.Outcome(t, c.Command("calculations", "output", *got.CalculationExecutionId))
		conformance.Same(t, "the last line that hearth prints", output[max(0, len(output)-1024):], fmt.Sprintf("%01023d\n", lines-1))
		most := conformance.MostMemory(t, c.PID())
		t.Logf("the server took %d MiB at the most", most)
		if most > conformance.MostMiB {
			t.Errorf("that is more than %d MiB", conformance.MostMiB)
		}
	})
	t.Run("output is followed", func(t *testing.T) {
		c := c.In(t)
		gate := conformance.NewGate(t)
		calculation := c.Begin(session, "print('before', flush=True)\n"+gate.Code()+"print('after')")
		gate.Reached()
		now, _, _ := conformance.Outcome(t, c.Command("calculations", "output", calculation))
		conformance.Same(t, "what there is now", now, "before\n")
		follow := c.Command("calculations", "output", calculation, "--follow")
		out := conformance.Must(follow.StdoutPipe())(t)
		if err := follow.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, len("before\n"))
		conformance.Must(io.ReadFull(out, line))(t)
		conformance.Same(t, "what comes first", string(line), "before\n")
		gate.Open()
		conformance.Same(t, "what comes then", string(conformance.Must(io.ReadAll(out))(t)), "after\n")
		if err := follow.Wait(); err != nil {
			t.Error(err)
		}
	})
	t.Run("hearth run", func(t *testing.T) {
		c := c.In(t)
		stdout, stderr, status := conformance.Outcome(t, c.Command("run", "--workgroup", "lake", "-c", "print('hello')\n1 + 1"))
		conformance.Same(t, "exit status", status, 0)
		conformance.Same(t, "stdout", stdout, "hello\n2\n")
		if !strings.Contains(stderr, "s3://lake-results/results/") {
			t.Errorf("stderr is %s", stderr)
		}
	})
	t.Run("SSE_KMS is the store's to carry out", func(t *testing.T) {
		c, there := c.In(t), there.In(t)
		got := c.Ended(c.Begin(c.StartSession(in("encrypted")), "print('hello')"))
		bucket, key, _ := strings.Cut(strings.TrimPrefix(*got.Result.StdOutS3Uri, "s3://"), "/")
		head := conformance.Must(there.S3.HeadObject(there.Ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))(t)
		conformance.Same(t, "ServerSideEncryption", head.ServerSideEncryption, s3types.ServerSideEncryptionAwsKms)
		conformance.Same(t, "SSEKMSKeyId", strings.HasSuffix(aws.ToString(head.SSEKMSKeyId), "alias/results"), true)
	})
	t.Run("a bucket that is not there is found before there is a session", func(t *testing.T) {
		c := c.In(t)
		refusal := conformance.Refused(c.Athena.StartSession(c.Ctx, &athena.StartSessionInput{WorkGroup: aws.String("absent"), EngineConfiguration: &types.EngineConfiguration{}}))(t)
		if message := refusal.ErrorMessage(); !strings.Contains(message, "lake-absent") || !strings.Contains(message, "store lake") {
			t.Error(message)
		}
	})
	t.Run("doctor", func(t *testing.T) {
		c := c.In(t)
		looked, _, _ := conformance.Outcome(t, c.Command("doctor"))
		probed, _, _ := conformance.Outcome(t, c.Command("doctor", "--probe"))
		if !strings.Contains(looked, "and has hearth-logs; buckets that only lake-*") || !strings.Contains(probed, "and takes results in hearth-logs") {
			t.Errorf("%s\n%s", looked, probed)
		}
	})
	t.Run("an outage is waited for, also by the next server", func(t *testing.T) {
		c, there := c.In(t), there.In(t)
		gate := conformance.NewGate(t)
		calculation := c.Begin(session, "print('before')\n"+gate.Code()+"print('after')")
		gate.Reached()
		line.Cut()
		gate.Open()
		goesOn := func() {
			t.Helper()
			line.AwaitRefused(t)
			c.AwaitCalculation(calculation, types.CalculationExecutionStateRunning) // which is recorded a moment after it began
			conformance.Same(t, "State of the session", c.Session(session).Status.State, types.SessionStateBusy)
		}
		goesOn()
		for _, leave := range []func(){c.Stop, c.Kill} {
			leave()
			c.Start()
			goesOn()
		}
		_, err := c.Athena.StartSession(c.Ctx, &athena.StartSessionInput{WorkGroup: aws.String("lake"), EngineConfiguration: &types.EngineConfiguration{}})
		if err == nil || !strings.Contains(err.Error(), "The store lake cannot be reached") {
			t.Errorf("a session starts without a place for its results: %v", err)
		}

		line.Restore()
		got := c.Ended(calculation)
		conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		conformance.Same(t, "stdout", there.Read(got.Result.StdOutS3Uri), "before\nafter\n")
		c.AwaitSession(session, types.SessionStateIdle)
		conformance.Same(t, "stdout", there.Read(c.Ended(c.Begin(session, "print('again')")).Result.StdOutS3Uri), "again\n")
	})
	t.Run("no secret is told", func(t *testing.T) {
		if log := c.Log(); strings.Contains(log, "not-to-be-shown") || strings.Contains(log, "OFTHELAKE") || !strings.Contains(log, "The store lake cannot be reached") {
			t.Errorf("the log is\n%s", log)
		}
	})
}
