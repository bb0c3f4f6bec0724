package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// s3Suite runs versitygw's tests, as far as testdata/s3suite.txt says that they
// pass, against a server of its own. What it lists is a table in
// docs/s3-compatibility.md.
func s3Suite(t *testing.T, c *conformance.Client) {
	groups := readSuite(t)
	server := c.Serve("")
	args := []string{server.URL}
	for _, g := range groups {
		args = append(args, g.passing...)
	}
	suite := exec.CommandContext(t.Context(), testenv.S3Suite(t, "s3suite"), args...)
	suite.Env = server.ClientEnv()
	var log bytes.Buffer
	suite.Stderr = &log
	out, err := suite.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	ran := 0
	for line := range strings.Lines(string(out)) {
		var result struct{ Test, Error string }
		if err := json.Unmarshal([]byte(line), &result); err != nil {
			t.Fatal(err)
		}
		if result.Error != "" {
			t.Errorf("%s: %s", result.Test, result.Error)
		}
		ran++
	}
	conformance.Same(t, "tests that ran", ran, len(args)-1)
	testenv.Printed(t, filepath.Join("..", "..", "docs", "s3-compatibility.md"), "suite", suiteTable(groups))
}

// notOffered is the reason of tests of what Hearth leaves out.
const notOffered = "not offered"

// suiteGroup is a group of tests, most of them of one operation.
type suiteGroup struct {
	name    string
	passing []string
	others  []string // reasons of the tests that do not pass
}

func readSuite(t *testing.T) []suiteGroup {
	text := conformance.Must(os.ReadFile(filepath.Join("testdata", "s3suite.txt")))(t)
	var groups []suiteGroup
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			groups = append(groups, suiteGroup{name: strings.TrimSuffix(name, "]")})
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		g := &groups[len(groups)-1]
		if name, reason, ok := strings.Cut(line, ": "); ok {
			g.others = append(g.others, reason)
		} else {
			g.passing = append(g.passing, name)
		}
	}
	return groups
}

func suiteTable(groups []suiteGroup) string {
	var table strings.Builder
	table.WriteString("| group | tests | pass | not offered | differ in |\n| --- | --- | --- | --- | --- |\n")
	var tests, passing, left, different int
	var without []string // groups of nothing that is offered
	for _, g := range groups {
		var reasons []string
		counts := make(map[string]int)
		for _, reason := range g.others {
			if counts[reason]++; counts[reason] == 1 && reason != notOffered {
				reasons = append(reasons, reason)
			}
		}
		n := len(g.others) - counts[notOffered]
		tests, passing, left, different = tests+len(g.passing)+len(g.others), passing+len(g.passing), left+counts[notOffered], different+n
		if counts[notOffered] == len(g.passing)+len(g.others) {
			without = append(without, g.name)
			continue
		}
		for i, reason := range reasons {
			reasons[i] = fmt.Sprintf("%d: %s", counts[reason], reason)
		}
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %s |\n", g.name, len(g.passing)+len(g.others), len(g.passing), counts[notOffered], strings.Join(reasons, "; "))
	}
	fmt.Fprintf(&table, "| all, with those below | %d | %d | %d | %d |\n", tests, passing, left, different)
	fmt.Fprintf(&table, "\nNothing is offered of what these groups test: %s.\n", strings.Join(without, ", "))
	return table.String()
}
