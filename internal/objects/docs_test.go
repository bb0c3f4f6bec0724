package objects

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The documentation says which operations are served.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/s3.md")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?s)\n\| \| operations \|\n(.*?)\n\n`).FindSubmatch(text)
	if table == nil {
		t.Fatal("the documentation has no table of operations")
	}
	said := regexp.MustCompile(`\b[A-Z]\w+`).FindAllString(string(table[1]), -1)
	slices.Sort(said)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(operations)), said); diff != "" {
		t.Errorf("operations (-served +documented):\n%s", diff)
	}
}
