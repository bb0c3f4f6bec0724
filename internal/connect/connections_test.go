package connect

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// callers are clients of a world, each with a connection of its own.
func (w *world) callers(n int) []*world {
	all := make([]*world, n)
	for i := range all {
		each := *w
		each.client = w.newClient()
		all[i] = &each
	}
	return all
}

func (w *world) succeeds(t *testing.T) {
	t.Helper()
	_, a := w.unary("AnalyzePlan", header(), "question")
	a.ended("0")
}

// leaves closes a client's connection.
func (w *world) leaves() {
	synctest.Wait() // until the connection knows that its call has ended
	w.client.CloseIdleConnections()
	synctest.Wait()
}

// knock opens a connection and says nothing.
func (w *world) knock(t *testing.T) net.Conn {
	t.Helper()
	c, err := w.net.dial(t.Context(), "", w.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	synctest.Wait()
	return c
}

// closedAfter tells when the other side closes a connection.
func closedAfter(c net.Conn) time.Duration {
	begun := time.Now()
	c.Read(make([]byte, 1))
	return time.Since(begun)
}

func TestConnections(t *testing.T) {
	two := func(c *Config) { c.MaxConnections = 2 }
	t.Run("one too many is told so, and takes the place of one that leaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, new(pipes), echo, two)
			all := w.callers(3)
			all[0].succeeds(t)
			all[1].succeeds(t)
			for range 2 {
				_, a := all[2].unary("AnalyzePlan", header(), "question")
				a.refused("8", ": 2 (connect_max_connections)")
			}
			all[0].succeeds(t)
			all[0].leaves()
			all[2].succeeds(t)
			all[1].succeeds(t)
		})
	})
	t.Run("who was told so is let go of", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, new(pipes), echo, two)
			for _, each := range w.callers(2) {
				each.succeeds(t)
			}
			for range maxTold - 1 {
				w.knock(t) // so that there is one more place to be told at
			}
			for _, each := range w.callers(3) {
				_, a := each.unary("AnalyzePlan", header(), "question")
				a.refused("8")
				time.Sleep(2 * time.Second) // HTTP/2 gives the answer one to arrive
			}
		})
	})
	t.Run("of those who say nothing few are let in, and not for long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, new(pipes), echo, two)
			for _, each := range w.callers(2) {
				each.succeeds(t)
			}
			first := w.knock(t)
			for range maxTold - 1 {
				w.knock(t)
			}
			if after := closedAfter(w.knock(t)); after != 0 {
				t.Errorf("one more is closed after %v", after)
			}
			if after := closedAfter(first); after != readTimeout {
				t.Errorf("the first is closed after %v", after)
			}
			_, a := w.unary("AnalyzePlan", header(), "question")
			a.refused("8")
		})
	})
	t.Run("no driver hears of who is too many", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var heard atomic.Int64
			w := newWorld(t, new(pipes), func(w http.ResponseWriter, r *http.Request) {
				heard.Add(1)
				echo(w, r)
			}, func(c *Config) { c.MaxConnections = 1 })
			all := w.callers(2)
			all[0].succeeds(t)
			all[1].unary("AnalyzePlan", header(), "question")
			if n := heard.Load(); n != 1 {
				t.Errorf("it heard of %d calls", n)
			}
		})
	})
}

// A client with a call too many waits until one has ended.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard atomic.Int64
		next := make(chan struct{})
		w := newWorld(t, new(pipes), func(w http.ResponseWriter, r *http.Request) {
			heard.Add(1)
			<-next
			echo(w, r)
		})
		w.client.Transport.(*http.Transport).HTTP2.StrictMaxConcurrentRequests = true // a connection is all it has
		for range maxStreams + 1 {
			go func() {
				if a, err := w.try(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan"))); err != nil {
					t.Error(err)
				} else {
					a.ended("0")
				}
			}()
			synctest.Wait()
		}
		if n := heard.Load(); n != maxStreams {
			t.Errorf("%d calls are open", n)
		}
		next <- struct{}{}
		synctest.Wait()
		if n := heard.Load(); n != maxStreams+1 {
			t.Errorf("when one has ended, the driver has heard of %d", n)
		}
		close(next)
		synctest.Wait()
	})
}
