package connect

import (
	"strings"
	"testing"

	"hearth/conformance"
)

// ordinary is what comes of the parts of testdata/everyday.py, in their order.
var ordinary = []struct{ part, came string }{
	{"query", "45"},
	{"sql", "5"},
	{"settings", "'7'"},
	{"table", "10"},
	{"to pandas", "(1000, 499500, '2026-01-02 03:04:05')"},
	{"iterator", "45"},
	{"function", "55"},
	{"registered function", "2"},
	{"vectorized function", "55"},
	{"frames of groups", "2"},
	{"error of a function", "('PythonException', True)"},
	{"error of a query", "('AnalysisException', True)"},
	{"rows of the client", "499500"},
	{"frame of the client", "499500"},
	{"module", "42"},
	{"file", "True"},
	{"interrupt a tag", "(1, 'OPERATION_CANCELED')"},
	{"interrupt an operation", "(1, 'OPERATION_CANCELED')"},
	{"interrupt all", "(1, 'OPERATION_CANCELED')"},
}

// otherwise is what comes instead when a client is newer than its session. It is
// of Spark's making, and told in docs/connect.md.
var otherwise = map[string]map[string]string{
	"client 4.1.2, session 3.5.7": {
		"sql":                 "PARSE_SYNTAX_ERROR",
		"function":            functionUnread,
		"registered function": functionUnread,
		"vectorized function": functionUnread,
		"frames of groups":    functionUnread,
		"error of a function": "('PythonException', False)",
		"rows of the client":  "SQL_CONF_NOT_FOUND",
		"frame of the client": "SQL_CONF_NOT_FOUND",
		"module":              functionUnread,
		"file":                functionUnread,
	},
}

// functionUnread is what a Python worker says of what a newer client has pickled.
const functionUnread = "AttributeError: Can't get attribute '_function_setstate'"

// everyday has the clients of both versions use a session at once, in all ways.
func everyday(t *testing.T, w *world) {
	for _, session := range w.pairs {
		running := make(map[string]*client)
		for _, p := range w.pairs {
			running[p.spark] = w.start(p.python, "testdata/everyday.py", w.endpoint(session.session), t.TempDir())
		}
		for version, client := range running {
			pair := "client " + version + ", session " + session.spark
			t.Run(pair, func(t *testing.T) {
				said := strings.Split(strings.TrimSpace(client.says()), "\n")
				if len(said) != len(ordinary) {
					t.Fatalf("the client says %q", said)
				}
				for i, want := range ordinary {
					t.Run(want.part, func(t *testing.T) {
						part, came, _ := strings.Cut(said[i], "\t")
						conformance.Same(t, "part", part, want.part)
						if other, ok := otherwise[pair][want.part]; !ok {
							conformance.Same(t, "what came", came, want.came)
						} else if !strings.Contains(came, other) {
							t.Errorf("there came %s, which has no %s", came, other)
						}
					})
				}
			})
		}
	}
}
