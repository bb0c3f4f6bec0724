// Package faults has the stories of what is killed, stopped, full or worn out, and
// of servers that leave and come back.
package faults

import (
	"testing"

	"hearth/conformance"
)

// ofTheServer is why a story is told on one engine.
const ofTheServer = "it is about the server and its files, whatever its drivers are"

var stories = []conformance.Story{
	{Name: "kernel killed", Tell: kernelKilled},
	{Name: "JVM killed", Tell: jvmKilled},
	{Name: "start refused by Spark", Tell: startRefused},
	{Name: "restart", Tell: restart},
	{Name: "end sessions on exit", Tell: endSessionsOnExit},
	{Name: "backup", Tell: backup},
	{Name: "disk full", Tell: diskFull, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "large output", Tell: largeOutput},
	{Name: "many records", Tell: manyRecords, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "descriptors exhausted", Tell: descriptorsExhausted, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "nothing grows", Tell: nothingGrows, Only: conformance.Spark35, Because: ofTheServer},
	{Name: "memory", Tell: memory},
	{Name: "JVM stopped", Tell: jvmStopped},
}

func TestHearth(t *testing.T) { conformance.Tell(t, conformance.Spark35, stories) }

func TestSpark41(t *testing.T) { conformance.Tell(t, conformance.Spark41, stories) }
