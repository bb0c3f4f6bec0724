package conformance

import (
	"testing"

	"hearth/internal/testenv"
)

// TestHearth runs every story against one server, two at a time: a driver's
// start keeps both cores of a small machine busy. Stories that restart the
// server, or bring their own, start one.
func TestHearth(t *testing.T) {
	binary := testenv.Binary(t)
	server := Connect(t, testenv.Serve(t, binary))

	for _, story := range []struct {
		name string
		tell func(*testing.T, *Client)
	}{
		// The one that waits longest is first.
		{"idle timeout", idleTimeout},
		{"session", sessionLife},
		{"calculations", calculations},
		{"cancel", cancel},
		{"magics", magics},
		{"kernel killed", kernelKilled},
		{"JVM killed", jvmKilled},
		{"Spark 3.5", spark35},
		{"start refused by Spark", startRefused},
		{"logs", logs},
		{"lists", lists},
		{"workgroups and engines", workgroupsAndEngines},
		{"bad input", badInput},
		{"bad signatures", badSignatures},
		{"notebook page", notebookPage},
		{"wire", wire},
		{"README", readme},
		{"boto3", boto3},
		{"PyAthena", pyAthena},
		{"awswrangler", awswrangler},
		{"other clients", others},
		{"commands", commands},
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
		{"restart", restart},
		{"end sessions on exit", endSessionsOnExit},
		{"encryption", encryption},
		{"operations", operations},
		{"backup", backup},
		{"disk full", diskFull},
		{"large output", largeOutput},
		{"many records", manyRecords},
		{"descriptors exhausted", descriptorsExhausted},
		{"nothing grows", nothingGrows},
		{"run", run},
		{"run a notebook", runNotebook},
		{"serve refused", serveRefused},
		{"quotas", quotas},
		{"memory", memory},
		{"JVM stopped", jvmStopped},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, binary)
		})
	}
}
