package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/config"
	"hearth/internal/spark"
	"hearth/internal/testenv"
)

func ofAMoment() Options {
	return Options{Runs: 1, Period: 50 * time.Millisecond, Sessions: 1, Storm: 1, For: time.Second}
}

func TestOptions_Check(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"an unknown figure": func(o *Options) { o.Only = []string{"poll", "speed"} },
		"no runs":           func(o *Options) { o.Runs = 0 },
		"no time":           func(o *Options) { o.Period = 0 },
		"no sessions":       func(o *Options) { o.Sessions = 0 },
		"no storm":          func(o *Options) { o.Storm = 0 },
		"no long run":       func(o *Options) { o.For = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := ofAMoment()
			if err := o.Check(); err != nil {
				t.Fatalf("good options are refused: %v", err)
			}
			change(&o)
			if err := o.Check(); hearth.KindOf(err) != hearth.KindInvalid {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// TestRun measures polls for a moment, with the real program.
func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := ofAMoment()
	testenv.Engine(t)
	o.Binary, o.Engines, o.Only, o.Progress = testenv.Binary(t), spark.Engines{Dir: config.Default().Engines}, []string{"poll"}, t.Output()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Rows {
		if len(r.Samples) != turnsOfPolling || r.Min <= 0 {
			t.Errorf("%s, %s: %v", r.Who, r.What, r.Samples)
		}
	}
	if want := []string{"poll: moto is not installed, and not measured"}; !slices.Equal(report.Notes, want) {
		t.Errorf("notes are %q, want %q", report.Notes, want)
	}
	if len(report.Rows) != 6 {
		t.Errorf("%d rows, want one of the bare handler and one of Hearth for each number of connections", len(report.Rows))
	}

	t.Run("the report is JSON", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "report.json")
		if err := report.Write(file); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var read Report
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if len(read.Rows) != len(report.Rows) || read.Versions["spark"] != spark.DefaultVersion || read.Machine.Cores == 0 {
			t.Errorf("it says %s", text)
		}
	})
	t.Run("nothing is left", func(t *testing.T) {
		left, err := os.ReadDir(os.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range left {
			t.Errorf("%s was left", entry.Name())
		}
		testenv.AwaitNoProcess(t, os.TempDir())
	})
}

// What a program that is no server cannot show is missing in the report, with the
// reason; the rest is there.
func TestRun_Failure(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := ofAMoment()
	testenv.Engine(t)
	o.Binary, o.Engines, o.Only, o.Progress = "/bin/false", spark.Engines{Dir: config.Default().Engines}, []string{"fsync", "trip"}, t.Output()
	report, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "trip: hearth serve did not get ready") {
		t.Errorf("err = %v", err)
	}
	want := []string{"trip: not measured, or not all of it: hearth serve did not get ready: it ended: exit status 1"}
	if !slices.Equal(report.Notes, want) {
		t.Errorf("notes are %q, want %q", report.Notes, want)
	}
	if len(report.Rows) != 1 || report.Rows[0].Figure != "fsync" {
		t.Errorf("the report has %d rows, want that of fsync", len(report.Rows))
	}
}
