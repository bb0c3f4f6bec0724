package sessions

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hearth"
)

func newGate(bound int) *gate { return &newStarts(bound).gate }

// come has sessions wait, in their order; the first letter is the workgroup.
func (g *gate) come(ids ...string) {
	for i, id := range ids {
		g.add(id[:1], arrival{id, time.Unix(int64(i), 0)})
	}
}

// drain gives the order in which those that wait start, when all that start leave
// one after the other.
func (g *gate) drain() (order []string) {
	for {
		turns := g.next()
		order = append(order, turns...)
		if len(g.starting) == 0 {
			return order
		}
		for id := range g.starting {
			g.leave(id)
			break
		}
	}
}

func TestGate(t *testing.T) {
	order := func(t *testing.T, g *gate, want string) {
		t.Helper()
		if got := strings.Join(g.drain(), " "); got != want {
			t.Errorf("they start in the order %s, want %s", got, want)
		}
	}
	t.Run("no more than its bound start", func(t *testing.T) {
		g := newGate(2)
		g.come("a1", "a2", "a3")
		if got := g.next(); !slices.Equal(got, []string{"a1", "a2"}) {
			t.Errorf("%v start", got)
		}
		if got := g.next(); got != nil {
			t.Errorf("%v start beside two others", got)
		}
		g.leave("a1")
		if got := g.next(); !slices.Equal(got, []string{"a3"}) {
			t.Errorf("%v start when one has left", got)
		}
	})
	t.Run("without a bound all start", func(t *testing.T) {
		g := newGate(0)
		g.come("a1", "a2", "b1")
		if got := g.next(); len(got) != 3 {
			t.Errorf("%v start", got)
		}
	})
	t.Run("workgroups take turns", func(t *testing.T) {
		g := newGate(1)
		g.come("a1", "a2", "a3", "a4", "b1", "b2", "c1")
		order(t, g, "a1 b1 c1 a2 b2 a3 a4")
	})
	t.Run("in a workgroup the oldest is the first, whenever it came to the gate", func(t *testing.T) {
		g := newGate(1)
		for _, second := range []int64{3, 1, 2} {
			g.add("a", arrival{fmt.Sprint("a", second), time.Unix(second, 0)})
		}
		order(t, g, "a1 a2 a3")
	})
	t.Run("one that comes again has its place still", func(t *testing.T) {
		g := newGate(1)
		g.come("a1", "a2")
		g.next()
		g.come("a1", "a2")
		order(t, g, "a2")
	})
	t.Run("one that starts already counts, and does not wait", func(t *testing.T) {
		g := newGate(1)
		g.come("a1", "a2")
		g.enter("a2")
		if got := g.next(); got != nil {
			t.Errorf("%v start beside it", got)
		}
		g.leave("a2")
		order(t, g, "a1")
	})
	t.Run("one that leaves has no turn", func(t *testing.T) {
		g := newGate(1)
		g.come("a1", "b1", "a2")
		g.leave("b1")
		g.leave("a1")
		g.leave("never there")
		order(t, g, "a2")
	})
	t.Run("nobody has a turn when it is shut", func(t *testing.T) {
		g := newGate(1)
		g.come("a1")
		g.shut = true
		if got := g.next(); got != nil {
			t.Errorf("%v start", got)
		}
	})
	t.Run("who waits is told where", func(t *testing.T) {
		g := newGate(2)
		g.come("a1", "b1", "a2", "a3", "a4", "b2")
		g.next()
		for id, want := range map[string]string{
			"a1": "", "b1": "", "never there": "",
			"a2": "Waiting: position 1 of 4 for a start. Sessions start 2 at a time.",
			"b2": "Waiting: position 2 of 4 for a start. Sessions start 2 at a time.",
			"a3": "Waiting: position 3 of 4 for a start. Sessions start 2 at a time.",
			"a4": "Waiting: position 4 of 4 for a start. Sessions start 2 at a time.",
		} {
			if got := g.waiting(id); got != want {
				t.Errorf("%s is told %q, want %q", id, got, want)
			}
		}
	})
}

// Whatever comes and goes, in whatever order: the bound holds, no place stays
// free, nobody is lost or starts twice, nobody waits for more turns than there are
// workgroups for each of its own, and what it is told is what happens.
func TestGate_Any(t *testing.T) {
	const groups = 3
	rapid.Check(t, func(t *rapid.T) {
		g := newGate(rapid.IntRange(1, 4).Draw(t, "bound"))
		var came int
		var waiting []string
		patience := map[string]int{} // turns until its own, at most
		starting := map[string]bool{}
		among := func(ids []string) string { return rapid.SampledFrom(ids).Draw(t, "id") }
		startingNow := func() (ids []string) {
			for id := range starting {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			if len(ids) == 0 {
				t.Skip("nobody starts")
			}
			return ids
		}
		turns := func() {
			before := len(g.starting)
			ids := g.next()
			if len(ids) > 0 && before+len(ids) > g.bound {
				t.Fatalf("%v start beside %d", ids, before)
			}
			for _, id := range ids {
				i := slices.Index(waiting, id)
				if i < 0 {
					t.Fatalf("%s starts and did not wait", id)
				}
				waiting = slices.Delete(waiting, i, i+1)
				starting[id] = true
				for _, other := range waiting {
					if patience[other]--; patience[other] == 0 {
						t.Fatalf("%s waits for too long", other)
					}
				}
			}
			if len(waiting) > 0 && len(g.starting) < g.bound {
				t.Fatalf("%v wait beside %d that start", waiting, len(g.starting))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"comes": func(t *rapid.T) {
				id := fmt.Sprintf("%c%d", 'a'+rune(rapid.IntRange(0, groups-1).Draw(t, "workgroup")), came)
				g.add(id[:1], arrival{id, time.Unix(int64(came), 0)})
				came++
				_, at, _ := g.find(id)
				waiting, patience[id] = append(waiting, id), groups*(at+1)
				turns()
			},
			"is there": func(t *rapid.T) {
				id := fmt.Sprintf("a%d", came)
				came++
				g.enter(id)
				starting[id] = true
				turns()
			},
			"has started": func(*rapid.T) {
				id := among(startingNow())
				g.leave(id)
				delete(starting, id)
				turns()
			},
			"gives up": func(t *rapid.T) {
				if len(waiting) == 0 {
					t.Skip("nobody waits")
				}
				id := among(waiting)
				g.leave(id)
				waiting = slices.DeleteFunc(waiting, func(other string) bool { return other == id })
				turns()
			},
			"": func(t *rapid.T) {
				if len(g.starting) != len(starting) {
					t.Fatalf("%v start, want %v", g.starting, starting)
				}
				for _, id := range waiting {
					if _, _, waits := g.find(id); !waits {
						t.Fatalf("%s is lost", id)
					}
				}
			},
		})
		told := make([]string, len(waiting))
		for _, id := range waiting {
			var position, all, bound int
			if _, err := fmt.Sscanf(g.waiting(id), "Waiting: position %d of %d for a start. Sessions start %d at a time.", &position, &all, &bound); err != nil {
				t.Fatalf("%s is told %q", id, g.waiting(id))
			}
			if all != len(waiting) || bound != g.bound {
				t.Fatalf("%s is told %q of %v", id, g.waiting(id), waiting)
			}
			told[position-1] = id
		}
		if order := g.drain(); !slices.Equal(order, told) {
			t.Fatalf("they start in the order %v and were told %v", order, told)
		}
	})
}

func TestStarts_Limit(t *testing.T) {
	t.Run("a start that hangs does not hold up others for ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{Starts: 1})
			for _, id := range []string{"first", "second", "third"} {
				s.lineUp(hearth.Session{ID: id})
			}
			time.Sleep(startLimit - time.Second)
			synctest.Wait()
			if !s.starts.waits("second") {
				t.Error("the next one starts beside it before its time is over")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if s.starts.waits("second") || !s.starts.waits("third") {
				t.Error("not just the next one starts after that")
			}
		})
	})
}
