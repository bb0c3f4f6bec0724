package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// serverGroup is the name that the control group of the server, and so of its
// shims, has to have for drivers to get groups beside it. Whoever gave it that
// name has given the server the one above: that it can be written does not say
// so, since systemd lets each user write to groups that are systemd's own.
const serverGroup = "hearth-server"

// preference is added to how readily the system kills a process when memory
// runs out everywhere, of 1000: so much that it takes a driver, and the largest
// first, before the server and the shims.
const preference = 300

// bounds keep the driver's memory from others.
type bounds struct {
	limit int64    // bytes; 0 is none
	group *os.File // the driver's control group; nil has each process held to the limit by itself
}

// bound makes the bounds of a driver. Without a control group of its own, err
// says why; the bounds are good then too.
func bound(limit int64, name string) (b bounds, err error) {
	b.limit = limit
	if limit == 0 {
		return b, nil
	}
	b.group, err = makeGroup(groupOf(os.Getpid()), name, limit)
	return b, err
}

// makeGroup makes a control group beside the server's. When memory runs out in
// it the system kills one process and not all: if that is not one of the two,
// but a Python worker or a program that the code runs, the driver goes on.
func makeGroup(server, name string, limit int64) (*os.File, error) {
	if filepath.Base(server) != serverGroup {
		return nil, fmt.Errorf("the server is in no control group that is called %s", serverGroup)
	}
	parent := filepath.Dir(server)
	if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+memory"), 0o600); err != nil {
		return nil, err
	}
	dir := filepath.Join(parent, "hearth-driver-"+name)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { // it is there of a launch that never finished
		return nil, err
	}
	err := os.WriteFile(filepath.Join(dir, "memory.max"), []byte(strconv.FormatInt(limit, 10)), 0o600)
	if err == nil {
		_ = os.WriteFile(filepath.Join(dir, "memory.swap.max"), []byte("0"), 0o600) // not there without swap
		var group *os.File
		if group, err = os.Open(dir); err == nil {
			return group, nil
		}
	}
	return nil, errors.Join(err, os.Remove(dir))
}

// groupOf gives the directory of a process's control group of version 2; ""
// when there is none.
func groupOf(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(text)) {
		if path, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			return filepath.Join("/sys/fs/cgroup", path)
		}
	}
	return ""
}

// Grouped reports whether drivers of the server that a process is, or of one
// that it starts, get control groups of their own.
func Grouped(pid int) bool { return grouped(groupOf(pid)) }

func grouped(server string) bool {
	parent := filepath.Dir(server)
	controllers, _ := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	return filepath.Base(server) == serverGroup &&
		slices.Contains(strings.Fields(string(controllers)), "memory") &&
		unix.Access(parent, unix.W_OK) == nil &&
		unix.Access(filepath.Join(parent, "cgroup.subtree_control"), unix.W_OK) == nil
}

// attributes has a process start in the group.
func (b bounds) attributes() *syscall.SysProcAttr {
	a := attributes()
	if b.group != nil {
		a.UseCgroupFD, a.CgroupFD = true, int(b.group.Fd())
	}
	return a
}

// hold bounds a process that has just been started, and so all that it will
// start. Of what it has, the limit counts what is its alone and can be written:
// the address space, which Java reserves much of, would say nothing.
func (b bounds) hold(pid int) error {
	path := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	text, _ := os.ReadFile(path)
	own, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	_ = os.WriteFile(path, []byte(strconv.Itoa(min(1000, own+preference))), 0o600) // the system's choice is as good as it gets then
	if b.limit == 0 || b.group != nil {
		return nil
	}
	limit := uint64(b.limit)
	return ignoreGone(unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: limit, Max: limit}, nil))
}

// exhausted reports whether the system has killed processes of the group
// because the limit was reached.
func (b bounds) exhausted() bool {
	if b.group == nil {
		return false
	}
	text, _ := os.ReadFile(filepath.Join(b.group.Name(), "memory.events"))
	reached, _ := count(string(text), "oom")
	killed, _ := count(string(text), "oom_kill")
	return reached > 0 && killed > 0
}

// dir names the group for whoever has to remove it; "" without one.
func (b bounds) dir() string {
	if b.group == nil {
		return ""
	}
	return b.group.Name()
}

// release removes the group when no process is left in it.
func (b bounds) release() error {
	if b.group == nil {
		return nil
	}
	return errors.Join(b.group.Close(), removeGroup(b.group.Name()))
}

// removeGroup removes a control group, if there is one, and kills what is left
// in it: also what has made itself a session of its own, which nothing else
// tells from strangers when the shim is dead.
func removeGroup(dir string) error {
	if dir == "" {
		return nil
	}
	if kill, err := os.OpenFile(filepath.Join(dir, "cgroup.kill"), os.O_WRONLY, 0); err == nil {
		_, err = kill.WriteString("1")
		if err = errors.Join(err, kill.Close()); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // the system takes their memory back first
		err := os.Remove(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}
