package main

import (
	"fmt"
	"io/fs"
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
	info, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(info)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemTotal: %d kB", &kib); n == 1 {
			bytes = kib << 10
		}
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) != 3:
		case parts[0] == "0":
			bytes = least(root, bytes, "sys/fs/cgroup", parts[2], "memory.max")
		case strings.Contains(","+parts[1]+",", ",memory,"):
			bytes = least(root, bytes, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
		}
	}
	return bytes, bytes > 0
}

// least is the least of a number of bytes and the limits of a control group and
// all that it is in. In a container the group that is named may not be there.
func least(root fs.FS, bytes int64, dir, group, file string) int64 {
	for ; ; group = path.Dir(group) {
		text, _ := fs.ReadFile(root, path.Join(dir, group, file))
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // it is "max" without a limit
			bytes = min(bytes, limit)
		}
		if group == "/" || group == "." {
			return bytes
		}
	}
}
