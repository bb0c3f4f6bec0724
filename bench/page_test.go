package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReport_Page(t *testing.T) {
	row := rowOf(us, 1, 2.123456789, 3)
	row.Figure = "poll"
	for i := range row.Samples {
		row.Samples[i].Load = 0.25
	}
	row.over(rowOf("moto", 4))
	row.goal(false, "≤ 50 ms")
	r := &Report{
		Began: time.Date(2026, 11, 23, 6, 7, 8, 0, time.UTC), Command: "hearth bench",
		Machine:  Machine{System: "linux/amd64", Kernel: "6.1", Processor: "a processor", Cores: 2, MemoryMiB: 4096},
		Versions: map[string]string{"spark": "3.5.7", "go": "go1.26"},
		Rows:     []*Row{row}, Notes: []string{"peers: Livy is not named with --livy, and not measured"},
	}
	const raw = "run.json"
	begin := fmt.Sprintf(resultsBegin, raw)
	before := fmt.Sprintf(resultsBegin, "another.json") + "another\n" + resultsEnd
	page, err := r.Page([]byte(before+begin+"old\n"+resultsEnd+"after\n"), raw)
	if err != nil {
		t.Fatal(err)
	}
	want := before + begin + "`hearth bench`, begun 2026-11-23 06:07:08. linux/amd64, 2 cores (a processor), 4096 MiB, Linux 6.1. go go1.26. spark 3.5.7.\n" + `
| figure | what | ratio | min | median | max | unit | goal | load |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| ` + "`poll`" + ` | Hearth: a poll | 0.531 × moto | 1 | 2.12 | 3 | ms | missed: ≤ 50 ms | 0.25 |

- peers: Livy is not named with --livy, and not measured
` + resultsEnd + "after\n"
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Error(diff)
	}
	if _, err := r.Page([]byte(before), raw); err == nil {
		t.Error("a page without a place for the results is taken")
	}

	t.Run("is the same from what was written", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "report.json")
		if err := r.Write(path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines != 2 {
			t.Errorf("a report of one row has %d lines", lines)
		}
		var read Report
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		again, err := read.Page(page, raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(page), string(again)); diff != "" {
			t.Error(diff)
		}
	})
}

// The documentation has the runs whose raw figures are beside it.
func TestDocs(t *testing.T) {
	page := readFile(t, "../docs/benchmarks.md")
	for _, raw := range []string{"benchmarks.json", "benchmarks-long.json"} {
		t.Run(raw, func(t *testing.T) {
			var r Report
			if err := json.Unmarshal(readFile(t, "../docs/"+raw), &r); err != nil {
				t.Fatal(err)
			}
			want, err := r.Page(page, raw)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(page, want) {
				t.Errorf("docs/benchmarks.md has other results than docs/%s; go generate ./bench puts them there", raw)
			}
		})
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
