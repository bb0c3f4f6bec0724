// Package faults has the stories of what is killed, stopped, full or worn out, and
// of servers that leave and come back.
package faults

import (
	"testing"

	"hearth/conformance"
)

func TestHearth(t *testing.T) {
	conformance.Tell(t, []conformance.Story{
		{Name: "kernel killed", Tell: kernelKilled},
		{Name: "JVM killed", Tell: jvmKilled},
		{Name: "start refused by Spark", Tell: startRefused},
	}, []conformance.OwnServer{
		{Name: "restart", Tell: restart},
		{Name: "end sessions on exit", Tell: endSessionsOnExit},
		{Name: "backup", Tell: backup},
		{Name: "disk full", Tell: diskFull},
		{Name: "large output", Tell: largeOutput},
		{Name: "many records", Tell: manyRecords},
		{Name: "descriptors exhausted", Tell: descriptorsExhausted},
		{Name: "nothing grows", Tell: nothingGrows},
		{Name: "memory", Tell: memory},
		{Name: "JVM stopped", Tell: jvmStopped},
	})
}
