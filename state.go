package hearth

import "slices"

// Transitions is a state machine's one table: for each state, the states that
// may follow it. A state with an empty row is final: it never changes again.
type Transitions[S ~string] map[S][]S

// Allows reports whether to may follow from.
func (t Transitions[S]) Allows(from, to S) bool { return slices.Contains(t[from], to) }

// Into lists the states that to may follow, sorted. It is the guard of the
// write that enters to.
func (t Transitions[S]) Into(to S) []S {
	var from []S
	for s, next := range t {
		if slices.Contains(next, to) {
			from = append(from, s)
		}
	}
	slices.Sort(from)
	return from
}

// Final reports whether s never changes again.
func (t Transitions[S]) Final(s S) bool {
	next, known := t[s]
	return known && len(next) == 0
}
