package connect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes are a network in memory. Who waits at a pipe waits durably, so that a
// test knows when nobody can go on, and time passes by itself.
type pipes struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
}

type pipeListener struct {
	address string
	accept  chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (p *pipes) listen(testing.TB) net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listeners == nil {
		p.listeners = make(map[string]*pipeListener)
	}
	l := &pipeListener{address: "127.0.0.1:" + strconv.Itoa(1+len(p.listeners)), accept: make(chan net.Conn), closed: make(chan struct{})}
	p.listeners[l.address] = l
	return l
}

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	l := p.listeners[address]
	p.mu.Unlock()
	ours, theirs := net.Pipe()
	select {
	case l.accept <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("nobody listens")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddress(l.address) }

type pipeAddress string

func (pipeAddress) Network() string  { return "pipe" }
func (a pipeAddress) String() string { return string(a) }

// held is the most that may be on its way when nobody reads: our window, theirs,
// and what is in hands.
const held = streamWindow + ownWindow + 256<<10

// whole is what passes in the end.
const whole = 16 << 20

// Who does not read is sent nothing more, and the server keeps little for him.
func TestBackPressure(t *testing.T) {
	block := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)

	t.Run("of a client that does not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var sent atomic.Int64
			w := newWorld(t, new(pipes), func(w http.ResponseWriter, r *http.Request) {
				answering(w)
				for sent.Load() < whole {
					n, err := w.Write(block)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
				end(w, "0", "")
			})
			slow := w.begin(t.Context(), "ExecutePlan", header(), bytes.NewReader([]byte(frames("plan"))))
			synctest.Wait()
			before := sent.Load()
			if before > held {
				t.Errorf("the driver could send %d KiB", before>>10)
			}
			if n, err := io.Copy(io.Discard, slow.Body); n != whole || err != nil {
				t.Errorf("%d bytes came, %v", n, err)
			}
			slow.ended("0")
		})
	})
	t.Run("of a driver that does not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			read := make(chan struct{})
			w := newWorld(t, new(pipes), func(w http.ResponseWriter, r *http.Request) {
				answering(w)
				http.NewResponseController(w).Flush()
				<-read
				n, _ := io.Copy(io.Discard, r.Body)
				send(w, strconv.FormatInt(n, 10))
				end(w, "0", "")
			})
			var sent atomic.Int64
			upload, body := io.Pipe()
			go func() {
				for sent.Load() < whole {
					n, _ := body.Write(block)
					sent.Add(int64(n))
				}
				body.Close()
			}()
			a := w.begin(t.Context(), "AddArtifacts", header(), upload)
			synctest.Wait()
			if n := sent.Load(); n > held {
				t.Errorf("the client could send %d KiB", n>>10)
			}
			close(read)
			if got, err := a.receive(); got != strconv.Itoa(whole) || err != nil {
				t.Errorf("%s bytes came, %v", got, err)
			}
			a.ended("0")
		})
	})
	t.Run("holds up no other call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, new(pipes), func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != service+"ExecutePlan" {
					echo(w, r)
					return
				}
				answering(w)
				for {
					if _, err := w.Write(block); err != nil {
						return
					}
				}
			})
			for range 20 {
				w.begin(t.Context(), "ExecutePlan", header(), bytes.NewReader([]byte(frames("plan"))))
			}
			synctest.Wait()
			w.client = w.newClient() // the first one's connection is full of what it does not read
			got, a := w.unary("Interrupt", header(), "x")
			a.ended("0")
			if len(got) != 1 {
				t.Errorf("answers %q", got)
			}
		})
	})
}

// A stream may be silent for as long as both sides are there.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, new(pipes), func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			send(w, "first")
			time.Sleep(30 * time.Hour)
			send(w, "last")
			end(w, "0", "")
		})
		a := w.begin(t.Context(), "ExecutePlan", header(), bytes.NewReader([]byte(frames("plan"))))
		for _, want := range []string{"first", "last"} {
			if got, err := a.receive(); got != want || err != nil {
				t.Errorf("answer %q, %v", got, err)
			}
		}
		a.ended("0")
	})
}

// A client that has long called nothing is let go, and comes back by itself.
func TestIdleClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, new(pipes), echo)
		var closed atomic.Int64
		w.server.http.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed.Add(1)
			}
		}
		for n := range int64(3) {
			_, a := w.unary("Config", header(), "x")
			a.ended("0")
			time.Sleep(idleTimeout + driversIdle)
			if closed.Load() != n+1 {
				t.Errorf("%d connections are closed, and not %d", closed.Load(), n+1)
			}
		}
	})
}
