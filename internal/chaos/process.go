package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is one that works in the scratch directory or was given its name.
type process struct {
	pid     int
	started string // tells it from a later one of the same number
	victim  victim // "" when it is none of those that faults are for
	session string // whose driver it belongs to
	command string
}

// processes looks through /proc for those of a data directory.
func processes(data string) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if p, ok := look(pid, data); ok {
			found = append(found, p)
		}
	}
	return found, nil
}

// look reports false for a process that is another's, is gone or is a zombie.
func look(pid int, data string) (process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
	p := process{pid: pid, command: string(bytes.ReplaceAll(bytes.TrimSuffix(cmdline, []byte{0}), []byte{0}, []byte{' '}))}
	if !strings.Contains(p.command, data) && !strings.HasPrefix(cwd, data) {
		return p, false
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	// The second field is the name in brackets and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if err != nil || len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return p, false
	}
	group, session := fields[2], fields[3]
	p.started = fields[19]

	drivers := filepath.Join(data, "drivers") + string(filepath.Separator)
	for _, text := range []string{p.command, cwd} {
		if _, rest, found := strings.Cut(text, drivers); found {
			p.session, _, _ = strings.Cut(rest, string(filepath.Separator))
			p.session, _, _ = strings.Cut(p.session, " ")
			break
		}
	}
	argv := strings.Split(string(cmdline), "\x00")
	self := strconv.Itoa(pid)
	switch {
	case len(argv) < 2: // a kernel's child that has closed everything
	case argv[1] == "serve":
		p.victim = aServer
	case argv[1] == "shim" && session == self: // a child of it bears its name for a moment
		p.victim = aShim
	case filepath.Base(argv[1]) == "kernel.py" && group == self: // so does a child of the kernel
		p.victim = aKernel
	case filepath.Base(argv[0]) == "java" && group == self:
		p.victim = aJVM
	}
	return p, true
}

// handle holds on to the process, so that its number cannot be another's when
// it is signalled.
func (p process) handle(data string) (*os.Process, error) {
	held, err := os.FindProcess(p.pid)
	if err != nil {
		return nil, err
	}
	if again, ok := look(p.pid, data); !ok || again.started != p.started {
		return nil, errors.Join(os.ErrProcessDone, held.Release())
	}
	return held, nil
}

// endAll kills whatever is left of the data directory's processes.
func endAll(data string) error {
	for {
		left, err := processes(data)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, p := range left {
			held, err := p.handle(data)
			if err != nil {
				continue // it has gone
			}
			if err := held.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
		}
	}
}
