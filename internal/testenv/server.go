package testenv

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/internal/config"
	"hearth/internal/httpd"
)

// patience bounds every wait for something that takes moments: on a machine
// with much else to do, moments are long.
const patience = time.Minute

// Binary builds cmd/hearth into a folder of the test's.
func Binary(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "hearth")
	if err := run("go", "build", "-o", binary, "hearth/cmd/hearth"); err != nil {
		t.Fatal(err)
	}
	return binary
}

// Server is `hearth serve` with a home of its own.
type Server struct {
	URL    string // http://127.0.0.1:PORT, the same after a restart
	Home   string // its HEARTH_HOME
	Binary string // the program

	t       testing.TB
	args    []string
	log     string
	command *exec.Cmd
	exited  chan struct{} // closed when the process is gone; nil when none was started
}

// Serve starts the binary as a server on a free port and waits until it is
// ready. At the test's end the server and its drivers are ended; a process of
// an ended session that still runs fails the test.
func Serve(t testing.TB, binary string, flags ...string) *Server {
	t.Helper()
	return ServeIn(t, t.TempDir(), binary, flags...)
}

// ServeIn is Serve with a home that is there already.
func ServeIn(t testing.TB, home, binary string, flags ...string) *Server {
	t.Helper()
	Engine(t) // installed by now, so that a session's start is only that
	address := freeAddress(t)
	s := &Server{
		URL:    "http://" + address,
		Home:   home,
		t:      t,
		Binary: binary,
		args:   append([]string{"serve", "--listen", address, "--warm-drivers", "0"}, flags...), // of a flag that is given twice the last counts
		log:    filepath.Join(t.TempDir(), "serve.log"),
	}
	t.Cleanup(s.close)
	s.Start()
	return s
}

// Start starts the server, also after Stop or Kill, and waits until it is
// ready.
func (s *Server) Start() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.command = s.Command(s.args...)
	s.command.Stdout, s.command.Stderr = log, log
	endWithParent(s.command)
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(command *exec.Cmd) {
		command.Wait()
		close(exited)
	}(s.command)
	s.awaitReady()
}

func (s *Server) awaitReady() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if answer, err := http.Get(s.URL + "/ok"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-again.C:
		case <-s.exited:
			s.t.Fatalf("hearth serve ended: %v\n%s", s.command.ProcessState, s.logTail())
		case <-ctx.Done():
			s.t.Fatalf("hearth serve was not ready after %v\n%s", patience, s.logTail())
		}
	}
}

// Stop ends the server as a service manager does, with SIGTERM. Its sessions
// run on.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server without giving it a chance.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(signal syscall.Signal) {
	s.t.Helper()
	if s.exited == nil {
		return
	}
	s.command.Process.Signal(signal)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.command.Process.Kill()
		<-s.exited
		s.t.Errorf("hearth serve did not end within %v of %v", patience, signal)
	}
	s.exited = nil
}

// Log is what the server has logged since the test's beginning.
func (s *Server) Log() string {
	s.t.Helper()
	log, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(log)
}

// PID is the number of the process that was started last.
func (s *Server) PID() int { return s.command.Process.Pid }

// Command is a call of the binary that means this server.
func (s *Server) Command(args ...string) *exec.Cmd {
	command := exec.Command(s.Binary, args...)
	command.Env = Environment(s.Home)
	return command
}

// ClientEnv is the environment of a client that a user has pointed at the
// server with `eval "$(hearth env)"`, and nothing else of AWS.
func (s *Server) ClientEnv() []string {
	s.t.Helper()
	shell := exec.Command("sh", "-c", `exports=$("$0" env) && eval "$exports" && env`, s.Binary)
	shell.Env = Environment(s.Home)
	var complaint bytes.Buffer
	shell.Stderr = &complaint
	out, err := shell.Output()
	if err != nil {
		s.t.Fatalf("hearth env: %v\n%s", err, complaint.Bytes())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Environment is this process's, without settings of AWS clients, for a call of
// the binary with a home of its own and the engines that all tests share.
func Environment(home string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "HEARTH_") {
			env = append(env, v)
		}
	}
	return append(env,
		"HEARTH_HOME="+home,
		"HEARTH_ENGINES="+config.Default().Engines,
		// Whatever the user has set up for AWS stays out of it.
		"AWS_CONFIG_FILE="+filepath.Join(home, "no-aws-config"),
		"AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(home, "no-aws-credentials"),
		"AWS_EC2_METADATA_DISABLED=true",
	)
}

// close ends the server and every driver, and checks that ended sessions left
// no process.
func (s *Server) close() {
	s.Stop()
	EndDrivers(s.t, s.Home)
	if s.t.Failed() {
		s.t.Logf("The end of the server's log:\n%s", s.logTail())
	}
}

func (s *Server) logTail() string { return httpd.LogTail(s.log, 100_000) }

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
