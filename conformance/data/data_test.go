// Package data has the stories of what sessions write and others read: objects
// of Hearth's own store and of others, results, tables and their formats.
package data

import (
	"testing"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// TestHearth is of conformance's kind: every story against one server, but for
// those that bring their own.
func TestHearth(t *testing.T) {
	binary := testenv.Binary(t)
	server := conformance.Connect(t, testenv.Serve(t, binary))

	for _, story := range []struct {
		name string
		tell func(*testing.T, *conformance.Client)
	}{
		{"S3 from Spark", sparkS3},
		{"dbt", dbt},
		{"boto3's objects", boto3Objects},
		{"awswrangler's objects", awswranglerObjects},
		{"the CLI's objects", cliObjects},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, server.In(t))
		})
	}
	for _, story := range []struct {
		name string
		tell func(t *testing.T, binary string)
	}{
		{"S3 suite", s3Suite},
		{"session keys", sessionKeys},
		{"stores", stores},
		{"retention", retention},
		{"catalog", catalog},
		{"table formats", tableFormats},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, binary)
		})
	}
}
