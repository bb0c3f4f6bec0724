package conformance

import (
	"os/exec"
	"path/filepath"
	"testing"

	"hearth/internal/testenv"
)

// boto3 runs testdata/boto3_session.py: a session from start to end, and its
// results through S3.
func boto3(t *testing.T, c *client) { c.python("boto3_session.py") }

// pyAthena runs testdata/pyathena_cursor.py.
func pyAthena(t *testing.T, c *client) { c.python("pyathena_cursor.py") }

// python runs a script of testdata, pointed at the server by its environment
// alone. The script fails by an exception.
func (c *client) python(script string) {
	c.t.Helper()
	command := exec.CommandContext(c.ctx, testenv.PythonClients(c.t).Python, filepath.Join("testdata", script))
	command.Env = c.ClientEnv()
	if out, err := command.CombinedOutput(); err != nil {
		c.t.Errorf("%s: %v\n%s", script, err, out)
	}
}
