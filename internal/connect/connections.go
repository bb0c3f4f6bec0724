package connect

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// connections accepts as many clients as there may be at once. Some more are let
// in for as long as it takes to tell them so in gRPC's words; the rest find their
// connection closed.
type connections struct {
	net.Listener
	tls  *tls.Config
	logf func(format string, args ...any)
	max  int

	mu      sync.Mutex
	callers int // connections that may call
	told    int // connections over the limit
}

// connection is a client's, deciphered.
type connection struct {
	net.Conn
	of       *connections
	crowded  bool        // it is over the limit
	patience *time.Timer // closes it then
	closed   bool
}

// Close makes room for another one.
func (c *connection) Close() error {
	c.of.leave(c)
	return c.Conn.Close()
}

// Accept waits for a client.
func (l *connections) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.admit(accepted); c != nil {
			return c, nil
		}
		accepted.Close()
	}
}

// admit gives a place to a client, or nil when there is none even to be told.
func (l *connections) admit(accepted net.Conn) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &connection{Conn: newGathered(newSealed(accepted, l.tls, l.logf)), of: l}
	switch {
	case l.callers < l.max:
		l.callers++
	case l.told < maxTold:
		l.told++
		c.crowded = true
		c.patience = time.AfterFunc(readTimeout, func() { c.Close() })
	default:
		return nil
	}
	return c
}

// leave gives a client's place back, once.
func (l *connections) leave(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.closed:
	case c.crowded:
		l.told--
		c.patience.Stop()
	default:
		l.callers--
	}
	c.closed = true
}

type crowdedKey struct{}

// tell marks the calls of a connection that is over the limit.
func tell(ctx context.Context, c net.Conn) context.Context {
	if c.(*connection).crowded {
		return context.WithValue(ctx, crowdedKey{}, true)
	}
	return ctx
}

// isCrowded reports whether a call came by a connection that is over the limit.
func isCrowded(ctx context.Context) bool { return ctx.Value(crowdedKey{}) != nil }
