package connect

import (
	"sync"
	"time"
)

// aside are the methods that begin nothing and that clients call about an
// operation: how its rows are to be shown, why it failed, that it is to stop. Who
// reads what a token has begun may go on calling them with it.
var aside = map[string]bool{"Config": true, "FetchErrorDetails": true, "Interrupt": true, "ReleaseSession": true}

// linger is how long they are accepted after the last answer, which clients may
// have to work through before they call.
const linger = 5 * time.Minute

// reading knows by which tokens answers of operations are read, or were a moment
// ago.
type reading struct {
	mu     sync.Mutex
	tokens map[string]*readers
}

// readers are those with one token. There is one timer for them, however many
// answers they read one after the other.
type readers struct {
	now    int // how many read
	until  time.Time
	forget *time.Timer // then, unless somebody reads
}

func newReading() *reading { return &reading{tokens: make(map[string]*readers)} }

func (r *reading) by(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tokens[token] != nil
}

func (r *reading) began(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.tokens[token]
	if of == nil {
		of = new(readers)
		r.tokens[token] = of
	}
	of.now++
}

func (r *reading) ended(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.tokens[token]
	of.now--
	of.until = time.Now().Add(linger)
	if of.forget == nil {
		of.forget = time.AfterFunc(linger, func() { r.forget(token) })
	} else {
		of.forget.Reset(linger)
	}
}

// forget may come late, when somebody reads again or has until just now.
func (r *reading) forget(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of := r.tokens[token]; of != nil && of.now == 0 && !time.Now().Before(of.until) {
		delete(r.tokens, token)
	}
}
