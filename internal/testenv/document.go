package testenv

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the parts of the documents that are printed by tests")

// Printed compares what a document has between its marks
//
//	<!-- begin NAME -->
//	<!-- end NAME -->
//
// with what it has to have there. With -update it is put there instead, unless
// the test has failed.
func Printed(t testing.TB, file, name, part string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	head, rest, ok := strings.Cut(string(text), begin)
	was, tail, closed := strings.Cut(rest, end)
	switch {
	case !ok || !closed:
		t.Fatalf("%s has no marks for %q", file, name)
	case was == part || t.Failed():
	case !*update:
		t.Errorf("%s is not current: run this test with -update. Its part %q has to be\n%s", file, name, part)
	default:
		if err := os.WriteFile(file, []byte(head+begin+part+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
