package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/rest"
	"hearth/internal/shim"
)

// violation is a broken promise and how it came to be.
type violation struct {
	What  string
	Story []line
}

// limits are those that the server was told, by which a fault may end a driver.
type limits struct {
	Lost     time.Duration // a process that does not answer for that long is given up
	Canceled time.Duration // code that does not stop within that is killed with its driver
}

// check judges a whole history.
func check(h *history, l limits) []violation {
	var found []violation
	for _, t := range h.troubles {
		found = append(found, violation{t.What, h.background(t)})
	}
	for _, s := range h.sessions {
		v := &verdict{session: s, limits: l}
		if h.cut {
			v.checkEnds()
			found = append(found, v.told(h)...)
			continue
		}
		for _, f := range h.faults {
			if f.Session != "" && slices.Contains(s.IDs, f.Session) {
				v.faults = append(v.faults, f)
			}
		}
		v.checkSession()
		found = append(found, v.told(h)...)
	}
	return found
}

// verdict is about one session.
type verdict struct {
	session *session
	faults  []fault // that its driver suffered
	limits  limits
	found   []string
}

// told gives what was found, with the story.
func (v *verdict) told(h *history) []violation {
	if len(v.found) == 0 {
		return nil
	}
	return []violation{{strings.Join(v.found, "\n"), h.story(v.session)}}
}

// checkEnds checks no more than that everything has ended.
func (v *verdict) checkEnds() {
	checkEnd(v, &v.session.thing, hearth.SessionTransitions)
	for _, c := range v.session.Calculations {
		checkEnd(v, &c.thing, hearth.CalculationTransitions)
	}
}

func checkEnd[S ~string](v *verdict, t *thing, table hearth.Transitions[S]) {
	if last := t.last(); len(t.IDs) > 0 && !table.Final(S(last.State)) {
		v.violated(t, "it has not ended: it is %s (%s)", last.State, last.Reason)
	}
}

func (v *verdict) violated(t *thing, format string, args ...any) {
	name := "session " + v.session.id()
	if t != &v.session.thing {
		name = "calculation " + t.id() + " of " + name
	}
	v.found = append(v.found, name+" (token "+t.Token+"): "+fmt.Sprintf(format, args...))
}

func (v *verdict) checkSession() {
	s := v.session
	checkThing(v, &s.thing, hearth.SessionTransitions)
	checkEvents(v, &s.thing, hearth.SessionTransitions, eventsOf(s.Events, ""))
	if s.Refused != "" {
		v.violated(&s.thing, "its start was refused: %s", s.Refused)
	}
	last := s.last()
	switch hearth.SessionState(last.State) {
	case hearth.SessionFailed:
		v.checkCause(&s.thing, last)
	case hearth.SessionTerminated:
		if s.StopAsked.IsZero() {
			v.violated(&s.thing, "it is %s, and nobody asked for its end", last.State)
		}
	}
	for _, c := range s.Calculations {
		v.checkCalculation(c)
	}
	v.checkTurns()
}

func (v *verdict) checkCalculation(c *calculation) {
	t := &c.thing
	checkThing(v, t, hearth.CalculationTransitions)
	checkEvents(v, t, hearth.CalculationTransitions, eventsOf(v.session.Events, c.id()))
	if c.Began > 1 || c.Came > 1 {
		v.violated(t, "its code began %d times and came to its end %d times", c.Began, c.Came)
	}
	if c.Refused != "" {
		if c.Began > 0 {
			v.violated(t, "its code ran though it was refused: %s", c.Refused)
		}
		return
	}
	last := t.last()
	stopAsked := !c.StopAsked.IsZero() || !v.session.StopAsked.IsZero()
	switch hearth.CalculationState(last.State) {
	case hearth.CalculationCompleted:
		v.checkCompleted(c)
	case hearth.CalculationFailed:
		if c.Program.Kind == raising && strings.Contains(last.Reason, "ValueError") {
			v.checkRaised(c)
			break
		}
		v.checkCause(t, last)
		v.checkCut(c, last)
	case hearth.CalculationCanceled:
		if !stopAsked {
			v.violated(t, "it is %s, and nobody asked for its end", last.State)
		}
		v.checkCut(c, last)
	}
	if c.StopState == string(hearth.CalculationCanceling) && last.State != string(hearth.CalculationCanceled) {
		v.violated(t, "the answer to its stop was %s, and it ended %s", c.StopState, last.State)
	}
	// The code reads another clock's tick than whoever notes its end.
	const tick = 50 * time.Millisecond
	if !last.Ended.IsZero() && c.LastRan.After(last.Ended.Add(tick)) {
		v.violated(t, "its code ran at %s, and it was %s at %s", clock(c.LastRan), last.State, clock(last.Ended))
	}
}

// checkThing checks what sessions and calculations have in common.
func checkThing[S ~string](v *verdict, t *thing, table hearth.Transitions[S]) {
	if t.Refused != "" {
		if len(t.Made) > 0 || len(t.IDs) > 0 {
			v.violated(t, "it was refused (%s) and made: %v, %v", t.Refused, t.IDs, t.Made)
		}
		return
	}
	if len(t.IDs) == 0 {
		v.violated(t, "its start was never answered")
		return
	}
	if different := slices.Compact(slices.Sorted(slices.Values(t.IDs))); len(different) > 1 {
		v.violated(t, "its token was answered with different ids: %v", t.IDs)
	}
	if !slices.Equal(t.Made, t.IDs[:1]) {
		v.violated(t, "its token was answered with %s, and on record are %v", t.IDs[0], t.Made)
	}
	if len(t.Seen) == 0 {
		v.violated(t, "it was never seen")
		return
	}
	checkEnd(v, t, table)
	for i, now := range t.Seen {
		if !now.Ended.IsZero() && now.Ended.Before(now.Began) {
			v.violated(t, "it ended at %s, before it began at %s", clock(now.Ended), clock(now.Began))
		}
		if i == 0 {
			continue
		}
		before := t.Seen[i-1]
		switch {
		case table.Final(S(before.State)) && before.Whole != now.Whole:
			v.violated(t, "its end changed\nfrom %s\nto   %s", before.Whole, now.Whole)
		case !reachable(table, S(before.State), S(now.State)):
			v.violated(t, "it was %s and then %s, which no path allows", before.State, now.State)
		}
		if !now.Began.Equal(before.Began) {
			v.violated(t, "it began at %s, and later at %s", clock(before.Began), clock(now.Began))
		}
		if now.Changed.Before(before.Changed) {
			v.violated(t, "it was last changed at %s, and later at %s", clock(before.Changed), clock(now.Changed))
		}
	}
}

// reachable reports whether some path leads from one state to another.
func reachable[S ~string](table hearth.Transitions[S], from, to S) bool {
	reached := []S{from}
	for i := 0; i < len(reached); i++ {
		if reached[i] == to {
			return true
		}
		for _, next := range table[reached[i]] {
			if !slices.Contains(reached, next) {
				reached = append(reached, next)
			}
		}
	}
	return false
}

func eventsOf(all []rest.Event, calculation string) []rest.Event {
	var own []rest.Event
	for _, e := range all {
		if e.CalculationID == calculation {
			own = append(own, e)
		}
	}
	return own
}

// checkEvents checks that the event log is a path of the table, in the order of
// time, that leads to what was seen last.
func checkEvents[S ~string](v *verdict, t *thing, table hearth.Transitions[S], events []rest.Event) {
	if t.Refused != "" || len(t.IDs) == 0 {
		return
	}
	if len(events) == 0 {
		v.violated(t, "the event log has nothing of it")
		return
	}
	if first := events[0]; first.From != "" {
		v.violated(t, "its event log begins with %s after %s", first.To, first.From)
	}
	for i := 1; i < len(events); i++ {
		before, e := events[i-1], events[i]
		if e.From != before.To {
			v.violated(t, "its event log has %s, and goes on from %s", before.To, e.From)
		}
		if e.From != e.To && !table.Allows(S(e.From), S(e.To)) || e.From == e.To && table.Final(S(e.To)) {
			v.violated(t, "its event log goes from %s to %s", e.From, e.To)
		}
		if e.At.Before(before.At) {
			v.violated(t, "its event log goes back in time, from %s to %s", clock(before.At), clock(e.At))
		}
	}
	if end := events[len(events)-1].To; end != t.last().State {
		v.violated(t, "its event log ends with %s, and it is %s", end, t.last().State)
	}
}

// checkTurns checks that calculations ran one after the other.
func (v *verdict) checkTurns() {
	running := ""
	for _, e := range v.session.Events {
		switch {
		case e.CalculationID == "":
		case e.From == "" && running != "":
			v.violated(&v.session.thing, "calculation %s was taken while %s had not ended", e.CalculationID, running)
		case hearth.CalculationState(e.To).Ended():
			running = ""
		default:
			running = e.CalculationID
		}
	}
}

// causes are the words for each fault by which a StateChangeReason has to name
// it. A shim that is killed before it serves is named by whoever launched it.
var causes = map[victim]struct{ killed, frozen *regexp.Regexp }{
	aKernel: {regexp.MustCompile(`Python process was killed by signal 9 \(SIGKILL\)`), regexp.MustCompile(`Python process has not answered for|did not stop within`)},
	aJVM:    {regexp.MustCompile(`Java process was killed by signal 9 \(SIGKILL\)`), regexp.MustCompile(`Java process has not answered for|did not stop within`)},
	aShim:   {regexp.MustCompile(`supervises .* was killed|shim ended at once \(signal: killed\)`), regexp.MustCompile(`(supervises|its shim) .*has not answered for`)},
}

// checkCause checks that something was done to the driver, before, that its
// end is blamed on.
func (v *verdict) checkCause(t *thing, last status) {
	for _, f := range v.faults {
		if f.At.After(last.At) {
			continue
		}
		words := causes[f.Victim].killed
		if f.Frozen > 0 {
			words = causes[f.Victim].frozen
		}
		if words.MatchString(last.Reason) && v.deadly(f) {
			return
		}
	}
	if strings.Contains(last.Reason, "did not stop within") && v.stopped() {
		return // it was asked to, and did not
	}
	v.violated(t, "it is %s and says %q, which is none of what was done to its driver: %s", last.State, last.Reason, describe(v.faults))
}

// deadly reports whether a fault can be the end of a driver.
func (v *verdict) deadly(f fault) bool {
	const most = 0.9 // of the limit, since silence is counted in beats
	limit := v.limits.Lost
	if v.stopped() {
		limit = min(limit, v.limits.Canceled)
	}
	return f.Frozen == 0 || f.Frozen > time.Duration(most*float64(limit))
}

// stopped reports whether a stop was asked for in the session.
func (v *verdict) stopped() bool {
	return slices.ContainsFunc(v.session.Calculations, func(c *calculation) bool { return !c.StopAsked.IsZero() })
}

func describe(faults []fault) string {
	if len(faults) == 0 {
		return "nothing"
	}
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.String())
	}
	return strings.Join(texts, ", ")
}

func (f fault) String() string {
	if f.Frozen > 0 {
		return fmt.Sprintf("%s frozen for %v", f.Victim, f.Frozen)
	}
	return fmt.Sprintf("%s killed", f.Victim)
}

func (v *verdict) checkCompleted(c *calculation) {
	t := &c.thing
	if c.Program.Kind == raising || c.Program.Kind == stubborn {
		v.violated(t, "it is COMPLETED, and its code is %s", c.Program.Kind)
	}
	if c.Began != 1 || c.Came != 1 {
		v.violated(t, "it is COMPLETED, its code began %d times and came to its end %d times", c.Began, c.Came)
	}
	if c.Stdout != c.Program.Stdout {
		v.violated(t, "its stdout is not what was printed: %s", difference(c.Stdout, c.Program.Stdout))
	}
	if c.Stderr != c.Program.Stderr {
		v.violated(t, "its stderr is not what was printed: %s", difference(c.Stderr, c.Program.Stderr))
	}
	result, value, err := parseResult(c.Result)
	switch {
	case err != nil:
		v.violated(t, "its result cannot be read: %v: %q", err, c.Result)
	case result.Status != string(hearth.OutcomeOK) || result.ExitStatus != 0 || value != c.Program.Value:
		v.violated(t, "it is COMPLETED, and its result is %q", c.Result)
	}
}

// checkRaised checks code that ran to its end, which is an exception.
func (v *verdict) checkRaised(c *calculation) {
	t := &c.thing
	if c.Began != 1 || c.Came != 1 {
		v.violated(t, "it raised, its code began %d times and came to its end %d times", c.Began, c.Came)
	}
	if c.Stdout != c.Program.Stdout {
		v.violated(t, "its stdout is not what was printed: %s", difference(c.Stdout, c.Program.Stdout))
	}
	if !strings.Contains(c.Stderr, "ValueError") {
		v.violated(t, "its stderr has no exception: %q", c.Stderr)
	}
	if result, _, err := parseResult(c.Result); err != nil || result.Status != string(hearth.OutcomeError) {
		v.violated(t, "it raised, and its result is %q", c.Result)
	}
}

// checkCut checks what is left of code that did not come to its end by itself,
// or whose end came too late.
func (v *verdict) checkCut(c *calculation, last status) {
	t := &c.thing
	if !strings.HasPrefix(c.Program.Stdout, c.Stdout) {
		v.violated(t, "its stdout is not the beginning of what was printed: %s", difference(c.Stdout, c.Program.Stdout))
	}
	own := c.Stderr[:commonPrefix(c.Stderr, c.Program.Stderr)]
	if rest := c.Stderr[len(own):]; rest != "" && rest != last.Reason+"\n" && !explains.MatchString(rest) {
		v.violated(t, "its stderr goes on with %q", rest[:min(len(rest), 300)])
	}
	result, _, err := parseResult(c.Result)
	switch {
	case err != nil:
		v.violated(t, "its result cannot be read: %v: %q", err, c.Result)
	case result.Status == string(hearth.OutcomeOK) && last.State == string(hearth.CalculationFailed):
		v.violated(t, "it is FAILED, and its result is %q", c.Result)
	}
}

// explains is what stderr has after a driver's loss, a cancellation or an
// exception: the reason, or the text of Python's exception.
var explains = regexp.MustCompile(`^(The driver|File "|KeyboardInterrupt|The calculation)`)

func parseResult(text string) (result shim.Result, value string, err error) {
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		return result, "", err
	}
	for _, raw := range result.Outputs {
		var shown struct {
			Data map[string]string `json:"data"`
		}
		if err := json.Unmarshal(raw, &shown); err != nil {
			return result, "", err
		}
		value += shown.Data["text/plain"]
	}
	return result, value, nil
}

func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// difference tells where a text leaves what was wanted.
func difference(got, want string) string {
	at := commonPrefix(got, want)
	show := func(s string) string { return fmt.Sprintf("%q", s[at:min(len(s), at+60)]) }
	return fmt.Sprintf("%d bytes, wanted %d; at byte %d it has %s and not %s", len(got), len(want), at, show(got), show(want))
}

func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }
