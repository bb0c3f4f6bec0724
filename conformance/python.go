package conformance

import (
	"testing"
)

// benchBox runs testdata/benchbox_queries.py.
func benchBox(t *testing.T, c *Client) { c.Python("benchbox_queries.py") }

// boto3 runs testdata/boto3_session.py: a session from start to end, and its
// results through S3.
func boto3(t *testing.T, c *Client) {
	c.Python("boto3_session.py", c.WorkGroup, c.Engine.sayingAll(t))
}

// pyAthena runs testdata/pyathena_cursor.py, with PyAthena's own configuration of
// the engine where the engine takes it.
func pyAthena(t *testing.T, c *Client) {
	configuration := "null"
	if c.Engine.classifies() {
		configuration = c.Engine.sayingAll(t)
	}
	c.Python("pyathena_cursor.py", c.WorkGroup, configuration)
}

// awswrangler runs testdata/awswrangler_session.py.
func awswrangler(t *testing.T, c *Client) { c.Python("awswrangler_session.py") }
