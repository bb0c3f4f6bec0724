package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/internal/testenv"
)

// kernelKilled kills the driver's Python in the middle of a calculation, as
// the kernel does when memory is out.
func kernelKilled(t *testing.T, c *client) {
	id := c.start()
	gate := newGate(t)
	calculation := c.begin(id, "print('so far')\n"+gate.code())
	gate.reached()
	kill(t, testenv.Driver(t, c.Home, id).KernelPID)

	c.failed(id, "SIGKILL")
	got := c.ended(calculation)
	same(t, "State", got.Status.State, types.CalculationExecutionStateFailed)
	if reason := aws.ToString(got.Status.StateChangeReason); !strings.Contains(reason, "SIGKILL") {
		t.Errorf("the calculation's StateChangeReason is %q", reason)
	}
	same(t, "stdout", c.read(got.Result.StdOutS3Uri), "so far\n")
	c.read(got.Result.StdErrorS3Uri)
}

// jvmKilled kills the driver's Java process while nothing runs.
func jvmKilled(t *testing.T, c *client) {
	id := c.start()
	kill(t, testenv.Driver(t, c.Home, id).JVMPID)
	c.failed(id, "Java")
}

// jvmStopped stops the driver's Java process: while nothing runs, while code
// runs that does not need it, and for too long.
func jvmStopped(t *testing.T, binary string) {
	settings := filepath.Join(t.TempDir(), "hearth.toml")
	if err := os.WriteFile(settings, []byte(`
		heartbeat = "500ms"
		unresponsive_after = "3s"
		lost_after = "10s"
	`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := connect(t, testenv.Serve(t, binary, "--config", settings))
	id := c.start()
	jvm := testenv.Driver(t, c.Home, id).JVMPID
	degraded := func(c *client) {
		signal(c.t, jvm, syscall.SIGSTOP)
		seen := c.awaitSession(id, types.SessionStateDegraded)
		if reason := aws.ToString(seen[len(seen)-1].StateChangeReason); reason != "The driver's Java process has not answered for 3s" {
			c.t.Errorf("its StateChangeReason is %q", reason)
		}
	}

	t.Run("while nothing runs", func(t *testing.T) {
		c := c.in(t)
		degraded(c)
		signal(t, jvm, syscall.SIGCONT)
		c.awaitSession(id, types.SessionStateIdle)
		same(t, "stdout", c.run(id, "print(1 + 1, spark.range(3).count())"), "2 3\n")
	})
	t.Run("while code runs", func(t *testing.T) {
		c, gate := c.in(t), newGate(t)
		calculation := c.begin(id, gate.code()+"print(spark.range(3).count())")
		gate.reached()
		degraded(c)
		signal(t, jvm, syscall.SIGCONT)
		c.awaitSession(id, types.SessionStateBusy)
		gate.open()
		got := c.ended(calculation)
		same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		same(t, "stdout", c.read(got.Result.StdOutS3Uri), "3\n")
		c.awaitSession(id, types.SessionStateIdle)
	})
	t.Run("for too long", func(t *testing.T) {
		c := c.in(t)
		degraded(c)
		c.failed(id, "The driver's Java process has not answered for 10s, so it was killed")
	})
}

// startRefused starts a session with a property that Spark itself refuses.
func startRefused(t *testing.T, c *client) {
	id := c.launch(func(request *athena.StartSessionInput) {
		request.EngineConfiguration.SparkProperties = map[string]string{"spark.driver.memory": "a lot"}
	})
	c.failed(id, "a lot")
}

// failed waits until the session has failed for a reason that names cause, and
// checks what a failed session looks like.
func (c *client) failed(id, cause string) {
	t := c.t
	t.Helper()
	c.awaitSession(id, types.SessionStateFailed)
	session := must(c.athena.GetSession(c.ctx, &athena.GetSessionInput{SessionId: &id}))(t)
	if reason := aws.ToString(session.Status.StateChangeReason); !strings.Contains(reason, cause) {
		t.Errorf("the session's StateChangeReason is %q, and the cause is %q", reason, cause)
	} else {
		t.Log(reason)
	}
	same(t, "EndDateTime is there", session.Status.EndDateTime != nil, true)
	same(t, "IdleSinceDateTime is there", session.Status.IdleSinceDateTime != nil, false)

	refusal := refused(c.athena.StartCalculationExecution(c.ctx, &athena.StartCalculationExecutionInput{SessionId: &id, CodeBlock: aws.String("1")}))(t)
	same(t, "Message", refusal.ErrorMessage(), "Session is in the FAILED state; needs to be IDLE to accept Calculations.")
	terminated := must(c.athena.TerminateSession(c.ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
	same(t, "State after TerminateSession", terminated.State, types.SessionStateFailed)
	testenv.AwaitNoProcess(t, c.Home+"/drivers/"+id)
}

func kill(t *testing.T, pid int) {
	t.Helper()
	signal(t, pid, syscall.SIGKILL)
}

func signal(t *testing.T, pid int, number syscall.Signal) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("%d is no driver's process", pid)
	}
	if err := syscall.Kill(pid, number); err != nil {
		t.Fatal(err)
	}
}
