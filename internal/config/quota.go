package config

import (
	"maps"
	"regexp"
	"slices"

	"hearth"
)

// Quota is the table [quota]. A session that is over it is refused, or waits
// when its workgroup has a queue.
type Quota struct {
	// Sessions is how many sessions may be there at once that have not ended.
	// 0 is no limit. Default: 0.
	Sessions int `toml:"sessions"`

	// DPUs is how many DPUs they may hold. A session holds the cores that its
	// tasks run on, in DPUs of four cores, rounded up, from its start to its
	// end. 0 is no limit. Default: 0.
	DPUs int `toml:"dpus"`
}

// WorkGroup is a table [workgroups.NAME].
type WorkGroup struct {
	// Sessions and DPUs are as in [quota], for the workgroup's sessions.
	Sessions int `toml:"sessions"`
	DPUs     int `toml:"dpus"`

	// Queue is how many sessions may wait, CREATING, until there is room for
	// them in the workgroup's quota and the account's. One more is refused. 0
	// refuses all that there is no room for. Default: 0.
	Queue int `toml:"queue"`
}

// Quotas gives both tables in the form of the rules.
func (c Config) Quotas() hearth.Quotas {
	quotas := hearth.Quotas{Account: hearth.Quota{Sessions: c.Quota.Sessions, DPUs: c.Quota.DPUs}, WorkGroups: map[string]hearth.WorkGroupQuota{}}
	for name, g := range c.WorkGroups {
		quotas.WorkGroups[name] = hearth.WorkGroupQuota{Quota: hearth.Quota{Sessions: g.Sessions, DPUs: g.DPUs}, Queue: g.Queue}
	}
	return quotas
}

// workGroupPattern is Athena's for the name of a workgroup.
var workGroupPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,128}$`)

func (c Config) checkQuotas() error {
	const remedy = "write a number above 0, or 0 for no limit"
	switch {
	case c.Quota.Sessions < 0:
		return refuse("quota.sessions", c.Quota.Sessions, remedy)
	case c.Quota.DPUs < 0:
		return refuse("quota.dpus", c.Quota.DPUs, remedy)
	}
	for _, name := range slices.Sorted(maps.Keys(c.WorkGroups)) {
		if name != hearth.OtherWorkGroups && !workGroupPattern.MatchString(name) {
			return hearth.Errorf(hearth.KindInvalid, "The table workgroups has %q, which no workgroup can be called. "+
				`Use the name of one, or "*" for all that have no table.`, name)
		}
		switch g := c.WorkGroups[name]; {
		case g.Sessions < 0:
			return refuse("workgroups."+name+".sessions", g.Sessions, remedy)
		case g.DPUs < 0:
			return refuse("workgroups."+name+".dpus", g.DPUs, remedy)
		case g.Queue < 0:
			return refuse("workgroups."+name+".queue", g.Queue, "write a number above 0, or 0 for no queue")
		}
	}
	return nil
}
