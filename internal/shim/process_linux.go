package shim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes of the driver's processes: each leads a group of its own and dies
// with the shim's thread that started it, however the shim ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// Detach makes the shim the leader of a session of its own, which no terminal
// and no end of the server reaches.
func Detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// BootID tells this run of the machine from the ones before.
func BootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // "" where it is hidden: then nothing can be told apart
	return string(bytes.TrimSpace(id))
}

// startTime of a process in clock ticks since boot, 0 when there is none.
func startTime(pid int) uint64 {
	p, err := readProcess(pid)
	if err != nil {
		return 0
	}
	return p.start
}

// process is a line of the system's table.
type process struct {
	pid, parent, session int
	zombie               bool
	start                uint64
}

func readProcess(pid int) (process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	// The second field is the name in brackets and may hold anything.
	_, rest, found := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return process{}, fmt.Errorf("/proc/%d/stat is cut short", pid)
	}
	p := process{pid: pid, zombie: fields[0] == "Z" || fields[0] == "X"}
	p.parent, _ = strconv.Atoi(fields[1])
	p.session, _ = strconv.Atoi(fields[3])
	p.start, err = strconv.ParseUint(fields[19], 10, 64)
	return p, err
}

func processes() ([]process, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	var all []process
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, err := readProcess(pid); err == nil { // else it has just gone
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// killAll kills the processes that match until none is left. Killing one makes
// orphans of its children, which may match then.
func killAll(match func(process) bool) error {
	for {
		all, err := processes()
		if err != nil {
			return err
		}
		left := 0
		for _, p := range all {
			switch {
			case !match(p):
			case !p.zombie:
				left++
				if err := killOne(p); err != nil {
					return err
				}
			case p.parent == os.Getpid():
				left++
				_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
			}
		}
		if left == 0 {
			return nil
		}
	}
}

// killOne kills a process and waits for its end. The handle keeps its number
// from being given to another one meanwhile.
func killOne(p process) error {
	handle, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(handle)
	if again, err := readProcess(p.pid); err != nil || again.start != p.start {
		return nil
	}
	if err := unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0); err != nil {
		return ignoreGone(err)
	}
	const patience = 10 * time.Second // the system takes a killed process's memory back first
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, int(patience.Milliseconds()))
	if n == 0 && err == nil {
		return fmt.Errorf("process %d does not end though it was killed", p.pid)
	}
	if errors.Is(err, unix.EINTR) {
		return nil // it is looked at again
	}
	return err
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// adoptOrphans makes the shim the parent of whatever its driver's processes
// leave behind, so that nothing escapes its end.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// reapOrphans collects the orphans that end, other than the processes that are
// waited for by number, until stop closes.
func reapOrphans(known map[int]bool, stop <-chan struct{}) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	for {
		select {
		case <-stop:
			return
		case <-ended:
		}
		all, _ := processes() // the next end gives another chance
		for _, p := range all {
			if p.zombie && p.parent == os.Getpid() && !known[p.pid] {
				_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
			}
		}
	}
}

// killFamily kills all that the driver's processes have left behind.
func killFamily() error {
	self := os.Getpid()
	own, err := unix.Getsid(0)
	if err != nil {
		return err
	}
	return killAll(func(p process) bool {
		return p.pid != self && (p.parent == self || own == self && p.session == self)
	})
}

// KillLeftovers ends what is left of a driver whose shim is dead: all processes
// of the shim's session, started since the shim was, and their control group.
func (id Identity) KillLeftovers() error {
	if id.BootID != BootID() {
		return nil
	}
	if at := startTime(id.PID); at != 0 && at != id.StartTime {
		return nil // the number, and the session of that number, are another's now
	}
	err := killAll(func(p process) bool {
		return !p.zombie && p.session == id.PID && p.start >= id.StartTime
	})
	return errors.Join(err, removeGroup(id.Group))
}

// Kill ends a driver whose shim does not answer: the shim, and then what is
// left of the driver.
func (id Identity) Kill() error {
	if id.BootID != BootID() {
		return nil
	}
	if p, err := readProcess(id.PID); err == nil && p.start == id.StartTime && !p.zombie {
		if err := killOne(p); err != nil {
			return err
		}
	}
	return id.KillLeftovers()
}

// Running finds the shims that run for bundles in a directory, by the paths of
// the bundles, which need not be there any more. dir is absolute.
func Running(dir string) (map[string]Identity, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	found := make(map[string]Identity)
	for _, p := range all {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid)) // none when it has just gone
		args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		if n := len(args); n >= 3 && args[n-2] == "shim" && filepath.Dir(args[n-1]) == dir && p.session == p.pid {
			found[args[n-1]] = Identity{BootID: BootID(), PID: p.pid, StartTime: p.start}
		}
	}
	return found, nil
}

// waiting says how many bytes a pipe holds.
func waiting(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCINQ) }

// socketPath is a short way to the socket of a bundle: paths of sockets have at
// most 107 bytes. It holds while dir is open.
func socketPath(dir *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), SocketName)
}

// oomKills counts what the system has killed for want of memory in the group
// of processes that this one is in, or anywhere if that cannot be told.
func oomKills() int {
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for _, path := range oomCounters(string(groups)) {
		if text, err := os.ReadFile(path); err == nil {
			if n, ok := oomCount(string(text)); ok {
				return n
			}
		}
	}
	return 0
}

// oomCounters lists the files that may hold the count: of version 2 of control
// groups, of version 1, and of the machine. In a container the named group may
// be the root of what is mounted.
func oomCounters(groups string) []string {
	var v2, v1 []string
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" {
			v2 = append(v2, "/sys/fs/cgroup"+parts[2]+"/memory.events", "/sys/fs/cgroup/memory.events")
		}
		for _, controller := range strings.Split(parts[1], ",") {
			if controller == "memory" {
				v1 = append(v1, "/sys/fs/cgroup/memory"+parts[2]+"/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control")
			}
		}
	}
	return append(append(v2, v1...), "/proc/vmstat")
}

func oomCount(text string) (int, bool) { return count(text, "oom_kill") }

// count reads one of the numbers in a file of a control group.
func count(text, name string) (int, bool) {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			n, err := strconv.Atoi(value)
			return n, err == nil
		}
	}
	return 0, false
}
