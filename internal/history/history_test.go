package history_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/history"
)

// behaviour tells this program, when it is set, to be a history server.
const behaviour = "HEARTH_TEST_HISTORY"

func TestMain(m *testing.M) {
	if how := os.Getenv(behaviour); how != "" {
		os.Exit(serve(how, os.Args[1]))
	}
	goleak.VerifyTestMain(m)
}

// serve serves one line to whoever connects: which logs it has, its secret and its
// process.
func serve(how, dir string) int {
	input := bufio.NewReader(os.Stdin)
	secret, _ := input.ReadString('\n')
	switch how {
	case "broken":
		fmt.Fprintln(os.Stderr, "reading\nno event log can be read")
		return 1
	case "silent":
		io.Copy(io.Discard, input)
		return 0
	case "server":
		return keep()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 2
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(connection, "%s %s %d", dir, strings.TrimSpace(secret), os.Getpid())
			connection.Close()
		}
	}()
	fmt.Println(listener.Addr())
	if how == "deaf" {
		select {} // whatever its input does
	}
	io.Copy(io.Discard, input)
	return 0
}

// world is Servers with processes of this program.
type world struct {
	*history.Servers
	behaviour string
	events    error       // what looking for event logs comes to
	ended     chan string // why processes ended
}

// Handle is told by the log that a process has ended.
func (w *world) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "history server ended" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "why" {
				w.ended <- a.Value.String()
			}
			return true
		})
	}
	return nil
}
func (*world) Enabled(context.Context, slog.Level) bool { return true }
func (w *world) WithAttrs([]slog.Attr) slog.Handler     { return w }
func (w *world) WithGroup(string) slog.Handler          { return w }

func newWorld(t *testing.T, c history.Config) *world {
	t.Helper()
	w := &world{behaviour: "serve", ended: make(chan string, 100)}
	c.Events = func(id string) (string, error) { return "/events/of/" + id, w.events }
	c.Command = func(session hearth.Session, dir string) (*exec.Cmd, error) {
		if session.Engine.Effective == "none" {
			return nil, hearth.Errorf(hearth.KindUnavailable, "no engine")
		}
		cmd := exec.Command(os.Args[0], dir)
		cmd.Env = []string{behaviour + "=" + w.behaviour}
		return cmd, nil
	}
	c.Log = slog.New(w)
	w.Servers = history.New(c)
	t.Cleanup(w.Close)
	return w
}

// shown is what a session's history server says of itself.
type shown struct {
	dir, secret string
	pid         int
}

func (w *world) show(t *testing.T, id string) (s shown) {
	t.Helper()
	endpoint, err := w.Show(t.Context(), hearth.Session{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", endpoint.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := fmt.Fscan(connection, &s.dir, &s.secret, &s.pid); err != nil {
		t.Fatal(err)
	}
	if s.secret != endpoint.Secret || len(s.secret) < 20 {
		t.Errorf("its secret is %q, and the server says %q", s.secret, endpoint.Secret)
	}
	return s
}

func (w *world) refused(t *testing.T, session hearth.Session, kind hearth.Kind, says string) {
	t.Helper()
	_, err := w.Show(t.Context(), session)
	if hearth.KindOf(err) != kind || !strings.Contains(hearth.MessageOf(err), says) {
		t.Errorf("it says %v, want %v with %q", err, kind, says)
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestServers_Show(t *testing.T) {
	t.Run("gives each session a process of its own, with its event logs and a secret", func(t *testing.T) {
		w := newWorld(t, history.Config{})
		one, other := w.show(t, "one"), w.show(t, "other")
		if one.dir != "/events/of/one" || other.dir != "/events/of/other" || one.pid == other.pid || one.secret == other.secret {
			t.Errorf("%+v and %+v", one, other)
		}
		if again := w.show(t, "one"); again != one {
			t.Errorf("%+v, and again %+v", one, again)
		}
	})
	t.Run("starts one process for all who look at once", func(t *testing.T) {
		w := newWorld(t, history.Config{})
		addresses := make(chan string, 8)
		for range cap(addresses) {
			go func() {
				endpoint, err := w.Show(t.Context(), hearth.Session{ID: "one"})
				addresses <- fmt.Sprint(endpoint.Address, err)
			}()
		}
		first := <-addresses
		for range cap(addresses) - 1 {
			if got := <-addresses; got != first {
				t.Errorf("%s and %s", first, got)
			}
		}
	})
	t.Run("ends a process that nobody looks at", func(t *testing.T) {
		w := newWorld(t, history.Config{Idle: 200 * time.Millisecond})
		one := w.show(t, "one")
		if why := <-w.ended; why != "nobody looked at it any more" || !gone(one.pid) {
			t.Errorf("ended: %s; gone: %v", why, gone(one.pid))
		}
		if again := w.show(t, "one"); again.pid == one.pid || again.secret == one.secret {
			t.Errorf("%+v and %+v", one, again)
		}
	})
	t.Run("ends the one that was looked at longest ago when there are too many", func(t *testing.T) {
		w := newWorld(t, history.Config{Most: 2})
		one, two := w.show(t, "one"), w.show(t, "two")
		w.show(t, "one")
		w.show(t, "three")
		<-w.ended
		if !gone(two.pid) || w.show(t, "one") != one {
			t.Errorf("%+v is gone: %v; %+v: %v", two, gone(two.pid), one, gone(one.pid))
		}
	})
	t.Run("ends the process of a session whose event logs are removed", func(t *testing.T) {
		w := newWorld(t, history.Config{})
		one := w.show(t, "one")
		w.events = hearth.Errorf(hearth.KindNotFound, "none are kept")
		w.refused(t, hearth.Session{ID: "one"}, hearth.KindNotFound, "none are kept")
		<-w.ended
		if !gone(one.pid) {
			t.Error("it goes on")
		}
	})
	t.Run("tells why a process shows nothing, and tries again", func(t *testing.T) {
		w := newWorld(t, history.Config{})
		w.behaviour = "broken"
		w.refused(t, hearth.Session{ID: "one"}, hearth.KindUnavailable, "ended by itself (no event log can be read)")
		<-w.ended
		w.behaviour = "serve"
		w.awaitForgotten(t, "one")
	})
	t.Run("kills a process that does not get to serve", func(t *testing.T) {
		w := newWorld(t, history.Config{Start: 50 * time.Millisecond})
		w.behaviour = "silent"
		w.refused(t, hearth.Session{ID: "one"}, hearth.KindUnavailable, "it did not serve after 50ms")
	})
	t.Run("starts a process anew that died", func(t *testing.T) {
		w := newWorld(t, history.Config{})
		one := w.show(t, "one")
		if err := syscall.Kill(one.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-w.ended
		w.awaitForgotten(t, "one")
	})
	t.Run("gives up waiting with whoever asks", func(t *testing.T) {
		w := newWorld(t, history.Config{})
		w.behaviour = "silent"
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Show(ctx, hearth.Session{ID: "one"}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("passes on that there is no engine", func(t *testing.T) {
		w := newWorld(t, history.Config{})
		w.refused(t, hearth.Session{ID: "one", Engine: hearth.EngineVersion{Effective: "none"}}, hearth.KindUnavailable, "no engine")
	})
}

// awaitForgotten looks until a new process serves: the one before may be found for
// a moment after its end is told.
func (w *world) awaitForgotten(t *testing.T, id string) {
	t.Helper()
	for {
		if _, err := w.Show(t.Context(), hearth.Session{ID: id}); err == nil {
			return
		} else if hearth.KindOf(err) != hearth.KindUnavailable {
			t.Fatal(err)
		}
	}
}

// keep is a server that has a history server which hears nothing. It says where.
func keep() int {
	servers := history.New(history.Config{
		Events: func(string) (string, error) { return "/events", nil },
		Command: func(_ hearth.Session, dir string) (*exec.Cmd, error) {
			cmd := exec.Command(os.Args[0], dir)
			cmd.Env = []string{behaviour + "=deaf"}
			cmd.ExtraFiles = []*os.File{os.NewFile(3, "held")}
			return cmd, nil
		},
	})
	endpoint, err := servers.Show(context.Background(), hearth.Session{ID: "one"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(endpoint.Address)
	select {}
}

// A server that is killed leaves no history server behind.
func TestServers_Killed(t *testing.T) {
	held, theirs, err := os.Pipe() // its other end is open as long as one of the two lives
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	server := exec.Command(os.Args[0], "")
	server.Env = []string{behaviour + "=server"}
	server.Stderr = t.Output()
	server.ExtraFiles = []*os.File{theirs}
	server.Stdin = strings.NewReader("\n")
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = server.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	address, err := bufio.NewReader(output).ReadString('\n')
	if err == nil {
		var connection net.Conn
		if connection, err = net.Dial("tcp", strings.TrimSpace(address)); err == nil {
			_, err = fmt.Fscan(connection, new(string), new(string), &pid)
			connection.Close()
		}
	}
	if err != nil {
		t.Errorf("no history server serves: %v", err)
	}
	server.Process.Kill()
	server.Wait()
	if err := held.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(held); err != nil {
		t.Errorf("the history server goes on: %v", err)
		if pid > 0 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestServers_Close(t *testing.T) {
	w := newWorld(t, history.Config{})
	one := w.show(t, "one")
	w.Close()
	t.Run("has ended all processes when it returns", func(t *testing.T) {
		if !gone(one.pid) {
			t.Error("it goes on")
		}
	})
	t.Run("lets none start any more", func(t *testing.T) {
		w.refused(t, hearth.Session{ID: "two"}, hearth.KindUnavailable, "stopping")
	})
}
