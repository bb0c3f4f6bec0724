package sessions

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hearth"
)

// This file decides about the pool and does nothing; tendpool.go does.

// keyOf tells drivers apart that cannot stand for one another: by all that is
// settled when one starts. bound is what the launch does not say of that. "" is
// of a session that no driver can be started ahead for.
func keyOf(launch hearth.Launch, bound string) string {
	if launch.WorkingDirectory != "" {
		return "" // it has to be there, and is, when the session starts
	}
	text, err := json.Marshal(struct { // maps are written in the order of their keys
		Master     string
		Memory     int64
		Properties map[string]string
		Bound      string
	}{launch.Master, launch.Memory, launch.StaticProperties(), bound})
	if err != nil {
		panic(fmt.Sprintf("a launch cannot be written as JSON: %v", err))
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

// recentStarts are those that the pool prepares for the like of.
const recentStarts = 16

// leastAge is how old a driver has to be before one with another key takes its
// place: where sessions of two kinds take turns, each would else cost a start for
// nothing.
const leastAge = 5 * time.Minute

// A start takes both cores of a small machine for seconds, which code would feel:
// the first code of a session comes right after its start, and code that runs is
// waited for, but not for ever.
const (
	calmAfter    = time.Second
	calmPatience = time.Minute
)

// Waits before a launch is tried again: after one that failed, doubled with each
// that follows; and for memory, which nobody tells of.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 10 * time.Minute
	roomRetry  = 30 * time.Second
)

// retryOf is how long to wait after so many failures in a row.
func retryOf(failures int) time.Duration {
	return min(firstRetry<<min(failures-1, 10), lastRetry)
}

// poolFacts are all that a decision about the pool may look at.
type poolFacts struct {
	size     int      // how many drivers it is to have
	recent   []string // the keys of the last starts, newest first
	members  []standing
	starting bool // sessions start, or wait for their turn; or a driver of the pool is ending
	memory   memory
	retryAt  time.Time // no launch before; zero is any time
	readyAt  time.Time // when the last session got ready; zero is never
	busy     bool      // code runs in sessions
	since    time.Time // since when there are too few drivers
	now      time.Time
}

// memory is what there is of it, and for whom, in bytes.
type memory struct {
	needed   map[string]int64 // by a driver of each key
	quota    int64            // what sessions and the pool may use together; 0 is no limit
	promised int64            // to sessions
	free     int64            // what the machine could give to another driver, when it is known
	known    bool
}

// has reports whether there is enough for a driver beside those of the pool, as
// far as is known.
func (m memory) has(key string, members []standing) bool {
	all := m.promised + m.needed[key]
	for _, other := range members {
		all += other.memory
	}
	return (m.quota == 0 || all <= m.quota) && (!m.known || m.needed[key] <= m.free)
}

// standing is how a driver of the pool stands.
type standing struct {
	id, key string
	memory  int64 // what it may use, in bytes
	begun   time.Time
	warm    bool // else it still starts
	taken   bool // a session is about to be recorded with it
}

// poolStep is a decision: which drivers to end and which to start, and when to
// decide again though nothing has happened.
type poolStep struct {
	end    []string
	launch string // a key; "" is none
	again  time.Time
	calm   bool // again also when a session's code has come to its end
}

// decidePool has one driver started at a time, and only when no session starts:
// what people wait for comes first. One that is to make place has gone before.
func decidePool(f poolFacts) (step poolStep) {
	lacking, surplus := balance(f)
	excess := len(f.members) - f.size
	for _, m := range surplus {
		ripe := m.begun.Add(leastAge)
		switch {
		case excess > 0, lacking != "" && excess == 0 && !f.now.Before(ripe):
			step.end = append(step.end, m.id)
			excess--
		case lacking != "" && excess == 0:
			step.again = sooner(step.again, ripe)
		}
	}
	starting := func(m standing) bool { return !m.warm }
	switch {
	case lacking == "" || len(step.end) > 0 || excess >= 0 || f.starting || slices.ContainsFunc(f.members, starting):
	case f.now.Before(f.retryAt):
		step.again = sooner(step.again, f.retryAt)
	case f.now.Before(f.readyAt.Add(calmAfter)):
		step.again = sooner(step.again, f.readyAt.Add(calmAfter))
	case f.busy && f.now.Before(f.since.Add(calmPatience)):
		step.again, step.calm = sooner(step.again, f.since.Add(calmPatience)), true
	case !f.memory.has(lacking, f.members):
		step.again = sooner(step.again, f.now.Add(roomRetry))
	default:
		step.launch = lacking
	}
	return step
}

// sooner is the first of two times that are not zero.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// balance gives the first key that has fewer drivers than its share, and the
// drivers beyond theirs, the oldest first.
func balance(f poolFacts) (lacking string, surplus []standing) {
	left := shares(f.recent, f.size)
	for _, m := range slices.SortedFunc(slices.Values(f.members), func(a, b standing) int { return cmp.Or(b.begun.Compare(a.begun), cmp.Compare(a.id, b.id)) }) {
		if left[m.key] > 0 || m.taken {
			left[m.key]--
		} else {
			surplus = append(surplus, m)
		}
	}
	slices.Reverse(surplus)
	for _, key := range f.recent {
		if left[key] > 0 {
			return key, surplus
		}
	}
	return "", surplus
}

// shares gives each key its part of size by how often it was asked for: whole
// parts first, and what is left to the largest remainders. Of equal ones the most
// recent counts more.
func shares(recent []string, size int) map[string]int {
	asked := make(map[string]int)
	var keys []string // the most recent first
	for _, key := range recent {
		if asked[key]++; asked[key] == 1 {
			keys = append(keys, key)
		}
	}
	all := make(map[string]int)
	left := size
	for _, key := range keys {
		all[key] = size * asked[key] / len(recent)
		left -= all[key]
	}
	remainder := func(key string) int { return size * asked[key] % len(recent) }
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(remainder(b), remainder(a)) })
	for _, key := range keys[:min(left, len(keys))] {
		all[key]++
	}
	return all
}

// choose gives the driver that a session with a key is to have: the warm one that
// has waited longest, or else one that has begun to start.
func choose(members []standing, key string) (id string, found bool) {
	var fit []standing
	for _, m := range members {
		if m.key == key && key != "" && !m.taken {
			fit = append(fit, m)
		}
	}
	if len(fit) == 0 {
		return "", false
	}
	best := slices.MinFunc(fit, func(a, b standing) int {
		if a.warm != b.warm {
			return map[bool]int{true: -1, false: 1}[a.warm]
		}
		return a.begun.Compare(b.begun)
	})
	return best.id, true
}
