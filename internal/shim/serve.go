package shim

import (
	"bufio"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hearth/internal/kernel"
)

// server is the shim's end of the socket.
type server struct {
	launch   Launch
	bundle   string
	dir      *os.File // the bundle; keeps the way to the socket open
	listener net.Listener
	board    *board
	ask      func(asked) bool // hands a request to the loop; false when the shim has left

	clients sync.WaitGroup
}

const (
	helloTimeout = 10 * time.Second
	leaveTimeout = time.Second // for clients to read the exit; the journal has it anyway
)

func listen(bundle string) (net.Listener, *os.File, error) {
	if err := os.RemoveAll(filepath.Join(bundle, SocketName)); err != nil {
		return nil, nil, err
	}
	dir, err := os.Open(bundle)
	if err != nil {
		return nil, nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketPath(dir), Net: "unix"})
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	return l, dir, nil
}

// Dial connects to the socket of a bundle.
func Dial(bundle string) (net.Conn, error) {
	dir, err := os.Open(bundle)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: socketPath(dir), Net: "unix"})
}

func (s *server) run() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed: the shim leaves
		}
		s.clients.Go(func() {
			defer conn.Close()
			c := &client{server: s, conn: conn, in: bufio.NewReader(conn)}
			c.serve()
		})
	}
}

// close tells the clients the rest, and removes the socket. Nobody is waited
// for longer than leaveTimeout.
func (s *server) close() error {
	err := errors.Join(s.listener.Close(), os.RemoveAll(filepath.Join(s.bundle, SocketName)))
	served := make(chan struct{})
	go func() { s.clients.Wait(); close(served) }()
	select {
	case <-served:
	case <-time.After(leaveTimeout):
	}
	return errors.Join(err, s.dir.Close())
}

// client is one connection.
type client struct {
	server *server
	conn   net.Conn
	in     *bufio.Reader

	writing sync.Mutex // replies and events come from two goroutines
}

func (c *client) serve() {
	hello, err := c.welcome()
	if err != nil {
		_ = c.send(Message{Type: MessageRefused, Error: err.Error()})
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = c.answerAll() // however it ends, nothing more comes from this client
	}()
	_ = c.showAll(hello, gone) // likewise: nothing more can be sent
	c.conn.Close()
	<-gone
}

// welcome lets in whoever has the driver's token.
func (c *client) welcome() (Message, error) {
	if err := c.conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return Message{}, err
	}
	var hello Message
	if err := c.receive(&hello); err != nil {
		return Message{}, err
	}
	switch {
	case hello.Type != MessageHello:
		return Message{}, fmt.Errorf("a client begins with %s, not with %q", MessageHello, hello.Type)
	case hello.Protocol != Protocol:
		return Message{}, fmt.Errorf("this shim speaks protocol %d, not %d", Protocol, hello.Protocol)
	case subtle.ConstantTimeCompare([]byte(hello.Token), []byte(c.server.launch.Token)) != 1:
		return Message{}, errors.New("the token is not this driver's")
	}
	now, _ := c.server.board.look()
	err := c.send(Message{Type: MessageWelcome, Protocol: Protocol, PID: os.Getpid(), Calculation: now.calculation})
	return hello, errors.Join(err, c.conn.SetDeadline(time.Time{}))
}

// answerAll passes the client's requests to the loop.
func (c *client) answerAll() error {
	for {
		var r Message
		if err := c.receive(&r); err != nil {
			return err
		}
		if r.Type != MessageRequest {
			return fmt.Errorf("%q is not what a client sends", r.Type)
		}
		got := reply{refusal: driverEnded}
		answer := make(chan reply, 1)
		if c.server.ask(asked{op: r.Op, calculation: r.Calculation, code: r.Code, claim: r.Claim, answer: answer}) {
			got = <-answer
		}
		if err := c.send(Message{Type: MessageReply, ID: r.ID, Error: got.refusal, Address: got.address, Secret: got.secret}); err != nil {
			return err
		}
	}
}

// showAll sends what the client asked to be shown, as it happens, until the
// shim leaves or the client is gone. Events come from the journal's file: what
// a slow client has not read yet takes no memory.
func (c *client) showAll(hello Message, gone <-chan struct{}) error {
	var journal *os.File
	if hello.From != nil {
		f, err := Open(filepath.Join(c.server.bundle, JournalFile))
		if err != nil {
			return err
		}
		defer f.Close()
		journal = f
	}
	var shown Message
	for {
		now, changed := c.server.board.look()
		if journal != nil && now.journal > *hello.From {
			next, err := ReadJournal(io.NewSectionReader(journal, 0, now.journal), *hello.From, func(e Event, next int64) error {
				return c.send(Message{Type: MessageEvent, Next: next, Event: &e})
			})
			if err != nil {
				return err
			}
			*hello.From = next
		}
		if hello.Calculation != "" && !shown.Ended {
			output := Message{Type: MessageOutput, Calculation: hello.Calculation, Stdout: now.stdout, Stderr: now.stderr}
			if now.calculation != hello.Calculation {
				output.Stdout, output.Stderr, output.Ended = 0, 0, true
			}
			if output != shown {
				if err := c.send(output); err != nil {
					return err
				}
				shown = output
			}
		}
		if now.over {
			return nil
		}
		select {
		case <-changed:
		case <-gone:
			return nil
		}
	}
}

func (c *client) send(m Message) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return kernel.WriteFrame(c.conn, m)
}

func (c *client) receive(m *Message) error {
	frame, err := kernel.ReadFrame(c.in)
	if err != nil {
		return err
	}
	return json.Unmarshal(frame, m)
}
