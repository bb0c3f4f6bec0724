package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/internal/testenv"
)

// Outcome runs a command to its end.
func Outcome(t *testing.T, command *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, complaint strings.Builder
	command.Stdout, command.Stderr = &out, &complaint
	err := command.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return out.String(), complaint.String(), command.ProcessState.ExitCode()
}

// Succeed runs a command to its end, which has to be a good one.
func Succeed(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, out)
	}
}

// Shell runs a command line as a user would after eval "$(hearth env)".
func (c *Client) Shell(line string) *exec.Cmd {
	c.T.Helper()
	command := exec.Command("sh", "-c", `PATH="$0:$PATH"; `+line, testenv.PythonClients(c.T).Bin)
	command.Env = c.ClientEnv()
	return command
}

// Python runs a script of testdata with the clients' Python.
func (c *Client) Python(script string, args ...string) string {
	c.T.Helper()
	args = append([]string{filepath.Join("testdata", script)}, args...)
	return c.Script(exec.CommandContext(c.Ctx, testenv.PythonClients(c.T).Python, args...))
}

// Script runs a program that fails by an exception, and gives its stdout. Its
// environment points it at the server and is all that does.
func (c *Client) Script(program *exec.Cmd) string {
	c.T.Helper()
	program.Env = append(program.Env, c.OneEndpoint()...)
	stdout, stderr, status := Outcome(c.T, program)
	if status != 0 {
		c.T.Errorf("%v: exit status %d\n%s%s", program.Args, status, stdout, stderr)
	}
	return stdout
}

// OneEndpoint is the environment of somebody who comes from AWS and has set
// AWS_ENDPOINT_URL, beside keys and a region.
func (c *Client) OneEndpoint() []string {
	env := slices.DeleteFunc(c.ClientEnv(), func(v string) bool { return strings.HasPrefix(v, "AWS_ENDPOINT_URL_") })
	return append(env, "AWS_ENDPOINT_URL="+c.URL)
}

// Follower is a command whose output is read as it comes.
type Follower struct {
	Command *exec.Cmd

	lines *bufio.Reader
	text  strings.Builder
}

// Follow starts a command. The test's end ends it.
func Follow(t *testing.T, command *exec.Cmd) *Follower {
	t.Helper()
	command.Stderr = os.Stderr
	lines := Must(command.StdoutPipe())(t)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	giveUp := time.AfterFunc(Patience, func() { command.Process.Kill() })
	t.Cleanup(func() { giveUp.Stop(); command.Process.Kill(); command.Wait() })
	return &Follower{Command: command, lines: bufio.NewReader(lines)}
}

// Await reads until a line has the text.
func (f *Follower) Await(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := f.lines.ReadString('\n')
		f.text.WriteString(line)
		if err != nil {
			t.Fatalf("%v before %q came:\n%s", err, text, f.text.String())
		}
		if strings.Contains(line, text) {
			return
		}
	}
}

// Rest reads to the end, and waits until the command has ended.
func (f *Follower) Rest(t *testing.T) {
	t.Helper()
	if _, err := f.lines.WriteTo(&f.text); err != nil {
		t.Error(err)
	}
	f.Command.Wait() // its exit status is looked at
}

// Kill ends a process of a driver without giving it a chance.
func Kill(t *testing.T, pid int) {
	t.Helper()
	Signal(t, pid, syscall.SIGKILL)
}

// Signal sends a signal to a process of a driver.
func Signal(t *testing.T, pid int, number syscall.Signal) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("%d is no driver's process", pid)
	}
	if err := syscall.Kill(pid, number); err != nil {
		t.Fatal(err)
	}
}

// MostMiB is the memory that each process may take at the most: what passes
// through them stays in none.
const MostMiB = 128

// MostMemory is the most that a process ever had in memory, in MiB.
func MostMemory(t *testing.T, pid int) int {
	t.Helper()
	status := Must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))(t)
	var kiB int
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	Must(fmt.Sscan(rest, &kiB))(t)
	return kiB >> 10
}
