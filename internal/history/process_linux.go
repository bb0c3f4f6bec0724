package history

import "syscall"

// attributes have the process die with the thread that started it, however the
// server ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
