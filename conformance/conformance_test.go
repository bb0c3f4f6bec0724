package conformance

import "testing"

func TestHearth(t *testing.T) {
	Tell(t, []Story{
		// The one that waits longest is first.
		{Name: "idle timeout", Tell: idleTimeout},
		{Name: "session", Tell: sessionLife},
		{Name: "calculations", Tell: calculations},
		{Name: "cancel", Tell: cancel},
		{Name: "magics", Tell: magics},
		{Name: "Spark 3.5", Tell: spark35},
		{Name: "logs", Tell: logs},
		{Name: "lists", Tell: lists},
		{Name: "workgroups and engines", Tell: workgroupsAndEngines},
		{Name: "bad input", Tell: badInput},
		{Name: "bad signatures", Tell: badSignatures},
		{Name: "notebook page", Tell: notebookPage},
		{Name: "wire", Tell: wire},
		{Name: "README", Tell: readme},
		{Name: "boto3", Tell: boto3},
		{Name: "PyAthena", Tell: pyAthena},
		{Name: "awswrangler", Tell: awswrangler},
		{Name: "other clients", Tell: others},
		{Name: "commands", Tell: commands},
	}, []OwnServer{
		{Name: "encryption", Tell: encryption},
		{Name: "operations", Tell: operations},
		{Name: "run", Tell: run},
		{Name: "run a notebook", Tell: runNotebook},
		{Name: "serve refused", Tell: serveRefused},
		{Name: "quotas", Tell: quotas},
	})
}
