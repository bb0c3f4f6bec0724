package conformance

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/internal/testenv"
)

// idleTimeout lets the AWS CLI start a session, leaves it alone, and waits for
// its shortest idle timeout. Looking at a session does not keep it.
func idleTimeout(t *testing.T, c *Client) {
	var started struct{ SessionId, State string }
	c.aws(&started, "start-session --work-group "+c.WorkGroup+" --engine-configuration MaxConcurrentDpus=2 --session-idle-timeout-in-minutes 1")
	id := started.SessionId
	c.AwaitSession(id, types.SessionStateIdle)
	c.Run(id, "1 + 1")

	t.Run("aws athena get-session-status", func(t *testing.T) {
		var status struct {
			SessionId string
			Status    struct {
				State             string
				StartDateTime     float64
				IdleSinceDateTime float64
			}
		}
		c.In(t).aws(&status, "get-session-status --session-id "+id)
		Same(t, "SessionId", status.SessionId, id)
		Same(t, "State", status.Status.State, "IDLE")
		if status.Status.StartDateTime <= 0 || status.Status.IdleSinceDateTime < status.Status.StartDateTime {
			t.Errorf("started at %f, idle since %f", status.Status.StartDateTime, status.Status.IdleSinceDateTime)
		}
	})
	t.Run("aws athena get-session", func(t *testing.T) {
		var session struct {
			SessionConfiguration struct{ IdleTimeoutSeconds, SessionIdleTimeoutInMinutes int }
		}
		c.In(t).aws(&session, "get-session --session-id "+id)
		Same(t, "IdleTimeoutSeconds", session.SessionConfiguration.IdleTimeoutSeconds, 60)
		Same(t, "SessionIdleTimeoutInMinutes", session.SessionConfiguration.SessionIdleTimeoutInMinutes, 1)
	})
	t.Run("aws athena of an unknown session", func(t *testing.T) {
		_, stderr, err := c.In(t).tryAWS("get-session-status --session-id 00000000-0000-0000-0000-000000000000")
		if err == nil || !strings.Contains(stderr, "An error occurred (InvalidRequestException) when calling the GetSessionStatus operation") {
			t.Errorf("%v: %s", err, stderr)
		}
	})
	t.Run("aws s3 mb", func(t *testing.T) {
		c := c.In(t)
		for range 2 {
			Must(c.Shell("aws s3 mb s3://a-bucket-of-their-own").Output())(t)
		}
		if out := Must(c.Shell("aws s3 ls").Output())(t); !strings.Contains(string(out), "a-bucket-of-their-own") {
			t.Errorf("listed %s", out)
		}
	})
	t.Run("aws s3 ls", func(t *testing.T) {
		command := c.In(t).Shell("aws s3 ls --recursive s3://hearth/" + id + "/")
		out := Must(command.Output())(t)
		if !strings.Contains(string(out), "/stdout") {
			t.Errorf("listed %s", out)
		}
	})

	c.AwaitSession(id, types.SessionStateTerminated)
	session := c.Session(id)
	Same(t, "StateChangeReason", aws.ToString(session.Status.StateChangeReason), "Session was terminated per request")
	Same(t, "EndDateTime is there", session.Status.EndDateTime != nil, true)
	testenv.AwaitNoProcess(t, filepath.Join(c.Home, "drivers", id))
}

// aws runs the AWS CLI and decodes its answer.
func (c *Client) aws(answer any, arguments string) {
	c.T.Helper()
	stdout, stderr, err := c.tryAWS(arguments)
	if err != nil {
		c.T.Fatalf("aws athena %s: %v\n%s", arguments, err, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), answer); err != nil {
		c.T.Fatalf("aws athena %s: %v\n%s", arguments, err, stdout)
	}
}

func (c *Client) tryAWS(arguments string) (stdout, stderr string, err error) {
	c.T.Helper()
	command := c.Shell("aws athena --output json " + arguments)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	return string(out), complaint.String(), err
}
