package main

import (
	"slices"
	"time"
)

// figure is one line of the table. Ratio is its median over that of the figure
// named Of; 0 when it is compared with nothing.
type figure struct {
	What   string  `json:"what"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
	Unit   string  `json:"unit"`
	Ratio  float64 `json:"ratio,omitempty"`
	Of     string  `json:"of,omitempty"`
}

func figureOf(what, unit string, values []float64) figure {
	values = slices.Sorted(slices.Values(values))
	return figure{What: what, Unit: unit, Min: values[0], Median: values[len(values)/2], Max: values[len(values)-1]}
}

func (f figure) over(other figure) figure {
	f.Ratio, f.Of = f.Median/other.Median, other.What
	return f
}

// timed gives the milliseconds that each of n calls took.
func timed(n int, call func() error) ([]float64, error) {
	var took []float64
	for range n {
		begin := time.Now()
		if err := call(); err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(begin)))
	}
	return took, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
