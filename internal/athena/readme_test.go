package athena

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The README says which operations are served.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(text), "| Operations | ")
	row, _, _ = strings.Cut(row, " |")
	var served []string
	for _, operation := range (&api{}).operations() {
		served = append(served, operation.Name)
	}
	slices.Sort(served)
	if want := strings.Join(served, ", "); row != want {
		t.Errorf("the README has the operations\n%s\nand these are served:\n%s", row, want)
	}
}
