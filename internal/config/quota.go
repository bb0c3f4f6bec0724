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

	// Memory is how much memory their drivers may use, as Spark writes sizes: a
	// number and k, m, g or t. A session counts with its spark.driver.memory (or
	// driver_memory), its spark.memory.offHeap.size and driver_overhead, used or
	// not. "auto" is seven eighths of the machine's memory, or of what the
	// control group of the server may use, if that is less. "" is no limit.
	// Default: "".
	Memory string `toml:"memory"`
}

// AutoMemory is the Memory that the machine decides.
const AutoMemory = "auto"

// WorkGroup is a table [workgroups.NAME].
type WorkGroup struct {
	// Sessions, DPUs and Memory are as in [quota], for the workgroup's sessions;
	// "auto" is for the account alone.
	Sessions int    `toml:"sessions"`
	DPUs     int    `toml:"dpus"`
	Memory   string `toml:"memory"`

	// Queue is how many sessions may wait, CREATING, until there is room for
	// them in the workgroup's quota and the account's. One more is refused. 0
	// refuses all that there is no room for. Default: 0.
	Queue int `toml:"queue"`

	// TableFormats are the formats of tables that its sessions have beside
	// Spark's own: "iceberg", "delta" or both. The jars of those that are named
	// anywhere are loaded when the server starts, from maven_url. docs/catalog.md
	// tells how such tables are named. Default: none.
	TableFormats []hearth.TableFormat `toml:"table_formats"`
}

// Quotas gives both tables in the form of the rules. Of machine bytes, some
// are left to others when the quota is "auto".
func (c Config) Quotas(machine int64) hearth.Quotas {
	account := hearth.Quota{Sessions: c.Quota.Sessions, DPUs: c.Quota.DPUs, Memory: sizeOf(c.Quota.Memory)}
	if c.Quota.Memory == AutoMemory {
		const mib = 1 << 20
		account.Memory = (machine - machine/8) / mib * mib
	}
	quotas := hearth.Quotas{Account: account, WorkGroups: map[string]hearth.WorkGroupQuota{}}
	for name, g := range c.WorkGroups {
		quotas.WorkGroups[name] = hearth.WorkGroupQuota{Quota: hearth.Quota{Sessions: g.Sessions, DPUs: g.DPUs, Memory: sizeOf(g.Memory)}, Queue: g.Queue}
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
	case c.Quota.Memory != "" && c.Quota.Memory != AutoMemory && !isMemory(c.Quota.Memory):
		return refuse("quota.memory", c.Quota.Memory, memoryRemedy+`, or "auto"`)
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
		case g.Memory != "" && !isMemory(g.Memory):
			return refuse("workgroups."+name+".memory", g.Memory, memoryRemedy)
		case g.Queue < 0:
			return refuse("workgroups."+name+".queue", g.Queue, "write a number above 0, or 0 for no queue")
		}
		if err := c.WorkGroups[name].checkTableFormats(name); err != nil {
			return err
		}
	}
	return nil
}
