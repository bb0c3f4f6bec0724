package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readCells gives the cells of a text, read as a shell reads it.
func readCells(t *testing.T, text string, interactive bool) (cells []string) {
	t.Helper()
	m := &Main{Stdin: strings.NewReader(text)}
	s := &shell{interactive: interactive}
	s.lines, _ = openLines(m)
	defer s.heed(nil)()
	for {
		code, err := s.readCell(nil)
		if err != nil {
			return cells
		}
		cells = append(cells, code)
	}
}

func TestCell(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		cells []string
	}{
		"lines are cells":                      {"x = 1\nx\n", []string{"x = 1", "x"}},
		"a last line without an end":           {"x", []string{"x"}},
		"lines of Windows":                     {"x\r\ny\r\n", []string{"x", "y"}},
		"comments and empty lines are none":    {"# one\n\n  \n# two\n", nil},
		"brackets":                             {"f(\n  1,\n\n  [2,\n3])\ny", []string{"f(\n  1,\n\n  [2,\n3])", "y"}},
		"brackets in strings and comments":     {"'(' # (\n\"[\"\n", []string{"'(' # (", "\"[\""}},
		"a bracket that was never opened":      {")\nx", []string{")", "x"}},
		"three quotes":                         {"x = '''a\n\n\"\"\" # '\n'''\ny", []string{"x = '''a\n\n\"\"\" # '\n'''", "y"}},
		"three quotes with one escaped":        {`x = """a\"""` + "\n\"\"\"\ny", []string{"x = \"\"\"a\\\"\"\"\n\"\"\"", "y"}},
		"a string with a quote in it":          {`x = 'a\'(b'` + "\ny", []string{`x = 'a\'(b'`, "y"}},
		"a string without an end":              {"x = 'abc\ny", []string{"x = 'abc", "y"}},
		"a string that a backslash goes on":    {"x = 'a\\\n(b'\ny", []string{"x = 'a\\\n(b'", "y"}},
		"a backslash":                          {"x = 1 + \\\n2\ny", []string{"x = 1 + \\\n2", "y"}},
		"a colon in brackets":                  {"{1:\n2}\ny", []string{"{1:\n2}", "y"}},
		"a block":                              {"if x:\n  y\n\nz", []string{"if x:\n  y\n", "z"}},
		"a block's comment after the colon":    {"if x: # so\n  y\n\nz", []string{"if x: # so\n  y\n", "z"}},
		"a header of some lines":               {"def f(a,\n  b):\n  return a\n\nz", []string{"def f(a,\n  b):\n  return a\n", "z"}},
		"a header in one line with its body":   {"if x: y\nz", []string{"if x: y", "z"}},
		"a decorator":                          {"@d(\n1)\ndef f(): pass\n\nz", []string{"@d(\n1)\ndef f(): pass\n", "z"}},
		"a block with a string of empty lines": {"def f():\n  '''a\n\nb'''\n  return 1\n\nz", []string{"def f():\n  '''a\n\nb'''\n  return 1\n", "z"}},
		"a cell magic":                         {"%%sql\nSELECT 'it\nFROM (\n\nz", []string{"%%sql\nSELECT 'it\nFROM (\n", "z"}},
		"a cell magic that is the last":        {"%%sql\nSELECT 1", []string{"%%sql\nSELECT 1"}},
		"a line magic with quotes of its own":  {"%table don't\n!echo (\nz", []string{"%table don't", "!echo (", "z"}},
		"an expression with a modulus sign":    {"5 %(\n2)", []string{"5 %(\n2)"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.cells, readCells(t, c.text, true)); diff != "" {
				t.Error("typed:", diff)
			}
			if strings.Contains(c.text, "\n\n") && strings.Contains(c.text, ":") || strings.HasPrefix(c.text, "@") {
				return // ends otherwise without a prompt
			}
			if diff := cmp.Diff(c.cells, readCells(t, c.text, false)); diff != "" {
				t.Error("piped:", diff)
			}
		})
	}
	for name, c := range map[string]struct {
		text  string
		cells []string
	}{
		"an empty line is in a block":          {"def f():\n  x = 1\n\n  return x\nf()", []string{"def f():\n  x = 1\n\n  return x", "f()"}},
		"a comment is in a block":              {"if x:\n  y\n# so\n  z\nw", []string{"if x:\n  y\n# so\n  z", "w"}},
		"the clauses of a statement":           {"try:\n  x\nexcept E:\n  y\nelse:\n  z\nfinally:\n  a\nb", []string{"try:\n  x\nexcept E:\n  y\nelse:\n  z\nfinally:\n  a", "b"}},
		"a name that begins as a clause does":  {"if x:\n  y\nelse_ = 1", []string{"if x:\n  y", "else_ = 1"}},
		"blocks without lines between them":    {"def f(): # so\n  x\ndef g():\n  y\nz", []string{"def f(): # so\n  x", "def g():\n  y", "z"}},
		"what a decorator decorates":           {"@a\n@b(\n1)\n\ndef f():\n  x\nz", []string{"@a\n@b(\n1)\n\ndef f():\n  x", "z"}},
		"text at the margin within a block":    {"def f():\n  return '''\nx\n'''\nz", []string{"def f():\n  return '''\nx\n'''", "z"}},
		"a line magic is in a block":           {"if x:\n  %table don't\nz", []string{"if x:\n  %table don't", "z"}},
		"an empty line ends a cell magic only": {"%%sql\nSELECT\n\nif x:\n\n  y", []string{"%%sql\nSELECT\n", "if x:\n\n  y"}},
	} {
		t.Run("piped: "+name, func(t *testing.T) {
			if diff := cmp.Diff(c.cells, readCells(t, c.text, false)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzCell looks for text that a shell loses, or makes of it what it is not.
func FuzzCell(f *testing.F) {
	for _, seed := range []string{"x = 1\n", "def f():\n\n  '''a\n", "%%sql\nSELECT\n\n", "@a\n(\\\n'\\", "if x:\n  y\nelse:\n  z\n# end"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	lines := func(text string) (kept []string) {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSuffix(line, "\r"); !blank(line) && !strings.HasPrefix(strings.TrimSpace(line), "#") {
				kept = append(kept, line)
			}
		}
		return kept
	}
	f.Fuzz(func(t *testing.T, text string, interactive bool) {
		if diff := cmp.Diff(lines(text), lines(strings.Join(readCells(t, text, interactive), "\n"))); diff != "" {
			t.Error(diff)
		}
	})
}
