package connect

import (
	"net/http"
	"runtime"
	"sync/atomic"
)

// unhurried is an answer that is flushed when those that can run have run: its
// end may have come by then, and goes with what was to be flushed.
type unhurried struct {
	http.ResponseWriter
	turn chan struct{} // whose turn it is to write has put something in
	soon atomic.Bool   // it is going to be flushed
	over bool          // the handler does the rest
}

func newUnhurried(w http.ResponseWriter) *unhurried {
	return &unhurried{ResponseWriter: w, turn: make(chan struct{}, 1)}
}

// Write is to be followed by a flush, as ReverseProxy does.
func (u *unhurried) Write(p []byte) (int, error) {
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	return u.ResponseWriter.Write(p)
}

// FlushError has a flush follow. What is wrong then, the next write tells.
func (u *unhurried) FlushError() error {
	if u.soon.CompareAndSwap(false, true) {
		go u.flush()
	}
	return nil
}

func (u *unhurried) flush() {
	runtime.Gosched()
	u.soon.Store(false)
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	default:
		return // who writes has it flushed later
	}
	if !u.over {
		_ = http.NewResponseController(u.ResponseWriter).Flush()
	}
}

// end returns when nothing is flushed and will be, before the handler has ended.
func (u *unhurried) end() {
	u.turn <- struct{}{}
	u.over = true
	<-u.turn
}
