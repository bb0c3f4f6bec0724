package main

import (
	"testing"
	"testing/fstest"
)

func TestMachineMemory(t *testing.T) {
	const machine = "MemTotal:       24576 kB\nMemFree:        1 kB\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"a machine":      {map[string]string{"proc/meminfo": machine}, 24 << 20},
		"another system": {map[string]string{}, 0},
		"a group of version 2 without a limit": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n",
		}, 24 << 20},
		"a group of version 2 inside of one with a limit": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "4194304\n", "sys/fs/cgroup/a/b/memory.max": "max\n",
		}, 4 << 20},
		"a container, where the root is the group": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4194304\n",
		}, 4 << 20},
		"a container of version 1, where the group has another name outside": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "5:cpu:/docker/x\n4:memory:/docker/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "4194304\n",
		}, 4 << 20},
		"a limit above what there is": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "4:memory:/x\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n",
		}, 24 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for path, text := range test.files {
				root[path] = &fstest.MapFile{Data: []byte(text)}
			}
			got, known := machineMemory(root)
			if got != test.want || known != (test.want > 0) {
				t.Errorf("got %d, %v; want %d", got, known, test.want)
			}
		})
	}
}
