package connect

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// counted is a connection that knows what was written to it at once.
type counted struct {
	net.Conn
	writes []int
}

func (c *counted) Write(p []byte) (int, error) {
	if len(p) > 0 {
		c.writes = append(c.writes, len(p))
	}
	return c.Conn.Write(p)
}

// received reads what comes until the other side closes.
func received(c net.Conn) (all func() []byte) {
	var b bytes.Buffer
	done := make(chan struct{})
	go func() { defer close(done); io.Copy(&b, c) }()
	return func() []byte { <-done; return b.Bytes() }
}

func TestGathered(t *testing.T) {
	t.Run("sends what is written meanwhile in one piece", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			conn := &counted{Conn: ours}
			g := newGathered(conn)
			g.Write([]byte("a")) // which nobody reads yet
			synctest.Wait()
			for _, text := range []string{"b", "c", "d"} {
				if n, err := g.Write([]byte(text)); n != 1 || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
			}
			all := received(theirs)
			synctest.Wait()
			g.Close()
			if got := string(all()); got != "abcd" || len(conn.writes) != 2 {
				t.Errorf("%q came in pieces of %d", got, conn.writes)
			}
		})
	})
	t.Run("keeps the order, and little", func(t *testing.T) {
		ours, theirs := net.Pipe()
		g := newGathered(ours)
		all := received(theirs)
		var want []byte
		for _, size := range []int{1, little, 1, 3 * little, 0, 5, little - 5, 1, little + 1} {
			text := make([]byte, size)
			rand.Read(text)
			want = append(want, text...)
			if n, err := g.Write(text); n != size || err != nil {
				t.Errorf("%d bytes of %d, %v", n, size, err)
			}
			g.mu.Lock()
			kept := len(g.pending)
			g.mu.Unlock()
			if kept > little {
				t.Errorf("%d bytes are kept", kept)
			}
		}
		g.Close()
		if !bytes.Equal(all(), want) {
			t.Error("something else came")
		}
	})
	t.Run("who writes more than little waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			g := newGathered(ours)
			wrote := false
			go func() {
				g.Write(make([]byte, little+1))
				wrote = true
			}()
			synctest.Wait()
			if wrote {
				t.Error("nobody has read it")
			}
			all := received(theirs)
			synctest.Wait()
			if !wrote {
				t.Error("it has been read")
			}
			g.Close()
			all()
		})
	})
	t.Run("tells later that nothing can be sent, and closes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			g := newGathered(ours)
			theirs.Close()
			if _, err := g.Write([]byte("a")); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			for _, size := range []int{1, little + 1} {
				if _, err := g.Write(make([]byte, size)); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("%d more: %v", size, err)
				}
			}
			if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("it is open: %v", err)
			}
		})
	})
	t.Run("closes when nobody reads", func(t *testing.T) {
		for name, waits := range map[string]bool{"what is being sent": true, "what was to be": false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := net.Pipe()
					defer theirs.Close()
					g := newGathered(ours)
					g.Write([]byte("a"))
					if waits {
						synctest.Wait()
					}
					begun := time.Now()
					g.Close()
					if took := time.Since(begun); took > lastWords {
						t.Errorf("after %v", took)
					}
				})
			})
		}
	})
}
