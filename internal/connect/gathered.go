package connect

import (
	"net"
	"runtime"
	"sync"
	"time"
)

// little is how much is not sent at once, in bytes.
const little = 16 << 10

// gathered is a connection that sends what little is written when those that can
// run have run, with what they have written: HTTP/2 writes the beginning of a
// call, its messages and its end each by itself, and whoever reads would wake up
// for each.
type gathered struct {
	net.Conn

	mu      sync.Mutex
	idle    sync.Cond // signalled when nobody sends any more
	pending []byte    // written and not sent: little
	spare   []byte    // memory for the next
	soon    bool      // it is going to be sent
	sending bool
	err     error // why nothing can be sent any more
}

func newGathered(c net.Conn) *gathered {
	g := &gathered{Conn: c}
	g.idle.L = &g.mu
	return g
}

// Write returns before little is sent. If it could not be, the next write tells.
func (g *gathered) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.pending)+len(p) > little {
		if err := g.send(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if g.err != nil {
		return 0, g.err
	}
	g.pending = append(g.pending, p...)
	if !g.soon {
		g.soon = true
		go g.sendSoon()
	}
	return len(p), nil
}

func (g *gathered) sendSoon() {
	runtime.Gosched()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.soon = false
	if g.send(nil) != nil {
		g.Conn.Close() // so that who reads learns it
	}
}

// send sends what is pending, and p. It gives up the lock meanwhile.
func (g *gathered) send(p []byte) error {
	for g.sending {
		g.idle.Wait()
	}
	if g.err != nil || len(g.pending)+len(p) == 0 {
		return g.err
	}
	pending := g.pending
	g.pending, g.spare, g.sending = g.spare[:0], nil, true
	g.mu.Unlock()
	_, err := (&net.Buffers{pending, p}).WriteTo(g.Conn)
	g.mu.Lock()
	g.spare, g.sending, g.err = pending, false, err
	g.idle.Broadcast()
	return err
}

// Close sends what is pending, unless the other side leaves something unread.
func (g *gathered) Close() error {
	g.mu.Lock()
	if !g.sending {
		_ = g.Conn.SetWriteDeadline(time.Now().Add(lastWords))
		_ = g.send(nil)
	}
	g.mu.Unlock()
	return g.Conn.Close()
}
