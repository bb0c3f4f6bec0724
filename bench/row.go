package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Row is one line of the report: something that was measured a number of times.
type Row struct {
	Figure  string   `json:"figure"`
	Who     string   `json:"who"`
	What    string   `json:"what"`
	Unit    string   `json:"unit"`
	Ratios  []Ratio  `json:"ratios,omitempty"`
	Min     float64  `json:"min"`
	Median  float64  `json:"median"`
	Max     float64  `json:"max"`
	Goal    *Goal    `json:"goal,omitempty"`
	Samples []Sample `json:"samples"`
}

// Sample is one measurement and how busy the machine was just after it. In JSON it
// is a pair, to six digits and two.
type Sample struct {
	Value float64
	Load  float64 // average number of processes that ran or wanted to, over a minute; 0 where the system does not tell
}

// MarshalJSON implements json.Marshaler.
func (s Sample) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%.6g,%.3g]", s.Value, s.Load), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Sample) UnmarshalJSON(text []byte) error {
	var pair [2]float64
	err := json.Unmarshal(text, &pair)
	s.Value, s.Load = pair[0], pair[1]
	return err
}

// Ratio is a row's median over the median of somebody else's.
type Ratio struct {
	Value float64 `json:"value"`
	Of    string  `json:"of"`
}

// Goal is what Hearth wants to reach, and whether it did.
type Goal struct {
	Want string `json:"want"`
	Met  bool   `json:"met"`
}

// add takes a value; the row's statistics are of all values so far.
func (r *Row) add(values ...float64) {
	for _, value := range values {
		r.Samples = append(r.Samples, Sample{value, loadAverage()})
	}
	r.Min, r.Median, r.Max = r.percentile(0), r.percentile(50), r.percentile(100)
}

// addSince takes the milliseconds that have passed.
func (r *Row) addSince(began time.Time) { r.add(milliseconds(time.Since(began))) }

// percentile gives the value that p percent of the values do not exceed. Of two
// in the middle the median is the upper one.
func (r *Row) percentile(p int) float64 {
	return r.nth(p, func(s Sample) float64 { return s.Value })
}

// load is the median of how busy the machine was.
func (r *Row) load() float64 { return r.nth(50, func(s Sample) float64 { return s.Load }) }

// nth is a percentile of something that samples have.
func (r *Row) nth(p int, of func(Sample) float64) float64 {
	if len(r.Samples) == 0 {
		return 0
	}
	values := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[min(len(values)*p/100, len(values)-1)]
}

// over compares the row with others, once both are complete.
func (r *Row) over(others ...*Row) {
	for _, other := range others {
		if other.Median != 0 {
			r.Ratios = append(r.Ratios, Ratio{r.Median / other.Median, other.Who})
		}
	}
}

// isOver tells whether the row is compared with somebody's.
func (r *Row) isOver(who string) bool {
	return slices.ContainsFunc(r.Ratios, func(ratio Ratio) bool { return ratio.Of == who })
}

// goal notes what was wanted.
func (r *Row) goal(met bool, format string, args ...any) {
	r.Goal = &Goal{fmt.Sprintf(format, args...), met}
}

// timed adds the milliseconds that each of n calls takes.
func (r *Row) timed(n int, call func() error) error {
	for range n {
		began := time.Now()
		if err := call(); err != nil {
			return err
		}
		r.addSince(began)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
