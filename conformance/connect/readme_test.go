package connect

import (
	"context"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/athena"

	"hearth/conformance"
)

// readme runs the README's example of Spark Connect as it is printed there, and
// gives the session that it has started.
func (w *world) readme() (session string) {
	w.T.Helper()
	text := conformance.Must(os.ReadFile("../../README.md"))(w.T)
	example := ""
	for _, block := range strings.Split(string(text), "```python\n")[1:] {
		if code, _, _ := strings.Cut(block, "```"); strings.Contains(code, "pyspark.sql") {
			example = code
		}
	}
	if example == "" {
		w.T.Fatal("README.md has no example of Spark Connect")
	}
	out := w.start(w.pairs[0].python, "-c", example+"print(session)").says()
	const shown = "+------+\n| total|\n+------+\n|499500|\n+------+\n\n"
	session, as := strings.CutPrefix(strings.TrimSuffix(out, "\n"), shown)
	if !as {
		w.T.Fatalf("it prints\n%s\nnot\n%s", out, shown)
	}
	w.T.Cleanup(func() {
		w.Athena.TerminateSession(context.Background(), &athena.TerminateSessionInput{SessionId: &session})
	})
	return session
}
