// Package tables has the stories of Spark's files and tables: on S3, in the
// catalog that sessions share, and in formats of their own.
package tables

import (
	"testing"

	"hearth/conformance"
)

func TestHearth(t *testing.T) {
	conformance.Tell(t, []conformance.Story{
		{Name: "S3 from Spark", Tell: sparkS3},
	}, []conformance.OwnServer{
		{Name: "catalog", Tell: catalog},
		{Name: "table formats", Tell: tableFormats},
	})
}
