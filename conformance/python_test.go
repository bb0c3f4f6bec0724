package conformance

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearth/internal/testenv"
)

// boto3 runs testdata/boto3_session.py: a session from start to end, and its
// results through S3.
func boto3(t *testing.T, c *client) { c.python("boto3_session.py") }

// pyAthena runs testdata/pyathena_cursor.py.
func pyAthena(t *testing.T, c *client) { c.python("pyathena_cursor.py") }

// awswrangler runs testdata/awswrangler_session.py.
func awswrangler(t *testing.T, c *client) { c.python("awswrangler_session.py") }

// python runs a script of testdata with the clients' Python.
func (c *client) python(script string, args ...string) string {
	c.t.Helper()
	args = append([]string{filepath.Join("testdata", script)}, args...)
	return c.script(exec.CommandContext(c.ctx, testenv.PythonClients(c.t).Python, args...))
}

// script runs a program that fails by an exception, and gives its stdout. Its
// environment points it at the server and is all that does.
func (c *client) script(program *exec.Cmd) string {
	c.t.Helper()
	program.Env = append(program.Env, c.oneEndpoint()...)
	stdout, stderr, status := outcome(c.t, program)
	if status != 0 {
		c.t.Errorf("%v: exit status %d\n%s%s", program.Args, status, stdout, stderr)
	}
	return stdout
}

// oneEndpoint is the environment of somebody who comes from AWS and has set
// AWS_ENDPOINT_URL, beside keys and a region.
func (c *client) oneEndpoint() []string {
	env := slices.DeleteFunc(c.ClientEnv(), func(v string) bool { return strings.HasPrefix(v, "AWS_ENDPOINT_URL_") })
	return append(env, "AWS_ENDPOINT_URL="+c.URL)
}
