package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// report is what a run found.
type report struct {
	plan         plan
	took         time.Duration
	kept         string // the scratch directory, if it was
	kills        map[victim]int
	freezes      map[victim]int
	sessions     map[string]int // by how they ended
	calculations map[string]int
	refused      int // calculations
	ready        []time.Duration
	adopted      []time.Duration
	deaths       []time.Duration
	violations   []violation
}

func (r *run) report(took time.Duration) *report {
	v := &report{
		plan: r.plan, took: took, deaths: r.deaths, violations: check(r.history, timing),
		kills: make(map[victim]int), freezes: make(map[victim]int), sessions: make(map[string]int), calculations: make(map[string]int),
	}
	if r.Keep {
		v.kept = r.scratch
	}
	for _, f := range r.history.faults {
		if f.Frozen > 0 {
			v.freezes[f.Victim]++
		} else {
			v.kills[f.Victim]++
		}
	}
	for _, s := range r.history.sessions {
		v.sessions[s.last().State]++
		for _, c := range s.Calculations {
			if c.Refused != "" {
				v.refused++
			} else {
				v.calculations[c.last().State]++
			}
		}
	}
	for i, s := range r.server.starts {
		if i == 0 || s.ready == 0 {
			continue // the first has nothing to recover
		}
		v.ready = append(v.ready, s.ready)
		if took, ok := s.adopted(); ok && !r.history.frozen(aShim, s.at, s.at.Add(took)) {
			v.adopted = append(v.adopted, took)
		}
	}
	return v
}

var takenUp = regexp.MustCompile(`(?m)^time=(\S+) .*msg="session taken up" .*driver=alive`)

// adopted is how long a start took until all live drivers had been taken up, as
// its log has it. It reports false where there was none, or where the server
// may have been killed before.
func (s start) adopted() (time.Duration, bool) {
	const enough = 2 * time.Second
	log, err := os.ReadFile(s.log)
	if err != nil || s.over.Sub(s.at) < enough {
		return 0, false
	}
	all := takenUp.FindAllStringSubmatch(string(log), -1)
	if len(all) == 0 {
		return 0, false
	}
	last, err := time.Parse(time.RFC3339Nano, all[len(all)-1][1])
	return last.Sub(s.at), err == nil
}

// String is the report as it is printed.
func (v *report) String() string {
	var b strings.Builder
	for _, found := range v.violations {
		fmt.Fprintf(&b, "VIOLATION %v\n", found)
	}
	drivers := "light"
	if v.plan.Spark {
		drivers = "Spark"
	}
	fmt.Fprintf(&b, "took          %v, with %s drivers\n", v.took.Round(time.Second), drivers)
	fmt.Fprintf(&b, "kills         %s\n", counts(v.kills))
	fmt.Fprintf(&b, "freezes       %s\n", counts(v.freezes))
	fmt.Fprintf(&b, "sessions      %s\n", counts(v.sessions))
	fmt.Fprintf(&b, "calculations  %s; refused %d\n", counts(v.calculations), v.refused)
	fmt.Fprintf(&b, "server start until /ok answers                %s\n", spread(v.ready))
	fmt.Fprintf(&b, "server start until live sessions are adopted  %s\n", spread(v.adopted))
	fmt.Fprintf(&b, "a driver's death until its session shows it   %s\n", spread(v.deaths))
	fmt.Fprintf(&b, "violations    %d\n", len(v.violations))
	if v.kept != "" {
		fmt.Fprintf(&b, "kept          %s\n", v.kept)
	}
	fmt.Fprintf(&b, "again         %s\n", v.plan.command())
	return b.String()
}

func counts[K ~string](of map[K]int) string {
	sum, parts := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		sum += of[name]
		parts = append(parts, fmt.Sprintf("%s %d", name, of[name]))
	}
	if sum == 0 {
		return "0"
	}
	return fmt.Sprintf("%d: %s", sum, strings.Join(parts, ", "))
}

// spread gives the usual figures of a list of durations.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "not measured"
	}
	slices.Sort(all)
	at := func(share float64) time.Duration {
		return all[min(len(all)-1, int(share*float64(len(all))))].Round(time.Millisecond)
	}
	return fmt.Sprintf("p50 %v, p95 %v, max %v (%d)", at(.5), at(.95), at(1), len(all))
}
