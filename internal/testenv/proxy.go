package testenv

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy is a line to a server that can be cut.
type Proxy struct {
	URL string

	to      string
	refused chan struct{} // has a token after a connection came while the line was cut
	mu      sync.Mutex
	cut     bool
	open    map[net.Conn]bool
}

// ProxyTo opens a line to the server at a URL. It ends with the test.
func ProxyTo(t testing.TB, url string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		URL: "http://" + listener.Addr().String(), to: strings.TrimPrefix(url, "http://"),
		refused: make(chan struct{}, 1), open: map[net.Conn]bool{},
	}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { p.carry(near) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.Cut()
		carrying.Wait()
	})
	return p
}

// Cut breaks what goes through, and lets nothing through until Restore.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	select {
	case <-p.refused: // of an earlier cut
	default:
	}
	for c := range p.open {
		c.Close()
	}
}

// AwaitRefused waits until somebody has tried to use the line since it was cut,
// or since the last time.
func (p *Proxy) AwaitRefused(t testing.TB) {
	t.Helper()
	select {
	case <-p.refused:
	case <-time.After(patience):
		t.Fatalf("nobody tried to use the line to %s within %v", p.to, patience)
	}
}

// Restore undoes Cut for connections that come.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// admit reports whether a connection may go through.
func (p *Proxy) admit(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		p.open[c] = true
		return true
	}
	select {
	case p.refused <- struct{}{}:
	default:
	}
	return false
}

func (p *Proxy) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !p.admit(near) {
		return
	}
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		ways.Go(func() {
			io.Copy(way[0], way[1])
			near.Close() // either end ends both ways
			far.Close()
		})
	}
	ways.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, near)
}
