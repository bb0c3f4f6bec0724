package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/kernel"
	"hearth/internal/shim"
)

const twoCells = `{"cells":[
	{"cell_type":"code","metadata":{},"source":"1","execution_count":5,"outputs":[{"output_type":"stream","name":"stdout","text":"old"}]},
	{"cell_type":"code","metadata":{},"source":"2","execution_count":6,"outputs":[]}
],"metadata":{},"nbformat":4,"nbformat_minor":4}`

func writeNotebook(t *testing.T, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "two.ipynb")
	if err := os.WriteFile(file, []byte(twoCells), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestNotebook_Save(t *testing.T) {
	read := func(t *testing.T, file string) *notebook {
		t.Helper()
		n, err := readNotebook(file)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Run("the file that a link leads to is replaced, with its mode", func(t *testing.T) {
		file := writeNotebook(t, 0o640)
		link := filepath.Join(t.TempDir(), "link.ipynb")
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		n := read(t, link)
		if err := n.cells[0].Record(1, []json.RawMessage{hearth.StreamOutput(hearth.Stdout, "new\n")}); err != nil {
			t.Fatal(err)
		}
		if err := n.save(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(n.document.Bytes()), string(content)); diff != "" {
			t.Error(diff)
		}
		info, err := os.Lstat(file)
		if err != nil || info.Mode() != 0o640 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link became %v, %v", info.Mode(), err)
		}
		if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	t.Run("a file that cannot be replaced stays as it is", func(t *testing.T) {
		file := writeNotebook(t, 0o600)
		n := read(t, file)
		n.path = filepath.Join(filepath.Dir(file), "absent", "two.ipynb")
		if err := n.save(); hearth.KindOf(err) != hearth.KindUnavailable {
			t.Error(err)
		}
		if content, err := os.ReadFile(file); err != nil || string(content) != twoCells {
			t.Errorf("it has %q, %v", content, err)
		}
	})
}

func TestRun_Outputs(t *testing.T) {
	result := json.RawMessage(`{"output_type":"execute_result","data":{"text/plain":"1"},"metadata":{},"execution_count":null}`)
	raised := &kernel.Error{Name: "NameError", Value: "x", Traceback: []string{`File "<stdin>", line 1, in <module>`, "NameError: x"}}
	const text = "File \"<stdin>\", line 1, in <module>\nNameError: x\n"
	for _, test := range []struct {
		name           string
		stdout, stderr string
		result         shim.Result
		want           []json.RawMessage
	}{
		{"nothing", "", "", shim.Result{}, nil},
		{"all", "out", "a warning\n" + text, shim.Result{Outputs: []json.RawMessage{result}, Error: raised}, []json.RawMessage{
			hearth.StreamOutput(hearth.Stdout, "out"), hearth.StreamOutput(hearth.Stderr, "a warning\n"),
			result, hearth.ErrorOutput(raised.Name, raised.Value, raised.Traceback),
		}},
		{"an error is there once", "", text, shim.Result{Error: raised}, []json.RawMessage{hearth.ErrorOutput(raised.Name, raised.Value, raised.Traceback)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &run{result: test.result}
			if diff := cmp.Diff(test.want, r.outputs(test.stdout, test.stderr)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
