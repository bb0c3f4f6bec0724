package httpd_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	"hearth/internal/httpd"
)

// openPiped is open for a test in a bubble of testing/synctest. Its connections
// are pipes, so that time passes only when both ends wait, however busy the
// machine is.
func openPiped(t *testing.T, change func(*httpd.Config)) *site {
	t.Helper()
	s := listen(t, change)
	p := &pipes{address: s.Listener().Addr(), made: make(chan net.Conn), closed: make(chan struct{})}
	s.ListenAt(p)
	s.client.Transport = &http.Transport{DialContext: p.dial}
	s.serve(t)
	return s
}

// pipes is a listener for dial alone.
type pipes struct {
	address net.Addr
	made    chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.made <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.made:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return p.address }
