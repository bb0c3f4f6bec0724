package hearth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/testenv"
)

// The state diagrams in the architecture document are printed from the tables.
func TestStateDiagrams(t *testing.T) {
	const file = "docs/architecture.md"
	testenv.Printed(t, file, "session states", diagram(hearth.SessionTransitions, hearth.SessionCreating, hearth.SessionCreated))
	testenv.Printed(t, file, "calculation states", diagram(hearth.CalculationTransitions, hearth.CalculationCreating))
}

func diagram[S ~string](table hearth.Transitions[S], first ...S) string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n")
	for _, s := range first {
		fmt.Fprintf(&b, "    [*] --> %s\n", s)
	}
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
