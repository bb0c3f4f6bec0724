package hearth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hearth"
)

// claim is one of a DPU.
func claim(id, workGroup string) hearth.Claim {
	return hearth.Claim{SessionID: id, WorkGroup: workGroup, DPUs: 1}
}

func waits(c hearth.Claim) hearth.Claim {
	c.Waiting = true
	return c
}

func large(c hearth.Claim, dpus int) hearth.Claim {
	c.DPUs = dpus
	return c
}

func using(c hearth.Claim, memory int64) hearth.Claim {
	c.Memory = memory
	return c
}

// etl gives the workgroup etl a quota, beside the account's.
func etl(account hearth.Quota, sessions, dpus, queue int) hearth.Quotas {
	return hearth.Quotas{Account: account, WorkGroups: map[string]hearth.WorkGroupQuota{
		"etl": {Quota: hearth.Quota{Sessions: sessions, DPUs: dpus}, Queue: queue},
	}}
}

func TestQuotas_Enter(t *testing.T) {
	const (
		sessions = "Maximum allowed sessions reached: "
		capacity = "Failed to Provision session due to required capacity not being available for the account: "
		remedy   = " Terminate a session, or wait until one ends, and start again."
	)
	one, two := claim("1", "etl"), claim("2", "etl")
	for name, test := range map[string]struct {
		quotas  hearth.Quotas
		live    []hearth.Claim
		claim   hearth.Claim
		waiting string
		kind    hearth.Kind
		refusal string
	}{
		"without quotas": {live: []hearth.Claim{one}, claim: two},
		"with room":      {quotas: etl(hearth.Quota{Sessions: 2}, 2, 2, 0), live: []hearth.Claim{one}, claim: two},
		"in a workgroup that has no quota": {
			quotas: etl(hearth.Quota{}, 1, 0, 0), live: []hearth.Claim{one}, claim: claim("2", "other"),
		},
		"over the workgroup's sessions": {
			quotas: etl(hearth.Quota{}, 1, 0, 0), live: []hearth.Claim{one}, claim: two,
			kind: hearth.KindTooMany, refusal: sessions + "WorkGroup etl has 1 of 1 sessions." + remedy,
		},
		"over the account's sessions": {
			quotas: etl(hearth.Quota{Sessions: 1}, 5, 0, 0), live: []hearth.Claim{claim("1", "other")}, claim: two,
			kind: hearth.KindTooMany, refusal: sessions + "the account has 1 of 1 sessions." + remedy,
		},
		"over the workgroup's DPUs": {
			quotas: etl(hearth.Quota{}, 0, 8, 0), live: []hearth.Claim{large(one, 7)}, claim: large(two, 2),
			kind: hearth.KindTooMany, refusal: capacity + "WorkGroup etl has 7 of 8 DPUs in use and the next session needs 2." + remedy,
		},
		"over the account's DPUs": {
			quotas: etl(hearth.Quota{DPUs: 8}, 0, 0, 0), live: []hearth.Claim{large(one, 7)}, claim: large(two, 2),
			kind: hearth.KindTooMany, refusal: capacity + "the account has 7 of 8 DPUs in use and the next session needs 2." + remedy,
		},
		"over the workgroup's memory": {
			quotas: hearth.Quotas{WorkGroups: map[string]hearth.WorkGroupQuota{"etl": {Quota: hearth.Quota{Memory: 8 * gib}}}},
			live:   []hearth.Claim{using(one, 6*gib)}, claim: using(two, 5*gib/2),
			kind: hearth.KindTooMany, refusal: capacity + "WorkGroup etl has 6 GiB of 8 GiB of memory in use and the next session needs 2560 MiB." + remedy,
		},
		"over the account's memory": {
			quotas: etl(hearth.Quota{Memory: 8 * gib}, 0, 0, 0), live: []hearth.Claim{using(one, 6*gib)}, claim: using(two, 3*gib),
			kind: hearth.KindTooMany, refusal: capacity + "the account has 6 GiB of 8 GiB of memory in use and the next session needs 3 GiB." + remedy,
		},
		"up to the account's memory": {
			quotas: etl(hearth.Quota{Memory: 8 * gib}, 0, 0, 0), live: []hearth.Claim{using(one, 6*gib)}, claim: using(two, 2*gib),
		},
		"beside one whose memory is not known": {
			quotas: etl(hearth.Quota{Memory: 8 * gib}, 0, 0, 0), live: []hearth.Claim{one}, claim: using(two, 8*gib),
		},
		"over its workgroup's quota, which stands for all that have none": {
			quotas: hearth.Quotas{WorkGroups: map[string]hearth.WorkGroupQuota{"*": {Quota: hearth.Quota{Sessions: 1}}}},
			live:   []hearth.Claim{claim("0", "other"), one}, claim: two,
			kind: hearth.KindTooMany, refusal: sessions + "WorkGroup etl has 1 of 1 sessions." + remedy,
		},
		"first in the queue": {
			quotas: etl(hearth.Quota{}, 1, 0, 2), live: []hearth.Claim{one}, claim: two,
			waiting: "Waiting: position 1 of 1 in the queue of WorkGroup etl, which has 1 of 1 sessions.",
		},
		"second in the queue": {
			quotas: etl(hearth.Quota{DPUs: 2}, 0, 0, 2), live: []hearth.Claim{large(one, 1), waits(large(two, 2))}, claim: claim("3", "etl"),
			waiting: "Waiting: position 2 of 2 in the queue of WorkGroup etl, because the account has 1 of 2 DPUs in use and the next session needs 2.",
		},
		"in the queue for memory": {
			quotas: etl(hearth.Quota{Memory: 8 * gib}, 0, 0, 1), live: []hearth.Claim{using(one, 6*gib)}, claim: using(two, 3*gib),
			waiting: "Waiting: position 1 of 1 in the queue of WorkGroup etl, because the account has 6 GiB of 8 GiB of memory in use and the next session needs 3 GiB.",
		},
		"over the queue": {
			quotas: etl(hearth.Quota{}, 1, 0, 1), live: []hearth.Claim{one, waits(two)}, claim: claim("3", "etl"),
			kind: hearth.KindTooMany, refusal: sessions + "WorkGroup etl has 1 of 1 sessions, and the queue of WorkGroup etl is full with 1." + remedy,
		},
		"behind one whose turn has come": {
			quotas: etl(hearth.Quota{}, 1, 0, 1), live: []hearth.Claim{waits(one)}, claim: two,
			waiting: "Waiting: position 1 of 1 in the queue of WorkGroup etl, which has 1 of 1 sessions.",
		},
		"behind a large one of another workgroup that the account has no room for": {
			quotas: etl(hearth.Quota{DPUs: 4}, 0, 0, 1), live: []hearth.Claim{large(one, 2), waits(large(two, 4))}, claim: claim("3", "other"),
			kind: hearth.KindTooMany, refusal: capacity + "the account has 2 of 4 DPUs in use and the next session needs 4." + remedy,
		},
		"beside one that only its own workgroup has no room for": {
			quotas: etl(hearth.Quota{DPUs: 4}, 1, 0, 1), live: []hearth.Claim{one, waits(two)}, claim: claim("3", "other"),
		},
		"larger than the workgroup's quota": {
			quotas: etl(hearth.Quota{}, 0, 2, 5), claim: large(one, 3),
			kind: hearth.KindInvalid, refusal: "The session could never start: it needs 3 DPUs, and the quota of WorkGroup etl is 2. Ask for less with MaxConcurrentDpus.",
		},
		"larger than the account's quota": {
			quotas: etl(hearth.Quota{DPUs: 2}, 0, 0, 5), claim: large(one, 3),
			kind: hearth.KindInvalid, refusal: "The session could never start: it needs 3 DPUs, and the quota of the account is 2. Ask for less with MaxConcurrentDpus.",
		},
		"larger than the account's memory": {
			quotas: etl(hearth.Quota{Memory: 2 * gib}, 0, 0, 5), claim: using(one, 3*gib),
			kind: hearth.KindInvalid, refusal: "The session could never start: its driver needs 3 GiB of memory, and the quota of the account is 2 GiB. Ask for less with spark.driver.memory.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			waiting, err := test.quotas.Enter(test.live, test.claim)
			if waiting != test.waiting {
				t.Errorf("waiting: %q\nwant     %q", waiting, test.waiting)
			}
			if test.refusal == "" && err != nil || test.refusal != "" && (hearth.KindOf(err) != test.kind || hearth.MessageOf(err) != test.refusal) {
				t.Errorf("error %v (%v)\nwant  %s", err, hearth.KindOf(err), test.refusal)
			}
		})
	}
}

func TestQuotas_Admit(t *testing.T) {
	other := claim("o", "other")
	for name, test := range map[string]struct {
		quotas hearth.Quotas
		live   []hearth.Claim
		want   []string
	}{
		"nobody without room": {etl(hearth.Quota{}, 1, 0, 0), []hearth.Claim{claim("1", "etl"), waits(claim("2", "etl"))}, nil},
		"as many as there is room for": {
			etl(hearth.Quota{}, 2, 0, 0),
			[]hearth.Claim{waits(claim("1", "etl")), waits(claim("2", "etl")), waits(claim("3", "etl"))},
			[]string{"1", "2"},
		},
		"all when the quotas are gone": {hearth.Quotas{}, []hearth.Claim{waits(claim("1", "etl")), waits(other)}, []string{"1", "o"}},
		"others behind one that its workgroup has no room for": {
			etl(hearth.Quota{Sessions: 5}, 1, 0, 0), []hearth.Claim{claim("1", "etl"), waits(claim("2", "etl")), waits(other)}, []string{"o"},
		},
		"nobody behind one that the account has no room for": {
			etl(hearth.Quota{DPUs: 4}, 0, 0, 0), []hearth.Claim{claim("1", "etl"), waits(large(claim("2", "etl"), 4)), waits(other)}, nil,
		},
		"nobody before one of the same workgroup that needs more": {
			etl(hearth.Quota{}, 0, 4, 0), []hearth.Claim{claim("1", "etl"), waits(large(claim("2", "etl"), 4)), waits(claim("3", "etl"))}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.quotas.Admit(test.live); !slices.Equal(got, test.want) {
				t.Errorf("admitted %v, want %v", got, test.want)
			}
		})
	}
}

func TestQuotas_Waiting(t *testing.T) {
	quotas := etl(hearth.Quota{Sessions: 2}, 1, 0, 9)
	live := []hearth.Claim{
		claim("1", "etl"), waits(claim("2", "etl")), claim("3", "other"), waits(claim("4", "other")), waits(claim("5", "etl")),
	}
	for id, want := range map[string]string{
		"1":      "",
		"2":      "Waiting: position 1 of 2 in the queue of WorkGroup etl, which has 1 of 1 sessions.",
		"4":      "Waiting: position 1 of 1 in the queue of WorkGroup other, because the account has 2 of 2 sessions.",
		"5":      "Waiting: position 2 of 2 in the queue of WorkGroup etl, which has 1 of 1 sessions.",
		"absent": "",
	} {
		if got := quotas.Waiting(live, id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if got, want := quotas.Waiting(live[1:], "2"), "Waiting: its turn has come."; got != want {
		t.Errorf("when there is room: %q, want %q", got, want)
	}
}

// yard is a history of sessions under quotas.
type yard struct {
	*rapid.T
	quotas  hearth.Quotas
	live    []hearth.Claim // oldest first
	started int
}

func (y *yard) check() {
	held := map[string]hearth.Quota{}
	for _, c := range y.live {
		if c.Waiting {
			continue
		}
		for _, scope := range []string{"", c.WorkGroup} {
			h := held[scope]
			held[scope] = hearth.Quota{Sessions: h.Sessions + 1, DPUs: h.DPUs + c.DPUs, Memory: h.Memory + c.Memory}
		}
	}
	for scope, h := range held {
		q := y.quotas.Account
		if scope != "" {
			q = y.quotas.Of(scope).Quota
		}
		if q.Sessions > 0 && h.Sessions > q.Sessions || q.DPUs > 0 && h.DPUs > q.DPUs || q.Memory > 0 && h.Memory > q.Memory {
			y.Fatalf("%q has %+v of %+v", scope, h, q)
		}
	}
	for _, c := range y.live {
		if reason := y.quotas.Waiting(y.live, c.SessionID); (reason != "") != c.Waiting {
			y.Fatalf("session %s, waiting %v, says %q", c.SessionID, c.Waiting, reason)
		}
	}
}

func (y *yard) start(t *rapid.T) {
	y.started++
	c := hearth.Claim{
		SessionID: fmt.Sprint(y.started),
		WorkGroup: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "workgroup"),
		DPUs:      rapid.IntRange(1, 4).Draw(t, "DPUs"),
		Memory:    rapid.Int64Range(0, 4).Draw(t, "memory"),
	}
	behind := slices.ContainsFunc(y.live, func(o hearth.Claim) bool { return o.Waiting && o.WorkGroup == c.WorkGroup })
	admitted := y.quotas.Admit(y.live)
	reason, err := y.quotas.Enter(y.live, c)
	switch {
	case hearth.KindOf(err) == hearth.KindTooMany && (strings.Contains(err.Error(), "Maximum allowed sessions") || strings.Contains(err.Error(), "required capacity not being available")):
	case hearth.KindOf(err) == hearth.KindInvalid && err != nil:
		if y.quotas.Check(c) == nil {
			y.Fatalf("refused with %v", err)
		}
	case err != nil:
		y.Fatalf("refused with %v", err)
	default:
		if reason == "" && behind && len(admitted) == 0 {
			y.Fatalf("session %s of %s went by those that wait in it", c.SessionID, c.WorkGroup)
		}
		c.Waiting = reason != ""
		y.live = append(y.live, c)
	}
}

// admit lets in whose turn has come, who have to be the first of their
// workgroups.
func (y *yard) admit(*rapid.T) {
	for _, id := range y.quotas.Admit(y.live) {
		i := slices.IndexFunc(y.live, func(c hearth.Claim) bool { return c.SessionID == id })
		c := y.live[i]
		if !c.Waiting {
			y.Fatalf("session %s was admitted and does not wait", id)
		}
		for _, before := range y.live[:i] {
			if before.Waiting && before.WorkGroup == c.WorkGroup {
				y.Fatalf("session %s was admitted before %s of the same workgroup", id, before.SessionID)
			}
		}
		y.live[i].Waiting = false
	}
	if again := y.quotas.Admit(y.live); len(again) != 0 {
		y.Fatalf("there was room for %v too", again)
	}
}

// end ends one that runs or one that waits.
func (y *yard) end(t *rapid.T) {
	if len(y.live) == 0 {
		t.Skip("there is none")
	}
	i := rapid.IntRange(0, len(y.live)-1).Draw(t, "which")
	y.live = slices.Delete(y.live, i, i+1)
}

// Whatever is started and ended, and whenever those that wait are looked at:
// no quota is exceeded, nobody goes by others of its workgroup, and all that
// wait have their turn when those before them end.
func TestQuotas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := func(label string) int { return rapid.IntRange(0, 6).Draw(rt, label) }
		quota := func(whose string) hearth.Quota {
			return hearth.Quota{Sessions: limit(whose + "'s sessions"), DPUs: limit(whose + "'s DPUs"), Memory: int64(limit(whose + "'s memory"))}
		}
		y := &yard{T: rt, quotas: hearth.Quotas{Account: quota("the account"), WorkGroups: map[string]hearth.WorkGroupQuota{
			"a": {Quota: quota("a"), Queue: limit("a's queue")},
			"*": {Quota: quota("others"), Queue: limit("the others' queues")},
		}}}
		rt.Repeat(map[string]func(*rapid.T){
			"start": y.start,
			"end":   y.end,
			"admit": y.admit,
			"":      func(*rapid.T) { y.check() },
		})
		for y.admit(rt); len(y.live) > 0; y.admit(rt) {
			i := slices.IndexFunc(y.live, func(c hearth.Claim) bool { return !c.Waiting })
			if i < 0 {
				rt.Fatalf("nothing runs, and these wait for ever: %+v", y.live)
			}
			y.live = slices.Delete(y.live, i, i+1)
		}
	})
}
