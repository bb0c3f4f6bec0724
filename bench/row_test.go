package bench

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rowOf(who string, values ...float64) *Row {
	r := &Row{Who: who, What: "a poll", Unit: "ms"}
	r.add(values...)
	return r
}

func TestRow_Add(t *testing.T) {
	for name, c := range map[string]struct {
		values           []float64
		min, median, max float64
	}{
		"none":                    {},
		"one":                     {[]float64{3}, 3, 3, 3},
		"two, of which the upper": {[]float64{5, 1}, 1, 5, 5},
		"in any order":            {[]float64{9, 1, 4, 7, 2}, 1, 4, 9},
	} {
		t.Run(name, func(t *testing.T) {
			r := rowOf(us, c.values...)
			if r.Min != c.min || r.Median != c.median || r.Max != c.max {
				t.Errorf("minimum, median and maximum are %v, %v, %v; want %v, %v, %v", r.Min, r.Median, r.Max, c.min, c.median, c.max)
			}
		})
	}
}

func TestRow_Percentile(t *testing.T) {
	r := &Row{}
	for i := range 200 {
		r.add(float64(i))
	}
	if got := r.percentile(99); got != 198 {
		t.Errorf("99 percent of 0 to 199 do not exceed %v, it says; want 198", got)
	}
}

func TestRow_Over(t *testing.T) {
	r := rowOf(us, 6)
	r.over(rowOf("moto", 2), rowOf("nobody"), rowOf("Livy", 12))
	want := []Ratio{{3, "moto"}, {0.5, "Livy"}}
	if diff := cmp.Diff(want, r.Ratios); diff != "" {
		t.Error(diff)
	}
}

func TestRow_Growth(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   float64
	}{
		"nothing":               {nil, 0},
		"one":                   {[]float64{7}, 1},
		"flat in the end":       {[]float64{4, 4, 9, 9, 9, 9, 4, 4}, 1},
		"twice as much at last": {[]float64{4, 6, 7, 7, 7, 7, 9, 11}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rowOf(us, c.values...).growth(); got != c.want {
				t.Errorf("growth is %v, want %v", got, c.want)
			}
		})
	}
}

func TestReport_Print(t *testing.T) {
	met, missed := rowOf(us, 1, 2, 3), rowOf(us, 1234.5)
	met.over(rowOf("moto", 4))
	met.goal(true, "≤ %d ms", 2)
	missed.goal(false, "≤ 50 ms")
	r := &Report{Rows: []*Row{met, missed}, Notes: []string{"poll: Livy is not installed, and not measured"}}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := `WHAT            RATIO       MIN   MEDIAN  MAX   UNIT  GOAL
Hearth: a poll  0.5 × moto  1     2       3     ms    ≤ 2 ms
Hearth: a poll              1234  1234    1234  ms    missed: ≤ 50 ms
poll: Livy is not installed, and not measured
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
