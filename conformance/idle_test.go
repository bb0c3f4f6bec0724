package conformance

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/internal/testenv"
)

// idleTimeout lets the AWS CLI start a session, leaves it alone, and waits for
// its shortest idle timeout. Looking at a session does not keep it.
func idleTimeout(t *testing.T, c *client) {
	var started struct{ SessionId, State string }
	c.aws(&started, `start-session --work-group primary --engine-configuration MaxConcurrentDpus=2 --session-idle-timeout-in-minutes 1`)
	id := started.SessionId
	c.awaitSession(id, types.SessionStateIdle)
	c.run(id, "1 + 1")

	t.Run("aws athena get-session-status", func(t *testing.T) {
		var status struct {
			SessionId string
			Status    struct {
				State             string
				StartDateTime     float64
				IdleSinceDateTime float64
			}
		}
		c.in(t).aws(&status, "get-session-status --session-id "+id)
		same(t, "SessionId", status.SessionId, id)
		same(t, "State", status.Status.State, "IDLE")
		if status.Status.StartDateTime <= 0 || status.Status.IdleSinceDateTime < status.Status.StartDateTime {
			t.Errorf("started at %f, idle since %f", status.Status.StartDateTime, status.Status.IdleSinceDateTime)
		}
	})
	t.Run("aws athena get-session", func(t *testing.T) {
		var session struct {
			SessionConfiguration struct{ IdleTimeoutSeconds, SessionIdleTimeoutInMinutes int }
		}
		c.in(t).aws(&session, "get-session --session-id "+id)
		same(t, "IdleTimeoutSeconds", session.SessionConfiguration.IdleTimeoutSeconds, 60)
		same(t, "SessionIdleTimeoutInMinutes", session.SessionConfiguration.SessionIdleTimeoutInMinutes, 1)
	})
	t.Run("aws athena of an unknown session", func(t *testing.T) {
		_, stderr, err := c.in(t).tryAWS("get-session-status --session-id 00000000-0000-0000-0000-000000000000")
		if err == nil || !strings.Contains(stderr, "An error occurred (InvalidRequestException) when calling the GetSessionStatus operation") {
			t.Errorf("%v: %s", err, stderr)
		}
	})
	t.Run("aws s3 mb", func(t *testing.T) {
		c := c.in(t)
		for range 2 {
			must(c.shell("aws s3 mb s3://a-bucket-of-their-own").Output())(t)
		}
		if out := must(c.shell("aws s3 ls").Output())(t); !strings.Contains(string(out), "a-bucket-of-their-own") {
			t.Errorf("listed %s", out)
		}
	})
	t.Run("aws s3 ls", func(t *testing.T) {
		command := c.in(t).shell("aws s3 ls --recursive s3://hearth/" + id + "/")
		out := must(command.Output())(t)
		if !strings.Contains(string(out), "/stdout") {
			t.Errorf("listed %s", out)
		}
	})

	c.awaitSession(id, types.SessionStateTerminated)
	session := c.session(id)
	same(t, "StateChangeReason", aws.ToString(session.Status.StateChangeReason), "Session was terminated per request")
	same(t, "EndDateTime is there", session.Status.EndDateTime != nil, true)
	testenv.AwaitNoProcess(t, filepath.Join(c.Home, "drivers", id))
}

// aws runs the AWS CLI and decodes its answer.
func (c *client) aws(answer any, arguments string) {
	c.t.Helper()
	stdout, stderr, err := c.tryAWS(arguments)
	if err != nil {
		c.t.Fatalf("aws athena %s: %v\n%s", arguments, err, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), answer); err != nil {
		c.t.Fatalf("aws athena %s: %v\n%s", arguments, err, stdout)
	}
}

func (c *client) tryAWS(arguments string) (stdout, stderr string, err error) {
	c.t.Helper()
	command := c.shell("aws athena --output json " + arguments)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	return string(out), complaint.String(), err
}

// shell runs a command line as a user would after eval "$(hearth env)".
func (c *client) shell(line string) *exec.Cmd {
	c.t.Helper()
	command := exec.Command("sh", "-c", `PATH="$0:$PATH"; `+line, testenv.PythonClients(c.t).Bin)
	command.Env = c.ClientEnv()
	return command
}
