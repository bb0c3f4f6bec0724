// Package tables has the stories of Spark's files and tables: on S3, in the
// catalog that sessions share, and in formats of their own.
package tables

import (
	"testing"

	"hearth/conformance"
)

var stories = []conformance.Story{
	{Name: "S3 from Spark", Tell: sparkS3},
	{Name: "catalog", Tell: catalog},
	{Name: "table formats", Tell: tableFormats, Only: conformance.Spark35, Because: "a session there cannot have both formats"},
	{Name: "table formats apart", Tell: tableFormatsApart, Only: conformance.Spark41, Because: "a session there can have both formats"},
}

func TestHearth(t *testing.T) { conformance.Tell(t, conformance.Spark35, stories) }

func TestSpark41(t *testing.T) { conformance.Tell(t, conformance.Spark41, stories) }
