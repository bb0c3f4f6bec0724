package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"hearth/internal/httpd"
)

// server is hearth serve on the scratch directory, which is killed and started
// again. Only one goroutine does either.
type server struct {
	binary string
	data   string
	logs   string // a directory with a file for each start
	url    string

	command *exec.Cmd
	exited  chan struct{} // closed when the process is gone

	mu     sync.Mutex
	starts []start
	down   time.Time // since when nothing runs; zero while something does
}

// start is one life of the server.
type start struct {
	at    time.Time
	ready time.Duration // until it answered /ok; 0 when it was killed before
	over  time.Time
	log   string
}

// settings are the server's configuration file. Its limits are short, so that
// faults are over soon.
const settings = `
listen = %q
light_drivers = %t
warm_drivers = 2
heartbeat = "500ms"
unresponsive_after = "2s"
lost_after = "8s"
cancel_deadline = "6s"
end_grace = "2s"
`

// timing are the limits among the settings.
var timing = limits{Lost: 8 * time.Second, Canceled: 6 * time.Second}

// newServer builds the binary and writes the settings. It starts nothing.
func newServer(ctx context.Context, scratch string, light bool) (*server, error) {
	s := &server{
		binary: filepath.Join(scratch, "hearth"),
		data:   filepath.Join(scratch, "data"),
		logs:   filepath.Join(scratch, "logs"),
		down:   time.Now(),
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "hearth/cmd/hearth")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // and keep the number
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	s.url = "http://" + address
	err = errors.Join(listener.Close(), os.Mkdir(s.data, 0o700), os.Mkdir(s.logs, 0o700))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.data, "hearth.toml"), fmt.Appendf(nil, settings, address, light), 0o600)
	}
	return s, err
}

// launch starts the process.
func (s *server) launch() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := filepath.Join(s.logs, fmt.Sprintf("serve-%04d.log", len(s.starts)+1))
	log, err := os.Create(name)
	if err != nil {
		return err
	}
	defer log.Close()
	// At the end of all, when no session is left, this ends the drivers that wait.
	s.command = exec.Command(s.binary, "serve", "--data", s.data, "--end-sessions-on-exit")
	s.command.Stdout, s.command.Stderr = log, log
	endWithParent(s.command)
	at := time.Now()
	if err := s.command.Start(); err != nil {
		return err
	}
	s.starts = append(s.starts, start{at: at, log: name})
	s.down = time.Time{}
	exited := make(chan struct{})
	s.exited = exited
	go func(command *exec.Cmd) {
		_ = command.Wait() // its state is looked at by whoever ended it
		close(exited)
	}(s.command)
	return nil
}

// readyPatience is how long a start may take. The first may have to install an
// engine.
const (
	firstPatience = 15 * time.Minute
	readyPatience = 30 * time.Second
)

// awaitReady waits until the server answers /ok.
func (s *server) awaitReady(ctx context.Context) error {
	now := s.life()
	patience := readyPatience
	if now == 1 {
		patience = firstPatience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		if s.ok(ctx) {
			s.mu.Lock()
			defer s.mu.Unlock()
			life := &s.starts[now-1]
			life.ready = time.Since(life.at)
			return nil
		}
		select {
		case <-again.C:
		case <-s.exited:
			return fmt.Errorf("the server ended by itself: %v\n%s", s.command.ProcessState, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready after %v\n%s", patience, s.logTail())
		}
	}
}

func (s *server) ok(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/ok", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// end ends the process with a signal.
func (s *server) end(signal syscall.Signal) error {
	if err := s.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	const patience = 20 * time.Second
	select {
	case <-s.exited:
	case <-time.After(patience):
		return fmt.Errorf("the server did not end within %v of %v\n%s", patience, signal, s.logTail())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = time.Now()
	s.starts[len(s.starts)-1].over = s.down
	return nil
}

// life counts the starts.
func (s *server) life() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.starts)
}

func (s *server) logTail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return httpd.LogTail(s.starts[len(s.starts)-1].log, 5_000)
}
