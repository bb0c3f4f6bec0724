package faults

import (
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// kernelKilled kills the driver's Python in the middle of a calculation, as
// the kernel does when memory is out.
func kernelKilled(t *testing.T, c *conformance.Client) {
	id := c.StartSession()
	gate := conformance.NewGate(t)
	calculation := c.Begin(id, "print('so far')\n"+gate.Code())
	gate.Reached()
	conformance.Kill(t, testenv.Driver(t, c.Home, id).KernelPID)

	c.Failed(id, "SIGKILL")
	got := c.Ended(calculation)
	conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateFailed)
	if reason := aws.ToString(got.Status.StateChangeReason); !strings.Contains(reason, "SIGKILL") {
		t.Errorf("the calculation's StateChangeReason is %q", reason)
	}
	conformance.Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "so far\n")
	c.Read(got.Result.StdErrorS3Uri)
}

// jvmKilled kills the driver's Java process while nothing runs.
func jvmKilled(t *testing.T, c *conformance.Client) {
	id := c.StartSession()
	conformance.Kill(t, testenv.Driver(t, c.Home, id).JVMPID)
	c.Failed(id, "Java")
}

// jvmStopped stops the driver's Java process: while nothing runs, while code
// runs that does not need it, and for too long.
func jvmStopped(t *testing.T, c *conformance.Client) {
	c = c.Serve(`
		heartbeat = "500ms"
		unresponsive_after = "3s"
		lost_after = "10s"
	`)
	id := c.StartSession()
	jvm := testenv.Driver(t, c.Home, id).JVMPID
	degraded := func(c *conformance.Client) {
		conformance.Signal(c.T, jvm, syscall.SIGSTOP)
		seen := c.AwaitSession(id, types.SessionStateDegraded)
		if reason := aws.ToString(seen[len(seen)-1].StateChangeReason); reason != "The driver's Java process has not answered for 3s" {
			c.T.Errorf("its StateChangeReason is %q", reason)
		}
	}

	t.Run("while nothing runs", func(t *testing.T) {
		c := c.In(t)
		degraded(c)
		conformance.Signal(t, jvm, syscall.SIGCONT)
		c.AwaitSession(id, types.SessionStateIdle)
		conformance.Same(t, "stdout", c.Run(id, "print(1 + 1, spark.range(3).count())"), "2 3\n")
	})
	t.Run("while code runs", func(t *testing.T) {
		c, gate := c.In(t), conformance.NewGate(t)
		calculation := c.Begin(id, gate.Code()+"print(spark.range(3).count())")
		gate.Reached()
		degraded(c)
		conformance.Signal(t, jvm, syscall.SIGCONT)
		c.AwaitSession(id, types.SessionStateBusy)
		gate.Open()
		got := c.Ended(calculation)
		conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		conformance.Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "3\n")
		c.AwaitSession(id, types.SessionStateIdle)
	})
	t.Run("for too long", func(t *testing.T) {
		c := c.In(t)
		degraded(c)
		c.Failed(id, "The driver's Java process has not answered for 10s, so it was killed")
	})
}

// startRefused starts a session with a property that Spark itself refuses.
func startRefused(t *testing.T, c *conformance.Client) {
	id := c.Launch(c.With(map[string]string{"spark.driver.memory": "a lot"}))
	c.Failed(id, "a lot")
}
