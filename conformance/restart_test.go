package conformance

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"hearth/internal/testenv"
)

// restart ends the server both ways while a calculation runs, and checks that
// the next one adopts the session and loses nothing.
func restart(t *testing.T, binary string) {
	c := connect(t, testenv.Serve(t, binary))
	request := &athena.StartSessionInput{}
	id := c.start(func(r *athena.StartSessionInput) {
		r.ClientRequestToken = aws.String(token())
		request = r
	})
	c.run(id, "kept = 'kept'")
	driver := testenv.Driver(t, c.Home, id)

	for _, way := range []struct {
		name    string
		end     func()
		endCode bool // whether the calculation ends during the outage
	}{
		{"SIGTERM", c.Stop, false},
		{"kill -9", c.Kill, true},
	} {
		t.Run(way.name, func(t *testing.T) {
			c := c.in(t)
			gate, last := newGate(t), newGate(t)
			calculation := c.begin(id, "print('before')\n"+gate.code()+"print('after', kept)\npathlib.Path('"+last.folder+"/reached').touch()\n'a value'")
			gate.reached()
			way.end()
			if way.endCode {
				gate.open()
				last.reached()
			}
			c.Start()
			if !way.endCode {
				same(t, "State", c.session(id).Status.State, types.SessionStateBusy)
				gate.open()
			}
			got := c.ended(calculation)
			same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
			same(t, "stdout", c.read(got.Result.StdOutS3Uri), "before\nafter kept\n")
			c.awaitSession(id, types.SessionStateIdle)
			same(t, "stdout", c.run(id, "print(kept, spark.range(3).count())"), "kept 3\n")
			if diff := cmp.Diff(driver, testenv.Driver(t, c.Home, id)); diff != "" {
				t.Errorf("the driver is another one:\n%s", diff)
			}
		})
	}
	t.Run("a write to S3 waits for the server", func(t *testing.T) {
		c := c.in(t)
		gate := newGate(t)
		calculation := c.begin(id, gatedWrite("s3://hearth/waited", gate))
		gate.reached()
		c.Kill()
		gate.open()
		awaitFile(t, filepath.Join(gate.folder, "passed"))
		c.Start()
		got := c.ended(calculation)
		same(t, "StateChangeReason", aws.ToString(got.Status.StateChangeReason), "")
		same(t, "stdout", c.run(id, "print(spark.read.parquet('s3://hearth/waited').count())"), "1000\n")
	})
	t.Run("a token is remembered", func(t *testing.T) {
		same(t, "the session", *must(c.athena.StartSession(c.ctx, request))(t).SessionId, id)
	})
	t.Run("a driver that died meanwhile", func(t *testing.T) {
		c := c.in(t)
		gate := newGate(t)
		c.begin(id, gatedWrite("s3://hearth/never", gate))
		gate.reached()
		c.Kill()
		kill(t, driver.JVMPID)
		testenv.AwaitNoProcess(t, c.Home+"/drivers/"+id)
		c.Start()
		c.failed(id, "Java")
		listed := must(c.s3.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: aws.String("hearth"), Prefix: aws.String("never/")}))(t)
		for _, o := range listed.Contents {
			if key := aws.ToString(o.Key); key != "never/" { // a folder, as S3A marks one
				t.Errorf("half a write shows: %s", key)
			}
		}
	})
	t.Run("ended sessions stay as they were", func(t *testing.T) {
		c := c.in(t)
		before := c.session(id)
		c.Stop()
		c.Start()
		after := c.session(id)
		same(t, "State", after.Status.State, before.Status.State)
		same(t, "LastModifiedDateTime", *after.Status.LastModifiedDateTime, *before.Status.LastModifiedDateTime)
		same(t, "StateChangeReason", aws.ToString(after.Status.StateChangeReason), aws.ToString(before.Status.StateChangeReason))
		same(t, "DpuExecutionInMillis", aws.ToInt64(after.Statistics.DpuExecutionInMillis), aws.ToInt64(before.Statistics.DpuExecutionInMillis))
	})
}

// gatedWrite writes a thousand rows to a path, and waits at the gate after them.
func gatedWrite(path string, g gate) string {
	return fmt.Sprintf(`
def rows(batches):
    yield from batches
    exec(%q, globals())
    pathlib.Path(%q).touch()

spark.range(1000, numPartitions=2).mapInPandas(rows, "id long").write.parquet(%q)
`, g.code(), filepath.Join(g.folder, "passed"), path)
}

// endSessionsOnExit ends a server that was told to take its sessions with it.
func endSessionsOnExit(t *testing.T, binary string) {
	c := connect(t, testenv.Serve(t, binary, "--end-sessions-on-exit"))
	id := c.launch()
	c.Stop()
	testenv.AwaitNoProcess(t, c.Home+"/drivers/"+id)
	c.Start()
	same(t, "State", c.session(id).Status.State, types.SessionStateTerminated)
}

func (c *client) session(id string) *athena.GetSessionOutput {
	c.t.Helper()
	return must(c.athena.GetSession(c.ctx, &athena.GetSessionInput{SessionId: &id}))(c.t)
}
