// Package data has the stories of what sessions write and others read: objects of
// Hearth's own store and of others, and results.
package data

import (
	"testing"

	"hearth/conformance"
)

// ofTheServer is why a story is told on one engine.
const ofTheServer = "it is about the server's objects, and has no session or a light one"

var stories = []conformance.Story{
	{Name: "dbt", Tell: dbt, Only: conformance.Spark35, Because: "dbt sends sizes of DPUs and SparkProperties, which only PySpark engine version 3 takes"},
	{Name: "boto3's objects", Tell: boto3Objects, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "awswrangler's objects", Tell: awswranglerObjects, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "the CLI's objects", Tell: cliObjects, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "S3 suite", Tell: s3Suite, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "session keys", Tell: sessionKeys},
	{Name: "stores", Tell: stores},
	{Name: "retention", Tell: retention, Only: conformance.Spark35, Because: ofTheServer},
}

func TestHearth(t *testing.T) { conformance.Tell(t, conformance.Spark35, stories) }

func TestSpark41(t *testing.T) { conformance.Tell(t, conformance.Spark41, stories) }
