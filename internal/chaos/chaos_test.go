package main

import (
	"testing"
	"time"
)

// TestChaos is short, and one seed of many: longer runs are made by hand.
func TestChaos(t *testing.T) {
	for name, p := range map[string]plan{
		"light drivers": {Seed: 1, Kills: 30, For: time.Minute},
		"Spark":         {Seed: 1, Kills: 50, For: 4 * time.Minute, Spark: true},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := carryOut(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("\n%v", report)
			if n := len(report.violations); n > 0 {
				t.Errorf("violations: %d", n)
			}
		})
	}
}
