package shim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/internal/kernel"
)

func TestWriteResult(t *testing.T) {
	shown := func(text string) string {
		line, err := json.Marshal(Output{OutputType: kernel.TypeDisplayData, Data: json.RawMessage(text), Metadata: json.RawMessage("{}")})
		if err != nil {
			t.Fatal(err)
		}
		return string(line)
	}
	long := shown(`{"text/plain":"` + strings.Repeat("long", 20_000) + `"}`)
	for name, c := range map[string]struct {
		displayed string
		want      []string
	}{
		"nothing":            {"", nil},
		"one":                {shown(`{"text/html":"<b>"}`) + "\n", []string{shown(`{"text/html":"<b>"}`)}},
		"several":            {shown("{}") + "\n" + long + "\n" + shown("{}") + "\n", []string{shown("{}"), long, shown("{}")}},
		"a line that is cut": {shown("{}") + "\n" + long[:len(long)/2], []string{shown("{}")}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, OutputsFile), []byte(c.displayed), 0o600); err != nil {
				t.Fatal(err)
			}
			said := kernel.Message{Status: "error", ExitStatus: 1, Reason: "ValueError: <no>", Error: &kernel.Error{Name: "ValueError"}}
			if err := writeResult(dir, said); err != nil {
				t.Fatal(err)
			}
			want := Result{Status: said.Status, ExitStatus: said.ExitStatus, Reason: said.Reason, Error: said.Error, Outputs: []json.RawMessage{}}
			for _, output := range c.want {
				want.Outputs = append(want.Outputs, json.RawMessage(output))
			}
			document, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, ResultFile))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(document)+"\n", string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
