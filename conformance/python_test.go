package conformance

import (
	"testing"
)

// boto3 runs testdata/boto3_session.py: a session from start to end, and its
// results through S3.
func boto3(t *testing.T, c *Client) { c.Python("boto3_session.py") }

// pyAthena runs testdata/pyathena_cursor.py.
func pyAthena(t *testing.T, c *Client) { c.Python("pyathena_cursor.py") }

// awswrangler runs testdata/awswrangler_session.py.
func awswrangler(t *testing.T, c *Client) { c.Python("awswrangler_session.py") }
