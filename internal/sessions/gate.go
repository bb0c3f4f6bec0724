package sessions

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// gate decides which sessions may launch their drivers: no more than bound of them
// start at a time. Of those that wait the workgroups take turns, each with the
// session that it asked for first, so that many of one do not hold up another's
// one. It decides and does nothing; tendgate.go does.
type gate struct {
	bound    int // 0 is no limit
	starting map[string]bool
	lines    []line // of the workgroups that have sessions waiting; the first has the next turn
	shut     bool   // nobody has a turn any more
}

// line is what a workgroup has waiting, oldest first; never empty.
type line struct {
	workGroup string
	waiting   []arrival
}

// arrival is a session that is to start.
type arrival struct {
	id    string
	asked time.Time
}

func (a arrival) compare(b arrival) int {
	return cmp.Or(a.asked.Compare(b.asked), cmp.Compare(a.id, b.id))
}

// add has a session wait, unless it does or starts already.
func (g *gate) add(workGroup string, a arrival) {
	if _, _, waits := g.find(a.id); waits || g.starting[a.id] {
		return
	}
	i := slices.IndexFunc(g.lines, func(l line) bool { return l.workGroup == workGroup })
	if i < 0 {
		i = len(g.lines)
		g.lines = append(g.lines, line{workGroup: workGroup})
	}
	l := &g.lines[i]
	at, _ := slices.BinarySearchFunc(l.waiting, a, arrival.compare)
	l.waiting = slices.Insert(l.waiting, at, a)
}

// enter counts a session that does not have to wait, because its driver is there
// and starts. There may be more than bound then; nobody follows until there are
// fewer.
func (g *gate) enter(id string) {
	g.leave(id)
	g.starting[id] = true
}

// next gives the sessions that may start now, in the order of their turns. They
// count until they leave.
func (g *gate) next() (ids []string) {
	for !g.shut && len(g.lines) > 0 && (g.bound == 0 || len(g.starting) < g.bound) {
		l := g.lines[0]
		g.lines = g.lines[1:]
		id := l.waiting[0].id
		if l.waiting = l.waiting[1:]; len(l.waiting) > 0 {
			g.lines = append(g.lines, l)
		}
		g.starting[id] = true
		ids = append(ids, id)
	}
	return ids
}

// leave is for a session that does not start any more, or does not want to.
func (g *gate) leave(id string) {
	delete(g.starting, id)
	if i, at, waits := g.find(id); waits {
		l := &g.lines[i]
		if l.waiting = slices.Delete(l.waiting, at, at+1); len(l.waiting) == 0 {
			g.lines = slices.Delete(g.lines, i, i+1)
		}
	}
}

// find gives the line that a session waits in, and where in it.
func (g *gate) find(id string) (i, at int, waits bool) {
	for i, l := range g.lines {
		if at := slices.IndexFunc(l.waiting, func(a arrival) bool { return a.id == id }); at >= 0 {
			return i, at, true
		}
	}
	return 0, 0, false
}

// waiting says where a session stands, as a StateChangeReason; "" when it does not
// wait. Whoever comes from another workgroup may get in before it.
func (g *gate) waiting(id string) string {
	own, at, waits := g.find(id)
	if !waits {
		return ""
	}
	position, all := 1, 0
	for i, l := range g.lines {
		before := at // the turns that its workgroup has before
		if i < own {
			before++
		}
		position += min(before, len(l.waiting))
		all += len(l.waiting)
	}
	return fmt.Sprintf("Waiting: position %d of %d for a start. Sessions start %d at a time.", position, all, g.bound)
}
