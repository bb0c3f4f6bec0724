package hearth

import (
	"fmt"
	"slices"
)

// Quota is the most that sessions which have not ended may take at once. 0 is
// no limit.
type Quota struct {
	Sessions int
	DPUs     int
	Memory   int64 // bytes
}

// with is what is held when a session's claim is held too.
func (q Quota) with(c Claim) Quota {
	return Quota{Sessions: q.Sessions + 1, DPUs: q.DPUs + c.DPUs, Memory: sum(q.Memory, c.Memory)}
}

// WorkGroupQuota is the quota of a workgroup and, beside it, how many sessions
// may wait for room in it or in the account's. 0 refuses them at once.
type WorkGroupQuota struct {
	Quota
	Queue int
}

// OtherWorkGroups stands for each workgroup that Quotas does not name. No
// workgroup can have this name.
const OtherWorkGroups = "*"

// Quotas are the rules of who may start. Sessions start in the order in which
// they were asked for, with one exception: a session that its workgroup has no
// room for holds up its own workgroup only. One that the account has no room
// for holds up everybody behind it, or a large one would never have its turn
// among many small ones.
type Quotas struct {
	Account    Quota
	WorkGroups map[string]WorkGroupQuota
}

// Claim is what a session that has not ended takes of the quotas.
type Claim struct {
	SessionID string
	WorkGroup string
	// DPUs are those that the session holds, or will hold when its turn comes,
	// as they are accounted. They are not what it asked for: MaxConcurrentDpus
	// is 20 unless asked otherwise, which no driver on a smaller machine can
	// hold, and a quota in such figures would refuse sessions while there is
	// room. AWS counts the DPUs in use too (Athena's quotas page).
	DPUs int
	// Memory is what the session's driver may use, in bytes, whether it does or
	// not: what is promised to one cannot be promised to another.
	Memory int64
	// Waiting is true in the queue; until its turn comes a session holds
	// nothing.
	Waiting bool
}

// Claim is what the session takes of the quotas while it has not ended.
func (s Session) Claim() Claim {
	c := s.EngineConfiguration
	return Claim{SessionID: s.ID, WorkGroup: s.WorkGroup, DPUs: c.DPUs(), Memory: c.Memory, Waiting: s.Waiting}
}

// Of gives the quota of a workgroup.
func (q Quotas) Of(workGroup string) WorkGroupQuota {
	if own, named := q.WorkGroups[workGroup]; named {
		return own
	}
	return q.WorkGroups[OtherWorkGroups]
}

// Limit reports whether there is a limit to the sessions of a workgroup.
func (q Quotas) Limit(workGroup string) bool {
	return q.Account != Quota{} || q.Of(workGroup).Quota != Quota{}
}

// Check refuses a session that is larger than a quota by itself, and so could
// never start. It returns KindInvalid, in words that no client waits on.
func (q Quotas) Check(c Claim) error {
	for _, of := range q.over(c) {
		if of.quota.DPUs > 0 && c.DPUs > of.quota.DPUs {
			return Errorf(KindInvalid, "The session could never start: it needs %d DPUs, and the quota of %s is %d. Ask for less with MaxConcurrentDpus.",
				c.DPUs, of.scope, of.quota.DPUs)
		}
		if of.quota.Memory > 0 && c.Memory > of.quota.Memory {
			return Errorf(KindInvalid, "The session could never start: its driver needs %s of memory, and the quota of %s is %s. Ask for less with spark.driver.memory.",
				ShowMemory(c.Memory), of.scope, ShowMemory(of.quota.Memory))
		}
	}
	return nil
}

// Enter decides about a new session beside the live ones, which are given
// oldest first. It starts, or it waits, and then waiting says where and for
// what, or it is refused: with KindInvalid when it could never start, and with
// KindTooMany when there is no room and no place in its workgroup's queue.
func (q Quotas) Enter(live []Claim, c Claim) (waiting string, err error) {
	if err := q.Check(c); err != nil {
		return "", err
	}
	c.Waiting = true
	live = append(slices.Clone(live), c)
	l := q.line(live)
	if slices.Contains(l.admitted, c.SessionID) {
		return "", nil
	}
	short := l.short[c.WorkGroup]
	if _, length := l.position(live, c); length > q.Of(c.WorkGroup).Queue {
		return "", short.refusal(c, length-1)
	}
	return q.Waiting(live, c.SessionID), nil
}

// Admit gives the ids of the sessions whose turn has come, oldest first. live
// is oldest first too.
func (q Quotas) Admit(live []Claim) []string { return q.line(live).admitted }

// Waiting says where a session stands in its workgroup's queue and what it
// waits for, as a StateChangeReason; "" when it does not wait. live is oldest
// first.
func (q Quotas) Waiting(live []Claim, sessionID string) string {
	i := slices.IndexFunc(live, func(c Claim) bool { return c.SessionID == sessionID && c.Waiting })
	if i < 0 {
		return ""
	}
	c := live[i]
	l := q.line(live)
	if slices.Contains(l.admitted, sessionID) {
		return "Waiting: its turn has come."
	}
	position, length := l.position(live, c)
	queue, short := scopeOf(c.WorkGroup), l.short[c.WorkGroup]
	who := "which"
	if short.scope != queue {
		who = "because " + short.scope
	}
	return fmt.Sprintf("Waiting: position %d of %d in the queue of %s, %s %s.", position, length, queue, who, short.use())
}

// line is how the live sessions stand when all that may start have started.
type line struct {
	admitted []string
	short    map[string]*shortage // by workgroup: what its first in the queue waits for
}

func (q Quotas) line(live []Claim) line {
	held := map[string]Quota{} // by scope
	hold := func(c Claim) {
		for _, of := range q.over(c) {
			held[of.scope] = held[of.scope].with(c)
		}
	}
	for _, c := range live {
		if !c.Waiting {
			hold(c)
		}
	}
	l := line{short: map[string]*shortage{}}
	var account *shortage // of the first that the account has no room for
	for _, c := range live {
		if !c.Waiting || l.short[c.WorkGroup] != nil {
			continue
		}
		over := q.over(c)
		short := over[0].lacks(held, c)
		if short == nil {
			if account == nil {
				account = over[1].lacks(held, c)
			}
			short = account
		}
		if short != nil {
			l.short[c.WorkGroup] = short
			continue
		}
		hold(c)
		l.admitted = append(l.admitted, c.SessionID)
	}
	return l
}

// position counts those that go on waiting in the queue of c's workgroup, and
// those of them up to c.
func (l line) position(live []Claim, c Claim) (position, length int) {
	for _, other := range live {
		if other.Waiting && other.WorkGroup == c.WorkGroup && !slices.Contains(l.admitted, other.SessionID) {
			length++
			if other.SessionID == c.SessionID {
				position = length
			}
		}
	}
	return position, length
}

// scoped is a quota and whose it is.
type scoped struct {
	scope string
	quota Quota
}

func scopeOf(workGroup string) string { return "WorkGroup " + workGroup }

// over are the quotas that a session counts for: its workgroup's, then the
// account's.
func (q Quotas) over(c Claim) [2]scoped {
	return [2]scoped{{scopeOf(c.WorkGroup), q.Of(c.WorkGroup).Quota}, {"the account", q.Account}}
}

// shortage is a quota without room for a session.
type shortage struct {
	scoped
	held Quota // at this time
	by   Claim // the session
}

// lacks tells what there is too little of for a session; nil when there is
// room.
func (s scoped) lacks(held map[string]Quota, c Claim) *shortage {
	short := &shortage{s, held[s.scope], c}
	if short.ofSessions() || short.ofDPUs() || short.ofMemory() {
		return short
	}
	return nil
}

func (s *shortage) ofSessions() bool {
	return s.quota.Sessions > 0 && s.held.Sessions >= s.quota.Sessions
}

func (s *shortage) ofDPUs() bool {
	return s.quota.DPUs > 0 && s.held.DPUs+s.by.DPUs > s.quota.DPUs
}

func (s *shortage) ofMemory() bool {
	return s.quota.Memory > 0 && s.held.with(s.by).Memory > s.quota.Memory
}

// use is what the scope has of its quota.
func (s *shortage) use() string {
	switch {
	case s.ofSessions():
		return fmt.Sprintf("has %d of %d sessions", s.held.Sessions, s.quota.Sessions)
	case s.ofDPUs():
		return fmt.Sprintf("has %d of %d DPUs in use and the next session needs %d", s.held.DPUs, s.quota.DPUs, s.by.DPUs)
	default:
		return fmt.Sprintf("has %s of %s of memory in use and the next session needs %s", ShowMemory(s.held.Memory), ShowMemory(s.quota.Memory), ShowMemory(s.by.Memory))
	}
}

// refusal refuses a session behind others that wait. dbt's pool waits on the
// first words of both texts, which are Athena's.
func (s *shortage) refusal(c Claim, waiting int) *Error {
	what := "Maximum allowed sessions reached"
	if !s.ofSessions() {
		what = "Failed to Provision session due to required capacity not being available for the account"
	}
	queue := ""
	if waiting > 0 {
		queue = fmt.Sprintf(", and the queue of %s is full with %d", scopeOf(c.WorkGroup), waiting)
	}
	return Errorf(KindTooMany, "%s: %s %s%s. Terminate a session, or wait until one ends, and start again.", what, s.scope, s.use(), queue)
}
