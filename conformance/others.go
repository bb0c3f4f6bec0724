package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/internal/testenv"
)

// others has clients with one session after another: the calls of Airflow's
// operator run tasks in it, then come the commands that AWS's user guide has, and
// the SDK for JavaScript lists what is left.
func others(t *testing.T, c *Client) {
	id := c.StartSession()
	t.Run("Airflow", func(t *testing.T) { c.In(t).Python("airflow_operator.py", id) })
	t.Run("AWS CLI", func(t *testing.T) { cliShapes(t, c.In(t), id) })
	t.Run("JavaScript", func(t *testing.T) {
		folder := filepath.Join("testdata", "js")
		c := c.In(t)
		c.Script(testenv.JavaScriptClients(t, folder).Command(filepath.Join(folder, "paginators.cjs"), id, c.WorkGroup))
	})
}

// cliShapes uses the forms that the CLI had when the API was new, and forms of
// output that people read.
func cliShapes(t *testing.T, c *Client, id string) {
	file := filepath.Join(t.TempDir(), "block.py")
	if err := os.WriteFile(file, []byte("print('from a file')\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var started struct{ CalculationExecutionId, State string }
	for _, form := range []struct{ flags, stdout string }{
		{`--calculation-configuration '{"CodeBlock":"print(1 + 1)"}'`, "2\n"},
		{`--calculation-configuration CodeBlock=6*7`, ""},
		{`--code-block file://` + file + ` --description "A file"`, "from a file\n"},
	} {
		c.aws(&started, "start-calculation-execution --session-id "+id+" "+form.flags)
		Same(t, "State", started.State, "CREATING")
		Same(t, "stdout of "+form.flags, c.Read(c.Ended(started.CalculationExecutionId).Result.StdOutS3Uri), form.stdout)
	}

	text := func(want, arguments string) {
		t.Helper()
		stdout, stderr, err := c.tryAWS(arguments)
		if err != nil || strings.TrimSpace(stdout) != want {
			t.Errorf("aws athena %s: %v, %q, want %q\n%s", arguments, err, stdout, want, stderr)
		}
	}
	text("COMPLETED", "get-calculation-execution --output text --query Status.State --calculation-execution-id "+started.CalculationExecutionId)
	text(`print('from a file')`, "get-calculation-execution-code --output text --query CodeBlock --calculation-execution-id "+started.CalculationExecutionId)
	text("A file", "list-calculation-executions --output text --max-results 1 --query Calculations[0].Description --session-id "+id)

	var session struct{ SessionId, State string }
	c.aws(&session, "start-session --work-group "+c.WorkGroup+" --engine-configuration '"+c.Engine.sayingAll(t)+"' "+
		`--notebook-version "Athena notebook version 1" --session-idle-timeout-in-minutes 15`)
	text("TERMINATING", "terminate-session --output text --session-id "+session.SessionId)
	c.AwaitSession(session.SessionId, types.SessionStateTerminated)
	text("Session was terminated per request", "get-session --output text --query Status.StateChangeReason --session-id "+session.SessionId)
}
