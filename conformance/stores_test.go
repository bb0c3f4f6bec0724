package conformance

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

	"hearth/internal/testenv"
)

// stores keeps results in a store of somebody else, which goes away in the
// middle.
func stores(t *testing.T, binary string) {
	store := testenv.ServeS3(t)
	store.CreateBucket(t, "lake-results")
	store.CreateBucket(t, "hearth-logs")
	line := testenv.ProxyTo(t, store.URL)
	home := t.TempDir()
	for name, content := range map[string]string{
		"lake.secret": "not-to-be-shown\n",
		"hearth.toml": `
light_drivers = true
[stores.lake]
buckets = ["lake-*", "hearth-logs"]
endpoint = "` + line.URL + `"
path_style = true
access_key_id = "OFTHELAKE"
secret_access_key_file = "lake.secret"
`,
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := connect(t, testenv.ServeIn(t, home, binary))
	there := *c // reads from the store itself, as its clients do
	there.s3 = store.Client

	group := func(name, location string, change func(*types.ResultConfiguration)) {
		t.Helper()
		results := &types.ResultConfiguration{OutputLocation: &location}
		change(results)
		must(c.athena.CreateWorkGroup(c.ctx, &athena.CreateWorkGroupInput{Name: &name, Configuration: &types.WorkGroupConfiguration{
			EngineVersion:       &types.EngineVersion{SelectedEngineVersion: aws.String("PySpark engine version 3")},
			ExecutionRole:       aws.String("arn:aws:iam::123456789012:role/hearth"),
			ResultConfiguration: results,
			MonitoringConfiguration: &types.MonitoringConfiguration{
				S3LoggingConfiguration: &types.S3LoggingConfiguration{Enabled: aws.Bool(true), LogLocation: aws.String("s3://hearth-logs/")},
			},
		}}))(t)
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
	session := c.start(in("lake"))

	t.Run("results and logs are there", func(t *testing.T) {
		c, there := c.in(t), there.in(t)
		id := c.start(in("lake"))
		got := c.ended(c.begin(id, "print('hello')\n1 + 1"))
		same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		same(t, "the place of stdout", strings.HasPrefix(*got.Result.StdOutS3Uri, "s3://lake-results/results/"+id+"/"), true)
		same(t, "stdout", there.read(got.Result.StdOutS3Uri), "hello\n")
		if result := there.read(aws.String(*got.Result.ResultS3Uri + "result.json")); !strings.Contains(result, `"2"`) {
			t.Errorf("the result is %s", result)
		}
		output, _, _ := outcome(t, c.Command("calculations", "output", *got.CalculationExecutionId))
		same(t, "what hearth prints", output, "hello\n")
		must(c.athena.TerminateSession(c.ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.awaitSession(id, types.SessionStateTerminated)
		there.read(aws.String("s3://hearth-logs/" + id + "/SPARK_DRIVER/stderr"))
		if _, err := os.Stat(filepath.Join(home, "objects", "lake-results")); err == nil {
			t.Error("the bucket is on the disk")
		}
	})
	t.Run("other buckets are on the disk", func(t *testing.T) {
		c := c.in(t)
		same(t, "stdout", c.run(c.start(), "print('hello')"), "hello\n")
	})
	t.Run("a large output passes through no memory", func(t *testing.T) {
		c, there := c.in(t), there.in(t)
		const lines = 48 << 10
		got := c.ended(c.begin(session, fmt.Sprintf("for i in range(%d): print(f'{i:01023}')", lines)))
		same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		bucket, key, _ := strings.Cut(strings.TrimPrefix(*got.Result.StdOutS3Uri, "s3://"), "/")
		head := must(there.s3.HeadObject(there.ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))(t)
		same(t, "ContentLength", aws.ToInt64(head.ContentLength), int64(lines<<10))
		output, _, _ := outcome(t, c.Command("calculations", "output", *got.CalculationExecutionId))
		same(t, "the last line that hearth prints", output[max(0, len(output)-1024):], fmt.Sprintf("%01023d\n", lines-1))
		most := mostMemory(t, c.PID())
		t.Logf("the server took %d MiB at the most", most)
		if most > mostMiB {
			t.Errorf("that is more than %d MiB", mostMiB)
		}
	})
	t.Run("output is followed", func(t *testing.T) {
		c := c.in(t)
		gate := newGate(t)
		calculation := c.begin(session, "print('before', flush=True)\n"+gate.code()+"print('after')")
		gate.reached()
		now, _, _ := outcome(t, c.Command("calculations", "output", calculation))
		same(t, "what there is now", now, "before\n")
		follow := c.Command("calculations", "output", calculation, "--follow")
		out := must(follow.StdoutPipe())(t)
		if err := follow.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, len("before\n"))
		must(io.ReadFull(out, line))(t)
		same(t, "what comes first", string(line), "before\n")
		gate.open()
		same(t, "what comes then", string(must(io.ReadAll(out))(t)), "after\n")
		if err := follow.Wait(); err != nil {
			t.Error(err)
		}
	})
	t.Run("hearth run", func(t *testing.T) {
		c := c.in(t)
		stdout, stderr, status := outcome(t, c.Command("run", "--workgroup", "lake", "-c", "print('hello')\n1 + 1"))
		same(t, "exit status", status, 0)
		same(t, "stdout", stdout, "hello\n2\n")
		if !strings.Contains(stderr, "s3://lake-results/results/") {
			t.Errorf("stderr is %s", stderr)
		}
	})
	t.Run("SSE_KMS is the store's to carry out", func(t *testing.T) {
		c, there := c.in(t), there.in(t)
		got := c.ended(c.begin(c.start(in("encrypted")), "print('hello')"))
		bucket, key, _ := strings.Cut(strings.TrimPrefix(*got.Result.StdOutS3Uri, "s3://"), "/")
		head := must(there.s3.HeadObject(there.ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))(t)
		same(t, "ServerSideEncryption", head.ServerSideEncryption, s3types.ServerSideEncryptionAwsKms)
		same(t, "SSEKMSKeyId", strings.HasSuffix(aws.ToString(head.SSEKMSKeyId), "alias/results"), true)
	})
	t.Run("a bucket that is not there is found before there is a session", func(t *testing.T) {
		c := c.in(t)
		refusal := refused(c.athena.StartSession(c.ctx, &athena.StartSessionInput{WorkGroup: aws.String("absent"), EngineConfiguration: &types.EngineConfiguration{}}))(t)
		if message := refusal.ErrorMessage(); !strings.Contains(message, "lake-absent") || !strings.Contains(message, "store lake") {
			t.Error(message)
		}
	})
	t.Run("doctor", func(t *testing.T) {
		c := c.in(t)
		looked, _, _ := outcome(t, c.Command("doctor"))
		probed, _, _ := outcome(t, c.Command("doctor", "--probe"))
		if !strings.Contains(looked, "and has hearth-logs; buckets that only lake-*") || !strings.Contains(probed, "and takes results in hearth-logs") {
			t.Errorf("%s\n%s", looked, probed)
		}
	})
	t.Run("an outage is waited for, also by the next server", func(t *testing.T) {
		c, there := c.in(t), there.in(t)
		gate := newGate(t)
		calculation := c.begin(session, "print('before')\n"+gate.code()+"print('after')")
		gate.reached()
		line.Cut()
		gate.open()
		goesOn := func() {
			t.Helper()
			line.AwaitRefused(t)
			got := must(c.athena.GetCalculationExecution(c.ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: &calculation}))(t)
			same(t, "State", got.Status.State, types.CalculationExecutionStateRunning)
			same(t, "State of the session", c.session(session).Status.State, types.SessionStateBusy)
		}
		goesOn()
		for _, leave := range []func(){c.Stop, c.Kill} {
			leave()
			c.Start()
			goesOn()
		}
		_, err := c.athena.StartSession(c.ctx, &athena.StartSessionInput{WorkGroup: aws.String("lake"), EngineConfiguration: &types.EngineConfiguration{}})
		if err == nil || !strings.Contains(err.Error(), "The store lake cannot be reached") {
			t.Errorf("a session starts without a place for its results: %v", err)
		}

		line.Restore()
		got := c.ended(calculation)
		same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		same(t, "stdout", there.read(got.Result.StdOutS3Uri), "before\nafter\n")
		c.awaitSession(session, types.SessionStateIdle)
		same(t, "stdout", there.read(c.ended(c.begin(session, "print('again')")).Result.StdOutS3Uri), "again\n")
	})
	t.Run("no secret is told", func(t *testing.T) {
		if log := c.Log(); strings.Contains(log, "not-to-be-shown") || strings.Contains(log, "OFTHELAKE") || !strings.Contains(log, "The store lake cannot be reached") {
			t.Errorf("the log is\n%s", log)
		}
	})
}
