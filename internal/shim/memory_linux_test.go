package shim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// serverIn makes a directory look as the control group of a server does.
func serverIn(t *testing.T, name, controllers string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"cgroup.controllers": controllers, "cgroup.subtree_control": ""} {
		if err := os.WriteFile(filepath.Join(dir, "..", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMakeGroup(t *testing.T) {
	t.Run("beside a server's that it was given", func(t *testing.T) {
		server := serverIn(t, serverGroup, "cpu memory pids\n")
		for range 2 { // the second finds what a launch that never finished left
			group, err := makeGroup(server, "one", 3<<30)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(filepath.Dir(server), "hearth-driver-one")
			if group.Name() != dir {
				t.Errorf("it is %s", group.Name())
			}
			for path, want := range map[string]string{
				filepath.Join(server, "..", "cgroup.subtree_control"): "+memory",
				filepath.Join(dir, "memory.max"):                      "3221225472",
				filepath.Join(dir, "memory.swap.max"):                 "0",
			} {
				if text, err := os.ReadFile(path); err != nil || string(text) != want {
					t.Errorf("%s has %q, %v", path, text, err)
				}
			}
			if err := group.Close(); err != nil {
				t.Error(err)
			}
		}
		if !grouped(server) {
			t.Error("it says that there are none")
		}
	})
	t.Run("not beside another's", func(t *testing.T) {
		server := serverIn(t, "app.slice", "memory\n")
		if _, err := makeGroup(server, "one", 1); err == nil || grouped(server) {
			t.Errorf("it was made, %v", err)
		}
	})
	t.Run("not where there are no groups", func(t *testing.T) {
		server := filepath.Join(t.TempDir(), "none", serverGroup)
		if _, err := makeGroup(server, "one", 1); err == nil || grouped(server) {
			t.Errorf("it was made, %v", err)
		}
	})
	t.Run("not where memory is not controlled", func(t *testing.T) {
		if grouped(serverIn(t, serverGroup, "cpu pids\n")) {
			t.Error("it says that there are groups")
		}
	})
}

func TestBounds_Exhausted(t *testing.T) {
	for events, want := range map[string]bool{
		"low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n": true,
		"low 0\nhigh 0\nmax 0\noom 0\noom_kill 2\n":                    false, // the machine's memory ran out
		"low 0\nhigh 0\nmax 12\noom 3\noom_kill 0\n":                   false,
		"": false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "memory.events"), []byte(events), 0o600); err != nil {
			t.Fatal(err)
		}
		group, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := (bounds{group: group}).exhausted(); got != want {
			t.Errorf("%q: %v", events, got)
		}
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	}
	if (bounds{limit: 1}).exhausted() {
		t.Error("without a group")
	}
}

func TestRemoveGroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "group")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := removeGroup(dir); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it is there still")
	}
	if err := removeGroup(""); err != nil {
		t.Error(err)
	}
}

func TestIdentity_KillLeftovers_Group(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "group")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	id := Identity{BootID: BootID(), PID: dead.Process.Pid, StartTime: 1, Group: dir}
	if err := id.KillLeftovers(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the group of a driver whose shim is dead is there still")
	}
}

func TestBounds_Hold(t *testing.T) {
	for name, test := range map[string]struct {
		bounds bounds
		limit  uint64
	}{
		"without a limit": {bounds{}, unix.RLIM_INFINITY},
		"with one":        {bounds{limit: 64 << 20}, 64 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("sleep", "1000")
			cmd.SysProcAttr = test.bounds.attributes()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			if err := test.bounds.hold(cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
			var got unix.Rlimit
			if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, nil, &got); err != nil || got.Max != test.limit {
				t.Errorf("it is held to %+v, %v", got, err)
			}
			if got, own := preferenceOf(t, cmd.Process.Pid), preferenceOf(t, os.Getpid()); got != min(1000, own+preference) {
				t.Errorf("the system prefers it with %d to a server with %d", got, own)
			}
		})
	}
	t.Run("what has ended", func(t *testing.T) {
		cmd := exec.Command("true")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if err := (bounds{limit: 1}).hold(cmd.Process.Pid); err != nil {
			t.Error(err)
		}
	})
}

func preferenceOf(t *testing.T, pid int) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err == nil {
		_, err = fmt.Sscan(string(text), &n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
