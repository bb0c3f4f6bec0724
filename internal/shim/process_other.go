//go:build !linux

package shim

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Elsewhere than on Linux a driver that loses its shim ends by itself: the
// kernel when its control channel closes, Java when its standard input does.
// What they left behind is not found.

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// Detach makes the shim the leader of a session of its own, which no terminal
// and no end of the server reaches.
func Detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// BootID is not known.
func BootID() string { return "" }

func startTime(int) uint64 { return 0 }

func adoptOrphans() error                              { return nil }
func reapOrphans(_ map[int]bool, stop <-chan struct{}) { <-stop }
func killFamily() error                                { return nil }

// KillLeftovers does nothing.
func (Identity) KillLeftovers() error { return nil }

// Kill kills the shim's number, whoever has it now.
func (id Identity) Kill() error {
	if err := syscall.Kill(id.PID, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		return err
	}
	return nil
}

// Running finds none.
func Running(string) (map[string]Identity, error) { return nil, nil }

func waiting(fd int) (int, error) {
	const fionread = 0x4004667f
	return unix.IoctlGetInt(fd, fionread)
}

func socketPath(dir *os.File) string { return filepath.Join(dir.Name(), SocketName) }

func oomKills() int { return 0 }

// bounds has nothing to bound with: Java is held to its heap, and Python to
// nothing.
type bounds struct{ limit int64 }

func bound(limit int64, _ string) (bounds, error) { return bounds{limit}, nil }

func (bounds) attributes() *syscall.SysProcAttr { return attributes() }
func (bounds) hold(int) error                   { return nil }
func (bounds) exhausted() bool                  { return false }
func (bounds) dir() string                      { return "" }
func (bounds) release() error                   { return nil }

// Grouped is false: there are no control groups.
func Grouped(int) bool { return false }
