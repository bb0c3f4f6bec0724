package driver

import "sync"

// locks keeps two from launching, removing or clearing up behind the same driver at
// once.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when it is free
}

// lock waits for the id, and returns what frees it.
func (l *locks) lock(id string) (unlock func()) {
	for {
		l.mu.Lock()
		busy, held := l.held[id]
		if !held {
			break
		}
		l.mu.Unlock()
		<-busy
	}
	if l.held == nil {
		l.held = make(map[string]chan struct{})
	}
	mine := make(chan struct{})
	l.held[id] = mine
	l.mu.Unlock()
	return func() {
		l.mu.Lock()
		delete(l.held, id)
		l.mu.Unlock()
		close(mine)
	}
}
