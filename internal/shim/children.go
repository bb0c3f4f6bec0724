package shim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"hearth/internal/kernel"
)

// activityVariable tells Java where to write what it says of Spark Connect, a
// line each time.
const activityVariable = "HEARTH_ACTIVITY"

// children are the driver's processes and what connects the shim to them.
type children struct {
	kernel, jvm *exec.Cmd // jvm is nil without Spark

	control        *net.UnixConn // to the kernel
	jvmInput       *os.File      // its end ends Java
	activity       *os.File      // what Java says of Spark Connect
	stdout, stderr *os.File      // what both write
	toKernel       chan kernel.Command
}

// spawn starts the processes within bounds. They die with the thread that calls
// it.
func spawn(l Launch, b bounds) (c *children, err error) {
	c = &children{toKernel: make(chan kernel.Command, 16)}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			c.kill()
			c.wait()
		}
	}()
	pipe := func(to **os.File) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		*to = r
		theirs = append(theirs, w)
		return w, nil
	}
	stdout, err := pipe(&c.stdout)
	if err != nil {
		return c, err
	}
	stderr, err := pipe(&c.stderr)
	if err != nil {
		return c, err
	}
	if l.JVM != nil { // first, because it takes longer
		input, w, err := os.Pipe()
		if err != nil {
			return c, err
		}
		c.jvmInput = w
		theirs = append(theirs, input)
		activity, err := pipe(&c.activity)
		if err != nil {
			return c, err
		}
		java := *l.JVM
		java.Env = append(slices.Clone(java.Env), activityVariable+"=/dev/fd/3") // where a process has the first of its own
		if c.jvm, err = start(java, b, input, stdout, stderr, activity); err != nil {
			return c, err
		}
	}
	var control *os.File
	if c.control, control, err = controlChannel(); err != nil {
		return c, err
	}
	theirs = append(theirs, control)
	c.kernel, err = start(l.Kernel, b, nil, stdout, stderr, control)
	return c, err
}

func start(p Process, b bounds, stdin, stdout, stderr *os.File, more ...*os.File) (*exec.Cmd, error) {
	if len(p.Argv) == 0 {
		return nil, errors.New("the launch has a process without a program")
	}
	cmd := exec.Command(p.Argv[0], p.Argv[1:]...)
	cmd.Env = append([]string{}, p.Env...) // nil would be the shim's own
	cmd.Dir = p.Dir
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdout, stderr, more
	cmd.SysProcAttr = b.attributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s could not be started: %w", p.Argv[0], err)
	}
	if err := b.hold(cmd.Process.Pid); err != nil {
		return cmd, fmt.Errorf("the memory of %s could not be limited: %w", p.Argv[0], err)
	}
	return cmd, nil
}

// controlChannel makes a pair of connected sockets: the shim's end and the one
// that the kernel inherits.
func controlChannel() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock() // a process started in between would inherit them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer ours.Close() // FileConn duplicates it
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}

// pids gives the processes' numbers; Java's is 0 without Spark.
func (c *children) pids() (kernelPID, jvmPID int) {
	if c.jvm != nil {
		jvmPID = c.jvm.Process.Pid
	}
	return c.kernel.Process.Pid, jvmPID
}

// kill kills both groups. What is dead already is no error.
func (c *children) kill() {
	for _, cmd := range []*exec.Cmd{c.kernel, c.jvm} {
		if cmd != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}
}

// closeJVM ends Java's standard input. It may be called again.
func (c *children) closeJVM() {
	if c.jvmInput != nil {
		_ = c.jvmInput.Close()
	}
}

// close is for the end, when both are dead.
func (c *children) close() error {
	c.closeJVM()
	close(c.toKernel)
	errs := []error{c.control.Close(), c.stdout.Close(), c.stderr.Close()}
	if c.activity != nil {
		errs = append(errs, c.activity.Close())
	}
	return errors.Join(errs...)
}

// wait is for a spawn that failed half way.
func (c *children) wait() {
	for _, cmd := range []*exec.Cmd{c.kernel, c.jvm} {
		if cmd != nil {
			_ = cmd.Wait() // it was killed
		}
	}
}

// watch turns what the processes say and how they end into facts.
func (c *children) watch(send func(fact)) {
	go func() {
		for m := range c.toKernel {
			_ = kernel.WriteFrame(c.control, m) // to a dead kernel; its death is told
		}
	}()
	var reading sync.WaitGroup
	reading.Go(func() { c.listen(send) })
	go func() {
		_ = c.kernel.Wait() // the state has it
		// What the kernel said last is read to the end, also when a child of it
		// still holds the channel open.
		_ = c.control.CloseRead()
		reading.Wait()
		send(died{deathOf(KernelProcess, c.kernel.ProcessState)})
	}()
	if c.jvm != nil {
		go func() {
			for lines := bufio.NewScanner(c.activity); lines.Scan(); {
				send(stirred{lines.Text()})
			}
		}()
		go func() {
			_ = c.jvm.Wait()
			send(died{deathOf(JVMProcess, c.jvm.ProcessState)})
		}()
	}
}

// listen reads the control channel until it ends.
func (c *children) listen(send func(fact)) {
	for in := bufio.NewReader(c.control); ; {
		frame, err := kernel.ReadFrame(in)
		var m kernel.Message
		broken := err == nil && json.Unmarshal(frame, &m) != nil
		if _, ok := errors.AsType[*kernel.FrameError](err); ok || broken {
			send(broke{errors.New("its Python process broke the protocol between them")})
			return
		}
		if err != nil {
			// A kernel without its channel is dead, or dead to the world.
			_ = syscall.Kill(-c.kernel.Process.Pid, syscall.SIGKILL)
			return
		}
		send(told{m})
	}
}

// say sends to the kernel without waiting for it to listen.
func (c *children) say(command kernel.Command) error {
	select {
	case c.toKernel <- command:
		return nil
	default:
		return errors.New("its Python process has stopped listening")
	}
}

func deathOf(process string, s *os.ProcessState) death {
	status := s.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return death{process: process, signal: status.Signal()}
	}
	return death{process: process, code: status.ExitStatus()}
}
