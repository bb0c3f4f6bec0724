package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/smithy-go"
)

// quotas lets one session run and one wait, and two calls of GetWorkGroup pass.
func quotas(t *testing.T, c *Client) {
	c = c.Serve(fmt.Sprintf(`
		[workgroups.%q]
		sessions = 1
		queue = 1

		[throttle.operations.GetWorkGroup]
		rate = 0.0001
		burst = 2
	`, c.WorkGroup))
	impatient := func(o *athena.Options) { o.Retryer = aws.NopRetryer{} }
	place := "Waiting: position 1 of 1 in the queue of WorkGroup " + c.WorkGroup + ", which has 1 of 1 sessions."

	first := c.Launch()
	second := c.Launch()
	waits := func(t *testing.T, id string) {
		t.Helper()
		status := c.In(t).Session(id).Status
		Same(t, "State", status.State, types.SessionStateCreating)
		Same(t, "StateChangeReason", aws.ToString(status.StateChangeReason), place)
		if _, err := os.Stat(filepath.Join(c.Home, "drivers", id)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it has a driver: %v", err)
		}
	}

	t.Run("the second session waits and says where", func(t *testing.T) {
		waits(t, second)
		status := Must(c.Athena.GetSessionStatus(t.Context(), &athena.GetSessionStatusInput{SessionId: &second}))(t).Status
		Same(t, "StateChangeReason", aws.ToString(status.StateChangeReason), place)
		for _, command := range [][]string{{"sessions", "list", "--workgroup", c.WorkGroup}, {"sessions", "show", second}} {
			out := Must(c.Command(command...).Output())(t)
			if !strings.Contains(string(out), place) {
				t.Errorf("hearth %s says\n%s", strings.Join(command, " "), out)
			}
		}
	})
	t.Run("the third is refused", func(t *testing.T) {
		_, err := c.Athena.StartSession(t.Context(), &athena.StartSessionInput{
			WorkGroup: &c.WorkGroup, EngineConfiguration: &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(2)},
		}, impatient)
		refusal, ok := errors.AsType[*types.TooManyRequestsException](err)
		if !ok || !strings.HasPrefix(refusal.ErrorMessage(), "Maximum allowed sessions reached") || refusal.Reason != "" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a restart keeps the queue", func(t *testing.T) {
		c.Kill()
		c.Start()
		waits(t, second)
	})
	t.Run("the first's end lets the second start", func(t *testing.T) {
		Must(c.Athena.TerminateSession(t.Context(), &athena.TerminateSessionInput{SessionId: &first}))(t)
		c := c.In(t)
		c.AwaitSession(first, types.SessionStateTerminated)
		c.AwaitSession(second, types.SessionStateIdle)
		Same(t, "stdout", c.Run(second, "print(spark.range(3).count())"), "3\n")
	})
	t.Run("one that waits ends without a driver", func(t *testing.T) {
		c := c.In(t)
		third := c.Launch()
		waits(t, third)
		Must(c.Athena.TerminateSession(t.Context(), &athena.TerminateSessionInput{SessionId: &third}))(t)
		c.AwaitSession(third, types.SessionStateTerminated)
		if _, err := os.Stat(filepath.Join(c.Home, "drivers", third)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it had a driver: %v", err)
		}
	})
	t.Run("calls over the rate are throttled", func(t *testing.T) {
		get := func() error {
			_, err := c.Athena.GetWorkGroup(t.Context(), &athena.GetWorkGroupInput{WorkGroup: aws.String("primary")}, impatient)
			return err
		}
		for range 2 {
			if err := get(); err != nil {
				t.Fatal(err)
			}
		}
		refusal, ok := errors.AsType[smithy.APIError](get())
		if !ok || refusal.ErrorCode() != "ThrottlingException" || refusal.ErrorMessage() != "Rate exceeded" {
			t.Errorf("got %v", refusal)
		}
		Must(c.Athena.ListWorkGroups(t.Context(), &athena.ListWorkGroupsInput{}, impatient))(t)
	})
}
