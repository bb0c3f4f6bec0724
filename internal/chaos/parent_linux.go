package main

import (
	"os/exec"
	"syscall"
)

// endWithParent has the system kill the server when this process dies without
// its clean-up.
func endWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
