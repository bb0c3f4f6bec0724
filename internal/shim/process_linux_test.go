package shim

import (
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOOMCounters(t *testing.T) {
	for name, c := range map[string]struct {
		groups string
		want   []string
	}{
		"version 2": {
			"0::/system.slice/hearth.service\n",
			[]string{"/sys/fs/cgroup/system.slice/hearth.service/memory.events", "/sys/fs/cgroup/memory.events", "/proc/vmstat"},
		},
		"version 1": {
			"4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
			[]string{"/sys/fs/cgroup/memory/docker/abc/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control", "/proc/vmstat"},
		},
		"none": {"", []string{"/proc/vmstat"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, oomCounters(c.groups)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOOMCount(t *testing.T) {
	for text, want := range map[string]int{
		"low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n": 2,
		"oom_kill_disable 0\nunder_oom 0\noom_kill 5\n":                5,
	} {
		if got, ok := oomCount(text); !ok || got != want {
			t.Errorf("%q has %d, %v", text, got, ok)
		}
	}
	if _, ok := oomCount("oom_kill_disable 0\n"); ok {
		t.Error("there is no count")
	}
}

func TestReadProcess(t *testing.T) {
	cmd := exec.Command("sh", "-c", "cp $(command -v sleep) 'x) Z 1' && exec './x) Z 1' 1000")
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	p, err := readProcess(cmd.Process.Pid)
	if err != nil || p.zombie || p.parent != os.Getpid() || p.start == 0 {
		t.Errorf("it is %+v, %v", p, err)
	}
	if _, err := readProcess(1 << 30); err == nil {
		t.Error("a process that is not there was read")
	}
}

// A number that came to be another process's is not killed for it.
func TestIdentity_KillLeftovers_SparesOthers(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	Detach(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	start := startTime(pid)
	for name, id := range map[string]Identity{
		"that started at another time": {BootID: BootID(), PID: pid, StartTime: start - 1},
		"of another boot":              {BootID: "another", PID: pid, StartTime: start},
	} {
		if err := id.KillLeftovers(); err != nil {
			t.Error(err)
		}
		if p, err := readProcess(pid); err != nil || p.zombie {
			t.Errorf("a process %s was killed", name)
		}
	}
	if err := (Identity{BootID: BootID(), PID: pid, StartTime: start}).KillLeftovers(); err != nil {
		t.Error(err)
	}
	if p, err := readProcess(pid); err == nil && !p.zombie {
		t.Error("the one that is meant was not")
	}
	_ = cmd.Wait() // killed
}
