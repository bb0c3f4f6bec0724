package faults

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// restart ends the server both ways while a calculation runs, and checks that
// the next one adopts the session and loses nothing.
func restart(t *testing.T, c *conformance.Client) {
	c = c.Serve("")
	request := &athena.StartSessionInput{}
	id := c.StartSession(func(r *athena.StartSessionInput) {
		r.ClientRequestToken = aws.String(conformance.Token())
		request = r
	})
	c.Run(id, "kept = 'kept'")
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
			c := c.In(t)
			gate, last := conformance.NewGate(t), conformance.NewGate(t)
			calculation := c.Begin(id, "print('before')\n"+gate.Code()+"print('after', kept)\npathlib.Path('"+last.Folder+"/reached').touch()\n'a value'")
			gate.Reached()
			way.end()
			if way.endCode {
				gate.Open()
				last.Reached()
			}
			c.Start()
			if !way.endCode {
				conformance.Same(t, "State", c.Session(id).Status.State, types.SessionStateBusy)
				gate.Open()
			}
			got := c.Ended(calculation)
			conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
			conformance.Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "before\nafter kept\n")
			c.AwaitSession(id, types.SessionStateIdle)
			conformance.Same(t, "stdout", c.Run(id, "print(kept, spark.range(3).count())"), "kept 3\n")
			if diff := cmp.Diff(driver, testenv.Driver(t, c.Home, id)); diff != "" {
				t.Errorf("the driver is another one:\n%s", diff)
			}
		})
	}
	t.Run("a write to S3 waits for the server", func(t *testing.T) {
		c := c.In(t)
		gate := conformance.NewGate(t)
		calculation := c.Begin(id, gatedWrite("s3://hearth/waited", gate))
		gate.Reached()
		c.Kill()
		gate.Open()
		conformance.AwaitFile(t, filepath.Join(gate.Folder, "passed"))
		c.Start()
		got := c.Ended(calculation)
		conformance.Same(t, "StateChangeReason", aws.ToString(got.Status.StateChangeReason), "")
		conformance.Same(t, "stdout", c.Run(id, "print(spark.read.parquet('s3://hearth/waited').count())"), "1000\n")
	})
	t.Run("a token is remembered", func(t *testing.T) {
		conformance.Same(t, "the session", *conformance.Must(c.Athena.StartSession(c.Ctx, request))(t).SessionId, id)
	})
	t.Run("a driver that died meanwhile", func(t *testing.T) {
		c := c.In(t)
		gate := conformance.NewGate(t)
		c.Begin(id, gatedWrite("s3://hearth/never", gate))
		gate.Reached()
		c.Kill()
		conformance.Kill(t, driver.JVMPID)
		testenv.AwaitNoProcess(t, c.Home+"/drivers/"+id)
		c.Start()
		c.Failed(id, "Java")
		listed := conformance.Must(c.S3.ListObjectsV2(c.Ctx, &s3.ListObjectsV2Input{Bucket: aws.String("hearth"), Prefix: aws.String("never/")}))(t)
		for _, o := range listed.Contents {
			if key := aws.ToString(o.Key); key != "never/" { // a folder, as S3A marks one
				t.Errorf("half a write shows: %s", key)
			}
		}
	})
	t.Run("ended sessions stay as they were", func(t *testing.T) {
		c := c.In(t)
		before := c.Session(id)
		c.Stop()
		c.Start()
		after := c.Session(id)
		conformance.Same(t, "State", after.Status.State, before.Status.State)
		conformance.Same(t, "LastModifiedDateTime", *after.Status.LastModifiedDateTime, *before.Status.LastModifiedDateTime)
		conformance.Same(t, "StateChangeReason", aws.ToString(after.Status.StateChangeReason), aws.ToString(before.Status.StateChangeReason))
		conformance.Same(t, "DpuExecutionInMillis", aws.ToInt64(after.Statistics.DpuExecutionInMillis), aws.ToInt64(before.Statistics.DpuExecutionInMillis))
	})
}

// gatedWrite writes a thousand rows to a path, and waits at the gate after them.
func gatedWrite(path string, g conformance.Gate) string {
	return fmt.Sprintf(`
def rows(batches):
    yield from batches
    exec(%q, globals())
    pathlib.Path(%q).touch()

spark.range(1000, numPartitions=2).mapInPandas(rows, "id long").write.parquet(%q)
`, g.Code(), filepath.Join(g.Folder, "passed"), path)
}

// endSessionsOnExit ends a server that was told to take its sessions with it.
func endSessionsOnExit(t *testing.T, c *conformance.Client) {
	c = c.Serve("", "--end-sessions-on-exit")
	id := c.Launch()
	c.Stop()
	testenv.AwaitNoProcess(t, c.Home+"/drivers/"+id)
	c.Start()
	conformance.Same(t, "State", c.Session(id).Status.State, types.SessionStateTerminated)
}
