package main

import (
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"strconv"
	"strings"

	"hearth"
	"hearth/internal/config"
)

// quotasOf gives the quotas of a server with these settings. It returns
// KindInvalid when they leave to the machine what it does not tell.
func quotasOf(settings config.Config) (hearth.Quotas, error) {
	memory, known := machineMemory(os.DirFS("/"))
	if !known && settings.Quota.Memory == config.AutoMemory {
		return hearth.Quotas{}, hearth.Errorf(hearth.KindInvalid, "The setting quota.memory cannot be %q here: this machine does not tell how much memory it has. Write a size, like 12g.", config.AutoMemory)
	}
	return settings.Quotas(memory), nil
}

// machineMemory is what the programs of this machine, or of this container, may
// use, in bytes. It reports false where the system is not Linux.
func machineMemory(root fs.FS) (bytes int64, known bool) {
	bytes, known = meminfo(root, "MemTotal")
	for group := range memoryGroups(root) {
		bytes = min(bytes, group.limit)
	}
	return bytes, known
}

// freeMemory is how much memory, in bytes, programs of this machine, or of this
// container, can have without others having to give some back. It reports false
// where the system is not Linux.
func freeMemory(root fs.FS) (bytes int64, known bool) {
	bytes, known = meminfo(root, "MemAvailable")
	for group := range memoryGroups(root) {
		bytes = min(bytes, max(0, group.limit-group.used))
	}
	return bytes, known
}

// meminfo is what Linux tells of its memory under a name, in bytes.
func meminfo(root fs.FS, name string) (bytes int64, known bool) {
	info, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(info)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, name+": %d kB", &kib); n == 1 {
			return kib << 10, true
		}
	}
	return 0, false
}

// memoryGroup is a control group that limits the memory of this process.
type memoryGroup struct {
	limit int64
	used  int64 // without files that were read and may be forgotten
}

// memoryGroups gives the control group of this process and all that it is in. In a
// container the group that is named may not be there; its root is then.
func memoryGroups(root fs.FS) iter.Seq[memoryGroup] {
	return func(yield func(memoryGroup) bool) {
		groups, _ := fs.ReadFile(root, "proc/self/cgroup")
		for line := range strings.Lines(string(groups)) {
			parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(parts) != 3 {
				continue
			}
			dir, limit, usage, files := "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
			switch {
			case parts[0] == "0":
			case strings.Contains(","+parts[1]+",", ",memory,"):
				dir, limit, usage, files = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
			default:
				continue
			}
			for group := parts[2]; ; group = path.Dir(group) {
				in := path.Join(dir, group)
				if bytes, limited := number(root, path.Join(in, limit)); limited { // it is "max" without a limit
					used, _ := number(root, path.Join(in, usage))
					if !yield(memoryGroup{limit: bytes, used: used - statistic(root, in, files)}) {
						return
					}
				}
				if group == "/" || group == "." {
					break
				}
			}
		}
	}
}

func number(root fs.FS, file string) (int64, bool) {
	text, _ := fs.ReadFile(root, file)
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// statistic is a line of a control group's memory.stat.
func statistic(root fs.FS, group, name string) int64 {
	text, _ := fs.ReadFile(root, path.Join(group, "memory.stat"))
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}
