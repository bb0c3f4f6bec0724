package main

import (
	"io/fs"
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
			got, known := machineMemory(tree(test.files))
			if got != test.want || known != (test.want > 0) {
				t.Errorf("got %d, %v; want %d", got, known, test.want)
			}
		})
	}
}

func TestFreeMemory(t *testing.T) {
	const machine = "MemTotal:       24576 kB\nMemAvailable:   12288 kB\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"a machine": {map[string]string{"proc/meminfo": machine}, 12 << 20},
		"a container that has files in memory": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "8388608\n",
			"sys/fs/cgroup/memory.current": "7340032\n", "sys/fs/cgroup/memory.stat": "anon 1\nfile 2\ninactive_file 4194304\nactive_file 3\n",
		}, 5 << 20},
		"a group whose machine is short of memory": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "20971520\n", "sys/fs/cgroup/a/memory.current": "1048576\n",
		}, 12 << 20},
		"a group inside of one that is full": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "8388608\n",
			"sys/fs/cgroup/a/memory.max": "4194304\n", "sys/fs/cgroup/a/memory.current": "4194305\n",
		}, 0},
		"a container of version 1": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "4:memory:/docker/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "8388608\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes": "7340032\n", "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 1048576\n",
		}, 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			if got, known := freeMemory(tree(test.files)); got != test.want || !known {
				t.Errorf("got %d, %v; want %d", got, known, test.want)
			}
		})
	}
	if _, known := freeMemory(tree(nil)); known {
		t.Error("another system tells")
	}
}

func tree(files map[string]string) fs.FS {
	root := fstest.MapFS{}
	for path, text := range files {
		root[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}
