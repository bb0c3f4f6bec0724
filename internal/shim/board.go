package shim

import "sync"

// board shows clients how far things are. Whoever looks sees what is now, not
// each step that led there, so that a slow client holds up nobody.
type board struct {
	mu      sync.Mutex
	now     standing
	changed chan struct{} // closed at the next change; nil when nobody waits for one
}

// standing is what the board shows.
type standing struct {
	journal        int64  // its size
	calculation    string // the one that runs
	stdout, stderr int64  // the sizes of its files
	over           bool   // nothing will change any more
}

func (b *board) set(change func(*standing)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.now)
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// look gives what is, and a channel that closes when it no longer is.
func (b *board) look() (standing, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.now, b.changed
}
