package hearth_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"hearth"
)

var update = flag.Bool("update", false, "rewrite the parts of the documents that are printed from the code")

// The state diagrams in the architecture document are printed from the tables.
func TestStateDiagrams(t *testing.T) {
	const file = "docs/architecture.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	doc = withPart(t, doc, "session states", diagram(hearth.SessionTransitions, hearth.SessionCreating))
	doc = withPart(t, doc, "calculation states", diagram(hearth.CalculationTransitions, hearth.CalculationCreating))
	if doc == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s does not have the tables' diagrams: run go test . -update", file)
	}
	if err := os.WriteFile(file, []byte(doc), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withPart replaces what stands between the begin and end marks of a part.
func withPart(t *testing.T, doc, name, part string) string {
	t.Helper()
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	head, rest, ok := strings.Cut(doc, begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("no marks for %q", name)
	}
	return head + begin + part + end + tail
}

func diagram[S ~string](table hearth.Transitions[S], first S) string {
	var b strings.Builder
	fmt.Fprintf(&b, "```mermaid\nstateDiagram-v2\n    [*] --> %s\n", first)
	states := make([]S, 0, len(table))
	for s := range table {
		states = append(states, s)
	}
	slices.Sort(states)
	for _, s := range states {
		for _, next := range table[s] {
			fmt.Fprintf(&b, "    %s --> %s\n", s, next)
		}
		if table.Final(s) {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n")
	return b.String()
}
