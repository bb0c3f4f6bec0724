// Package data has the stories of what sessions write and others read: objects of
// Hearth's own store and of others, and results.
package data

import (
	"testing"

	"hearth/conformance"
)

func TestHearth(t *testing.T) {
	conformance.Tell(t, []conformance.Story{
		{Name: "dbt", Tell: dbt},
		{Name: "boto3's objects", Tell: boto3Objects},
		{Name: "awswrangler's objects", Tell: awswranglerObjects},
		{Name: "the CLI's objects", Tell: cliObjects},
	}, []conformance.OwnServer{
		{Name: "S3 suite", Tell: s3Suite},
		{Name: "session keys", Tell: sessionKeys},
		{Name: "stores", Tell: stores},
		{Name: "retention", Tell: retention},
	})
}
