package connect

import (
	"net/http"
	"testing"
	"testing/synctest"
)

// flushes is an answer that counts how often it is flushed.
type flushes struct {
	http.ResponseWriter // nil: what the tests do not call
	n                   int
	write               func()
}

func (f *flushes) Write(p []byte) (int, error) { f.write(); return len(p), nil }
func (f *flushes) Flush()                      { f.n++ }

func TestUnhurried(t *testing.T) {
	t.Run("is flushed when it has been asked for, until the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &flushes{write: func() {}}
			u := newUnhurried(f)
			for i := range 3 {
				u.Write([]byte("a"))
				u.FlushError()
				synctest.Wait()
				if f.n != i+1 {
					t.Errorf("%d flushes after %d", f.n, i+1)
				}
			}
			u.end()
			u.FlushError()
			synctest.Wait()
			if f.n != 3 {
				t.Error("it was flushed after the end")
			}
		})
	})
	t.Run("is not flushed while it is written", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			next := make(chan struct{})
			f := &flushes{write: func() { <-next }}
			u := newUnhurried(f)
			go u.Write([]byte("a"))
			synctest.Wait()
			u.FlushError()
			synctest.Wait()
			if f.n != 0 {
				t.Error("it was")
			}
			next <- struct{}{}
			synctest.Wait()
			u.FlushError()
			synctest.Wait()
			if f.n != 1 {
				t.Errorf("%d flushes", f.n)
			}
		})
	})
}
