package conformance

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/internal/testenv"
)

// shell is `hearth shell`, on a session that is there and on one of its own.
func shell(t *testing.T, c *Client) {
	id := c.StartSession()
	pipe := func(t *testing.T, text string, args ...string) (stdout, stderr string, status int) {
		command := c.Command(append([]string{"shell"}, args...)...)
		command.Stdin = strings.NewReader(text)
		return Outcome(t, command)
	}

	t.Run("cells of Python and SQL", func(t *testing.T) {
		stdout, stderr, status := pipe(t, `
def double(x):
    # an empty line does not end it

    return 2 * x
double(21)
%%sql
SELECT id FROM range(1)

df = spark.range(1)
%table df
import sys; print("bye", file=sys.stderr)
`, id)
		Same(t, "stdout", stdout, "42\n+---+\n| id|\n+---+\n|  0|\n+---+\n\n id\n  0\n")
		Same(t, "stderr", stderr, "bye\n")
		Same(t, "exit status", status, 0)
	})
	t.Run("an error ends it, as Python shows it", func(t *testing.T) {
		stdout, stderr, status := pipe(t, "print('so far')\nfoobar\nprint('no')", id)
		Same(t, "stdout", stdout, "so far\n")
		if !strings.HasSuffix(stderr, "NameError: name 'foobar' is not defined\n") {
			t.Errorf("stderr is %q", stderr)
		}
		Same(t, "exit status", status, 1)
		_, _, status = pipe(t, "sys.exit(3)", id)
		Same(t, "exit status", status, 3)
	})
	t.Run("a session of its own, which ends with it", func(t *testing.T) {
		stdout, stderr, status := pipe(t, "print(1)", "--workgroup", c.WorkGroup)
		Same(t, "stdout", stdout, "1\n")
		Same(t, "exit status", status, 0)
		own := Found(t, stderr, `Starting session (\S+)`)
		Same(t, "State", c.In(t).Session(own).Status.State, types.SessionStateTerminated)
	})
	t.Run("at a terminal", func(t *testing.T) {
		c := c.In(t)
		terminal := testenv.Type(t, c.Command("shell", id))
		terminal.Expect("Session " + id + " is IDLE. Ctrl-D leaves.\n>>> ")
		terminal.Write("for i in range(2):\r")
		terminal.Expect("... ")
		terminal.Write("\tprint('line', i)\r")
		terminal.Expect("... ")
		terminal.Write("\r")
		terminal.Expect("\nline 0\nline 1\n>>> ")
		terminal.Write("import time; print('waiting', flush=True); time.sleep(600)\r")
		terminal.Expect("\nwaiting\n")
		terminal.Write("\x03")
		terminal.Expect("CANCELED\n>>> ")

		busy := NewGate(t)
		theirs := c.Begin(id, busy.Code())
		busy.Reached()
		terminal.Write("'mine'\r")
		terminal.Expect("\nSession " + id + " is BUSY. Waiting until it is IDLE.\n")
		busy.Open()
		terminal.Expect("'mine'\n>>> ")
		Same(t, "State", c.Ended(theirs).Status.State, types.CalculationExecutionStateCompleted)

		Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		terminal.Expect("\nhearth: Session " + id + " is TERMINATED")
		terminal.Leaves(1)
	})
}
