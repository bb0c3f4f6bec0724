package sessions

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hearth"
)

func TestKeyOf(t *testing.T) {
	usual := hearth.Launch{Master: "local[2]", Memory: 3 << 30, Properties: map[string]string{"spark.driver.memory": "2g"}}
	with := func(change func(*hearth.Launch)) string {
		launch := usual
		launch.Properties = maps.Clone(usual.Properties)
		change(&launch)
		return keyOf(launch, "bound")
	}
	same := with(func(*hearth.Launch) {})

	for name, change := range map[string]func(*hearth.Launch){
		"what Spark takes while it runs": func(l *hearth.Launch) { l.Properties["spark.sql.shuffle.partitions"] = "3" },
		"the session":                    func(l *hearth.Launch) { l.SessionID, l.IdleTimeout = "another", time.Hour },
		"the workgroup":                  func(l *hearth.Launch) { l.WorkGroup = "another" },
	} {
		t.Run(name+" does not matter", func(t *testing.T) {
			if with(change) != same {
				t.Error("it is another key")
			}
		})
	}
	for name, change := range map[string]func(*hearth.Launch){
		"its cores":            func(l *hearth.Launch) { l.Master = "local[1]" },
		"its memory":           func(l *hearth.Launch) { l.Memory++ },
		"a static property":    func(l *hearth.Launch) { l.Properties["spark.sql.warehouse.dir"] = "/tmp" },
		"a catalog":            func(l *hearth.Launch) { l.Properties["spark.sql.catalog.x"] = "X" },
		"a property of Spark":  func(l *hearth.Launch) { l.Properties["spark.default.parallelism"] = "3" },
		"a property of Hadoop": func(l *hearth.Launch) { l.Properties["spark.hadoop.fs.s3a.access.key"] = "KEY" },
	} {
		t.Run(name+" matters", func(t *testing.T) {
			if with(change) == same {
				t.Error("it is the same key")
			}
		})
	}
	t.Run("so does what the launch does not say", func(t *testing.T) {
		if keyOf(usual, "another") == same {
			t.Error("it is the same key")
		}
	})
	t.Run("a session with a directory of its own has none", func(t *testing.T) {
		if key := with(func(l *hearth.Launch) { l.WorkingDirectory = "/home" }); key != "" {
			t.Errorf("it is %q", key)
		}
	})
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		recent string // each letter is a key
		size   int
		want   map[string]int
	}{
		{"", 2, map[string]int{}},
		{"A", 0, map[string]int{"A": 0}},
		{"A", 3, map[string]int{"A": 3}},
		{"AAAB", 1, map[string]int{"A": 1, "B": 0}},
		{"BAAA", 1, map[string]int{"A": 1, "B": 0}},
		{"AB", 1, map[string]int{"A": 1, "B": 0}},
		{"BA", 1, map[string]int{"A": 0, "B": 1}},
		{"ABCABC", 2, map[string]int{"A": 1, "B": 1, "C": 0}},
		{"AAABBC", 3, map[string]int{"A": 2, "B": 1, "C": 0}}, // 1.5, 1, 0.5
		{"AAAAAB", 4, map[string]int{"A": 3, "B": 1}},         // 3.3, 0.7
	} {
		t.Run(fmt.Sprintf("%d for %s", c.size, c.recent), func(t *testing.T) {
			var recent []string
			for _, key := range c.recent {
				recent = append(recent, string(key))
			}
			if diff := cmp.Diff(c.want, shares(recent, c.size)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecidePool(t *testing.T) {
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	warm := func(id, key string, age time.Duration) standing {
		return standing{id: id, key: key, begun: noon.Add(-age), warm: true}
	}
	large := warm("1", "A", time.Hour)
	large.memory = 8
	for name, c := range map[string]struct {
		facts poolFacts
		want  poolStep
	}{
		"one is started where none is":                        {poolFacts{size: 1, recent: []string{"A"}}, poolStep{launch: "A"}},
		"none is with a pool of none":                         {poolFacts{recent: []string{"A"}}, poolStep{}},
		"none is while sessions start":                        {poolFacts{size: 1, recent: []string{"A"}, starting: true}, poolStep{}},
		"none is while one starts":                            {poolFacts{size: 2, recent: []string{"A"}, members: []standing{{id: "1", key: "A", begun: noon}}}, poolStep{}},
		"the next is when that is warm":                       {poolFacts{size: 2, recent: []string{"A"}, members: []standing{warm("1", "A", 0)}}, poolStep{launch: "A"}},
		"enough is enough":                                    {poolFacts{size: 1, recent: []string{"A"}, members: []standing{warm("1", "A", time.Hour)}}, poolStep{}},
		"without free memory it is looked again":              {poolFacts{size: 1, recent: []string{"A"}, memory: memory{needed: map[string]int64{"A": 3}, free: 2, known: true}}, poolStep{again: noon.Add(roomRetry)}},
		"as much as it needs is enough":                       {poolFacts{size: 1, recent: []string{"A"}, memory: memory{needed: map[string]int64{"A": 3}, free: 3, known: true}}, poolStep{launch: "A"}},
		"the quota is also for sessions":                      {poolFacts{size: 1, recent: []string{"A"}, memory: memory{needed: map[string]int64{"A": 3}, quota: 10, promised: 8}}, poolStep{again: noon.Add(roomRetry)}},
		"and for what the others may use":                     {poolFacts{size: 2, recent: []string{"B", "A"}, members: []standing{large}, memory: memory{needed: map[string]int64{"A": 8, "B": 3}, quota: 10}}, poolStep{again: noon.Add(roomRetry)}},
		"which may be all of it":                              {poolFacts{size: 2, recent: []string{"B", "A"}, members: []standing{large}, memory: memory{needed: map[string]int64{"A": 8, "B": 3}, quota: 12, promised: 1}}, poolStep{launch: "B"}},
		"after a failure it is waited":                        {poolFacts{size: 1, recent: []string{"A"}, retryAt: noon.Add(time.Minute)}, poolStep{again: noon.Add(time.Minute)}},
		"right after a start it is waited for code":           {poolFacts{size: 1, recent: []string{"A"}, readyAt: noon}, poolStep{again: noon.Add(calmAfter)}},
		"and until code that runs has come to its end":        {poolFacts{size: 1, recent: []string{"A"}, busy: true, since: noon, readyAt: noon.Add(-time.Hour)}, poolStep{again: noon.Add(calmPatience), calm: true}},
		"but not for ever":                                    {poolFacts{size: 1, recent: []string{"A"}, busy: true, since: noon.Add(-calmPatience)}, poolStep{launch: "A"}},
		"what is asked for no more makes place":               {poolFacts{size: 1, recent: []string{"B"}, members: []standing{warm("1", "A", time.Hour)}}, poolStep{end: []string{"1"}}},
		"not so soon":                                         {poolFacts{size: 1, recent: []string{"B"}, members: []standing{warm("1", "A", time.Minute)}}, poolStep{again: noon.Add(leastAge - time.Minute)}},
		"and only if place is short":                          {poolFacts{size: 2, recent: []string{"B"}, members: []standing{warm("1", "A", time.Hour)}}, poolStep{launch: "B"}},
		"of one kind the oldest makes place":                  {poolFacts{size: 2, recent: []string{"A", "B"}, members: []standing{warm("1", "A", time.Hour), warm("2", "A", 2*time.Hour)}}, poolStep{end: []string{"2"}}},
		"what is too many ends, however young":                {poolFacts{size: 1, recent: []string{"A"}, members: []standing{warm("1", "A", 0), warm("2", "A", time.Second)}}, poolStep{end: []string{"2"}}},
		"all end when there are to be none":                   {poolFacts{recent: []string{"A"}, members: []standing{warm("1", "A", 0)}}, poolStep{end: []string{"1"}}},
		"one that a session is about to have does not end":    {poolFacts{recent: []string{"A"}, members: []standing{{id: "1", key: "A", begun: noon, warm: true, taken: true}}}, poolStep{}},
		"a server that knows of no session starts no driver":  {poolFacts{size: 1}, poolStep{}},
		"memory that is short is no reason to end what waits": {poolFacts{size: 1, recent: []string{"A"}, members: []standing{large}, memory: memory{needed: map[string]int64{"A": 8}, quota: 1, known: true}}, poolStep{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.facts.now = noon
			if diff := cmp.Diff(c.want, decidePool(c.facts), cmp.AllowUnexported(poolStep{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("it comes to rest with the size that is wanted", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			f := poolFacts{
				size:   rapid.IntRange(0, 5).Draw(t, "size"),
				recent: rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", "C"}), 1, recentStarts).Draw(t, "recent"),
				now:    noon,
			}
			for i := range rapid.IntRange(0, 6).Draw(t, "members") {
				f.members = append(f.members, warm(fmt.Sprint(i), rapid.SampledFrom([]string{"A", "D"}).Draw(t, "key"), rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "age")))
			}
			for range 100 {
				step := decidePool(f)
				if diff := cmp.Diff(poolStep{}, step, cmp.AllowUnexported(poolStep{})); diff == "" {
					left := shares(f.recent, f.size)
					for _, m := range f.members {
						left[m.key]--
					}
					for key, n := range left {
						if n != 0 {
							t.Fatalf("%s is %d off", key, n)
						}
					}
					return
				}
				f.members = slices.DeleteFunc(f.members, func(m standing) bool { return slices.Contains(step.end, m.id) })
				if step.launch != "" {
					f.members = append(f.members, warm(fmt.Sprintf("new %d", len(f.members)), step.launch, 0))
				}
				if !step.again.IsZero() {
					f.now = step.again
				}
			}
			t.Fatal("it does not come to rest")
		})
	})
}

func TestChoose(t *testing.T) {
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	members := []standing{
		{id: "another", key: "B", begun: noon, warm: true},
		{id: "starting", key: "A", begun: noon},
		{id: "young", key: "A", begun: noon.Add(2 * time.Second), warm: true},
		{id: "old", key: "A", begun: noon.Add(time.Second), warm: true},
		{id: "taken", key: "A", begun: noon, warm: true, taken: true},
	}
	for name, c := range map[string]struct {
		of   []standing
		key  string
		want string
	}{
		"the warm one that has waited longest":  {members, "A", "old"},
		"one that starts, rather than none":     {members[:2], "A", "starting"},
		"none of another kind":                  {members[:1], "A", ""},
		"none that another session is to have":  {members[4:], "A", ""},
		"none for a session that can have none": {members, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if id, found := choose(c.of, c.key); id != c.want || found != (c.want != "") {
				t.Errorf("it is %q, %v", id, found)
			}
		})
	}
}

func TestRetryOf(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 4: 40 * time.Second, 8: 10 * time.Minute, 1000: 10 * time.Minute} {
		if got := retryOf(failures); got != want {
			t.Errorf("after %d failures it is %v", failures, got)
		}
	}
}
