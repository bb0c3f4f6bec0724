package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// commands uses hearth's own commands with a server that runs.
func commands(t *testing.T, c *Client) {
	hearth := func(args ...string) string {
		t.Helper()
		stdout, stderr, status := Outcome(t, c.Command(args...))
		if status != 0 {
			t.Fatalf("hearth %s: exit status %d\n%s", strings.Join(args, " "), status, stderr)
		}
		return stdout
	}
	var started struct{ SessionId string }
	if err := json.Unmarshal([]byte(hearth("sessions", "start", "--workgroup", c.WorkGroup, "--output", "json")), &started); err != nil {
		t.Fatal(err)
	}
	id := started.SessionId
	hearth("sessions", "wait", id)
	c.AwaitSession(id, types.SessionStateIdle)
	has := func(what, text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s is without %q:\n%s", what, part, text)
			}
		}
	}
	has("hearth sessions list", hearth("sessions", "list", "--workgroup", c.WorkGroup), id, "IDLE")
	has("hearth sessions show", hearth("sessions", "show", id), id, "IDLE", c.WorkGroup, "spark_context")
	has("hearth workgroups list", hearth("workgroups", "list"), "primary", "spark-3.5", c.WorkGroup)
	has("hearth engines list", hearth("engines", "list"), c.Engine.Spark)
	has("hearth doctor", hearth("doctor"), "Java", "Python")
	has("hearth run", hearth("run", "--workgroup", c.WorkGroup, "-c", "print('on a server')"), "on a server\n")
	hearth("sessions", "stop", id)
	c.AwaitSession(id, types.SessionStateTerminated)

	t.Run("a second server of the same data", func(t *testing.T) {
		_, stderr, status := Outcome(t, c.Command("serve", "--listen", "127.0.0.1:0"))
		Same(t, "exit status", status, 1)
		has("stderr", stderr, c.Home, "--data")
	})
}
