package conformance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/internal/testenv"
)

// runNotebook is `hearth run` of a notebook whose third cell fails.
func runNotebook(t *testing.T, c *Client) {
	home, dir := c.homeAlone(), t.TempDir()
	file := filepath.Join(dir, "trips.ipynb")
	content := `{"cells":[
		{"cell_type":"markdown","metadata":{},"source":"# Trips"},
		{"cell_type":"code","metadata":{"tags":["first"]},"source":["n = spark.range(10).count()\n","print('counted', n)\n","n * 2"],"outputs":[],"execution_count":9},
		{"cell_type":"code","metadata":{},"source":"  \n","outputs":[],"execution_count":8},
		{"cell_type":"code","metadata":{},"source":"import os; os.path.exists('trips.ipynb')","outputs":[],"execution_count":null},
		{"cell_type":"code","metadata":{},"source":"print('so far')\nfoobar","outputs":[],"execution_count":null},
		{"cell_type":"code","metadata":{},"source":"print('never')","outputs":[{"output_type":"stream","name":"stdout","text":"old"}],"execution_count":7}
	],"metadata":{"own":{"a":[1]}},"nbformat":4,"nbformat_minor":4}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(c.Binary, "run", "--workgroup", c.WorkGroup, file)
	command.Env = testenv.Environment(home)
	stdout, stderr, status := Outcome(t, command)
	Same(t, "exit status", status, 1)
	Same(t, "stdout", stdout, "counted 10\n20\nTrue\nso far\n")
	for _, part := range []string{"cell 3 of 4", "NameError: name 'foobar' is not defined"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("stderr is without %q:\n%s", part, stderr)
		}
	}
	testenv.AwaitNoProcess(t, home)

	want := `{"cells":[
		{"cell_type":"markdown","metadata":{},"source":"# Trips"},
		{"cell_type":"code","metadata":{"tags":["first"]},"source":["n = spark.range(10).count()\n","print('counted', n)\n","n * 2"],"execution_count":1,"outputs":[
			{"output_type":"stream","name":"stdout","text":["counted 10\n"]},
			{"output_type":"execute_result","data":{"text/plain":["20"]},"metadata":{},"execution_count":1}]},
		{"cell_type":"code","metadata":{},"source":"  \n","outputs":[],"execution_count":null},
		{"cell_type":"code","metadata":{},"source":"import os; os.path.exists('trips.ipynb')","execution_count":2,"outputs":[
			{"output_type":"execute_result","data":{"text/plain":["True"]},"metadata":{},"execution_count":2}]},
		{"cell_type":"code","metadata":{},"source":"print('so far')\nfoobar","execution_count":3,"outputs":[
			{"output_type":"stream","name":"stdout","text":["so far\n"]},
			{"output_type":"error","ename":"NameError","evalue":"name 'foobar' is not defined","traceback":["File \"<stdin>\", line 2, in <module>","NameError: name 'foobar' is not defined"]}]},
		{"cell_type":"code","metadata":{},"source":"print('never')","outputs":[],"execution_count":null}
	],"metadata":{"own":{"a":[1]}},"nbformat":4,"nbformat_minor":4}`
	written := Must(os.ReadFile(file))(t)
	var got, wanted any
	if err := json.Unmarshal(written, &got); err != nil {
		t.Fatalf("%v in\n%s", err, written)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("the notebook is not what it should be (-want +got):\n%s", diff)
	}
}
