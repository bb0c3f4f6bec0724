package conformance

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"hearth/internal/testenv"
)

// readme runs the Python example of the README as it is printed there, but for the
// name of the workgroup.
func readme(t *testing.T, c *Client) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```python\n")
	example, _, closed := strings.Cut(example, "```")
	if !closed {
		t.Fatal("README.md has no Python example")
	}
	example = strings.Replace(example, `"primary"`, strconv.Quote(c.WorkGroup), 1)
	command := exec.CommandContext(c.Ctx, testenv.PythonClients(t).Python, "-c", example)
	command.Env = c.ClientEnv()
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "+------+\n| total|\n+------+\n|499500|\n+------+\n"
	if !strings.HasPrefix(string(out), want) {
		t.Errorf("it prints\n%s\nnot\n%s", out, want)
	}
}
