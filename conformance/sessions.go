package conformance

// Reasons why a story is told on one engine.
const (
	ofTheServer = "no code runs in a session of it, so that Spark has no part in it"
	ofDialect35 = "the client sends sizes of DPUs, which only PySpark engine version 3 takes"
)

// Sessions are the stories of sessions.
var Sessions = []Story{
	// The one that waits longest is first.
	{Name: "idle timeout", Tell: idleTimeout},
	{Name: "session", Tell: sessionLife},
	{Name: "calculations", Tell: calculations},
	{Name: "cancel", Tell: cancel},
	{Name: "magics", Tell: magics},
	{Name: "Spark 3.5", Tell: spark35, Only: Spark35, Because: "it is about what that engine takes"},
	{Name: "Spark 4.1", Tell: spark41, Only: Spark41, Because: "it is about what that engine takes and has"},
	{Name: "logs", Tell: logs},
	{Name: "lists", Tell: lists, Only: Spark35, Because: ofTheServer},
	{Name: "workgroups and engines", Tell: workgroupsAndEngines, Only: Spark35, Because: ofTheServer},
	{Name: "bad input", Tell: badInput, Only: Spark35, Because: ofTheServer},
	{Name: "bad signatures", Tell: badSignatures, Only: Spark35, Because: ofTheServer},
	{Name: "notebook page", Tell: notebookPage},
	{Name: "wire", Tell: wire, Only: Spark35, Because: ofTheServer},
	{Name: "README", Tell: readme},
	{Name: "boto3", Tell: boto3},
	{Name: "PyAthena", Tell: pyAthena},
	{Name: "awswrangler", Tell: awswrangler, Only: Spark35, Because: ofDialect35},
	{Name: "BenchBox", Tell: benchBox, Only: Spark35, Because: ofDialect35},
	{Name: "other clients", Tell: others},
	{Name: "commands", Tell: commands},
	{Name: "shell", Tell: shell},
	{Name: "encryption", Tell: encryption},
	{Name: "operations", Tell: operations, Only: Spark35, Because: "what operations answer is the server's, and the requests are of one dialect"},
	{Name: "run", Tell: run},
	{Name: "run a notebook", Tell: runNotebook},
	{Name: "serve refused", Tell: serveRefused, Only: Spark35, Because: ofTheServer},
	{Name: "quotas", Tell: quotas},
}
