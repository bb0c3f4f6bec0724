package conformance

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hearth/internal/testenv"
)

// run is `hearth run` where no server runs: it brings its own.
func run(t *testing.T, c *Client) {
	home := c.homeAlone()
	hearth := func(args ...string) *exec.Cmd {
		command := exec.Command(c.Binary, append([]string{"run", "--workgroup", c.WorkGroup}, args...)...)
		command.Env = testenv.Environment(home)
		command.Dir = ".." // the repository, where the examples are
		return command
	}
	write := func(code string) string {
		file := filepath.Join(t.TempDir(), "program.py")
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}

	t.Run("the example", func(t *testing.T) {
		stdout, stderr, status := Outcome(t, hearth("examples/first_session.py"))
		Same(t, "exit status", status, 0)
		for _, part := range []string{"Between districts:", "The busiest hour of each day:", "rows back", "more_than_day_before"} {
			if !strings.Contains(stdout, part) {
				t.Errorf("stdout is without %q:\n%s", part, stdout)
			}
		}
		for _, part := range []string{"session", "s3://hearth/"} {
			if !strings.Contains(stderr, part) {
				t.Errorf("the summary is without %q:\n%s", part, stderr)
			}
		}
	})
	for _, program := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // what is in them
	}{
		{"-c", []string{"-c", "print('hello', spark.version)"}, 0, "hello " + c.Engine.Spark + "\n", ""},
		{"an exit status", []string{"-c", "print('so far'); import sys; sys.exit(3)"}, 3, "so far\n", ""},
		{"an error", []string{write("\nfoobar")}, 1, "", "File \"<stdin>\", line 2, in <module>\nNameError: name 'foobar' is not defined"},
		{"a file that does not parse", []string{write("x = (1\nprint(")}, 1, "", "SyntaxError"},
		{"a file that does not exist", []string{"no_such_program.py"}, 1, "", "no_such_program.py"},
		{"a property that Spark refuses", []string{"--conf", "spark.driver.memory=a lot", "-c", "1"}, 1, "", "a lot"},
	} {
		t.Run(program.name, func(t *testing.T) {
			stdout, stderr, status := Outcome(t, hearth(program.args...))
			Same(t, "exit status", status, program.status)
			if !strings.Contains(stdout, program.stdout) {
				t.Errorf("stdout is without %q:\n%s", program.stdout, stdout)
			}
			if !strings.Contains(stderr, program.stderr) {
				t.Errorf("stderr is without %q:\n%s", program.stderr, stderr)
			}
			testenv.AwaitNoProcess(t, home)
		})
	}
	t.Run("Ctrl-C", func(t *testing.T) {
		command := hearth("-c", "print('ready', flush=True)\nimport time\ntime.sleep(600)")
		var stderr strings.Builder
		command.Stderr = &stderr
		stdout := Must(command.StdoutPipe())(t)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		defer command.Wait()
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
			t.Fatalf("the program printed %q, %v\n%s", line, err, stderr.String())
		}
		command.Process.Signal(syscall.SIGINT)
		err := command.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 130 {
			t.Errorf("%v\n%s", err, stderr.String())
		}
		testenv.AwaitNoProcess(t, home)
	})
}

// serveRefused starts servers that cannot be.
func serveRefused(t *testing.T, c *Client) {
	serve := func(home string, args ...string) *exec.Cmd {
		command := exec.Command(c.Binary, append([]string{"serve"}, args...)...)
		command.Env = testenv.Environment(home)
		return command
	}
	t.Run("the port is taken", func(t *testing.T) {
		taken := Must(net.Listen("tcp", "127.0.0.1:0"))(t)
		defer taken.Close()
		address := taken.Addr().String()
		_, stderr, status := Outcome(t, serve(t.TempDir(), "--listen", address))
		Same(t, "exit status", status, 1)
		if !strings.Contains(stderr, address) || !strings.Contains(stderr, "--listen") {
			t.Errorf("stderr is %s", stderr)
		}
	})
	t.Run("the data directory is a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, status := Outcome(t, serve(t.TempDir(), "--listen", "127.0.0.1:0", "--data", file))
		Same(t, "exit status", status, 1)
		if !strings.Contains(stderr, file) || !strings.Contains(stderr, "--data") {
			t.Errorf("stderr is %s", stderr)
		}
	})
	t.Run("an address that everybody reaches", func(t *testing.T) {
		_, stderr, status := Outcome(t, serve(t.TempDir(), "--listen", "0.0.0.0:0"))
		if status == 0 || !strings.Contains(stderr, "0.0.0.0") {
			t.Errorf("exit status %d, stderr %s", status, stderr)
		}
	})
}
