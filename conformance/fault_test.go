package conformance

import (
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
	if pid <= 1 {
		t.Fatalf("%d is no driver's process", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
