package spark

import (
	"strings"
	"testing"
	"time"
)

func TestProgressLines(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	lines := &progressLines{w: &out, now: func() time.Time { return now }}
	for _, step := range []struct {
		passed time.Duration
		report Report
	}{
		{0, Report{Name: "Waiting"}},
		{0, Report{Step: 3, Steps: 6, Name: "Spark 3.5.7"}},
		{0, Report{Step: 3, Steps: 6, Name: "Spark 3.5.7", Doing: "spark.tar.gz", Total: 300e6}},
		{time.Second, Report{Step: 3, Steps: 6, Name: "Spark 3.5.7", Doing: "spark.tar.gz", Done: 20e6, Total: 300e6}},
		{9 * time.Second, Report{Step: 3, Steps: 6, Name: "Spark 3.5.7", Doing: "spark.tar.gz", Done: 100e6, Total: 300e6}},
		{9 * time.Second, Report{Step: 3, Steps: 6, Name: "Spark 3.5.7", Doing: "spark.tar.gz", Done: 300e6, Total: 300e6}},
		{0, Report{End: true}},
	} {
		now = now.Add(step.passed)
		lines.show(step.report)
	}
	want := `Waiting
[3/6] Spark 3.5.7
[3/6] Spark 3.5.7: spark.tar.gz (300 MB)
[3/6] Spark 3.5.7: spark.tar.gz: 100 MB of 300 MB, about 20s left
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

func TestTerminalBar(t *testing.T) {
	var out strings.Builder
	bar := &terminalBar{w: &out}
	bar.show(Report{Step: 1, Steps: 6, Name: "Python environment"})
	bar.show(Report{Step: 3, Steps: 6, Name: "Spark 3.5.7", Doing: "spark.tar.gz", Total: 300e6})
	bar.show(Report{Step: 3, Steps: 6, Name: "Spark 3.5.7", Doing: "spark.tar.gz", Done: 300e6, Total: 300e6})
	bar.show(Report{End: true})
	for _, want := range []string{"[1/6] Python environment", "[3/6] Spark 3.5.7: spark.tar.gz", "100%", "300/300 MB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q: %q", want, out.String())
		}
	}
	if !strings.HasSuffix(out.String(), clearLine) {
		t.Errorf("the line is not cleared at the end: %q", out.String())
	}
}
