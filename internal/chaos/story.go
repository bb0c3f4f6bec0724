package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth"
)

// story is all that happened to a session, and to the server meanwhile, in the
// order of time.
func (h *history) story(s *session) []line {
	lines := append(slices.Clone(s.Log), sightings("session", s.Seen)...)
	for _, e := range s.Events {
		what := "session"
		if e.CalculationID != "" {
			what = "calculation " + e.CalculationID
		}
		lines = append(lines, line{e.At, strings.TrimSpace(fmt.Sprintf("recorded: %s %s → %s %s %s", what, e.From, e.To, e.Reason, e.Note))})
	}
	for _, c := range s.Calculations {
		lines = append(lines, c.Log...)
		lines = append(lines, sightings("calculation "+c.id(), c.Seen)...)
	}
	from, to := s.life()
	for _, f := range h.faults {
		meanwhile := f.Session == "" && f.At.After(from) && f.At.Before(to)
		if meanwhile || slices.Contains(s.IDs, f.Session) {
			lines = append(lines, line{f.At, "done: " + f.String()})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.At.Compare(b.At) })
	return lines
}

// sightings tells of each change that was seen.
func sightings(of string, seen []status) []line {
	var lines []line
	var before status
	for _, s := range seen {
		if s.State != before.State || s.Reason != before.Reason {
			lines = append(lines, line{s.At, strings.TrimSpace(fmt.Sprintf("seen: %s %s %s", of, s.State, s.Reason))})
		}
		before = s
	}
	return lines
}

// life is from shortly before a session's first event until shortly after its
// last.
func (s *session) life() (from, to time.Time) {
	const shortly = time.Second
	if len(s.Log) > 0 {
		from = s.Log[0].At
	}
	if len(s.Events) > 0 && s.Events[0].At.Before(from) {
		from = s.Events[0].At // the first answers were cut off
	}
	for _, seen := range s.Seen {
		to = seen.At
		if hearth.SessionState(seen.State).Ended() {
			break
		}
	}
	return from.Add(-shortly), to.Add(shortly)
}

// background is the story of the session that a trouble is of, or what was done
// shortly before it.
func (h *history) background(t trouble) []line {
	for _, s := range h.sessions {
		if t.Session != "" && slices.Contains(s.IDs, t.Session) {
			return h.story(s)
		}
	}
	var lines []line
	for _, f := range h.faults {
		if f.At.After(t.At.Add(-10*time.Second)) && f.At.Before(t.At.Add(time.Second)) {
			lines = append(lines, line{f.At, strings.TrimSpace("done: " + f.String() + " " + f.Session)})
		}
	}
	return lines
}

// String tells the violation and its story.
func (v violation) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, v.What)
	for _, l := range v.Story {
		fmt.Fprintf(&b, "    %s %s\n", clock(l.At), l.Text)
	}
	return b.String()
}
