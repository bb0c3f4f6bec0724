//go:build !linux

package history

import "syscall"

// attributes: where the system does not end the process with the server, its
// standard input does.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
