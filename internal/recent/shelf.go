package recent

import (
	"context"
	"hash/maphash"
	"sync"
)

// parts is how many parts a shelf has, each with a lock of its own.
const parts = 64

// shelf keeps things by their ids.
type shelf[T any] struct {
	parts [parts]part[T]
	most  int          // things in a part
	fit   func(T) bool // reports whether a thing is to be kept
	seed  maphash.Seed
}

type part[T any] struct {
	mu      sync.Mutex
	kept    map[string]T
	writing int // writes that are under way
	writes  int // writes that have begun or ended, ever
}

// newShelf makes a shelf for capacity things that fit.
func newShelf[T any](capacity int, fit func(T) bool) *shelf[T] {
	return &shelf[T]{most: max(1, capacity/parts), fit: fit, seed: maphash.MakeSeed()}
}

func (s *shelf[T]) of(id string) *part[T] {
	return &s.parts[maphash.String(s.seed, id)%parts]
}

// get gives what is kept under an id, or reads it and keeps it unless a write
// to its part came between: what was read may be from before the write.
func (s *shelf[T]) get(ctx context.Context, id string, read func(context.Context, string) (T, error)) (T, error) {
	p := s.of(id)
	p.mu.Lock()
	thing, found := p.kept[id]
	writes := p.writes
	p.mu.Unlock()
	if found && ctx.Err() == nil {
		return thing, nil
	}
	thing, err := read(ctx, id)
	if err != nil || !s.fit(thing) {
		return thing, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writing == 0 && p.writes == writes {
		p.keep(id, thing, s.most)
	}
	return thing, nil
}

// keep makes room by letting go of any other thing: whoever asks for that pays
// one read.
func (p *part[T]) keep(id string, thing T, most int) {
	if p.kept == nil {
		p.kept = make(map[string]T)
	}
	for other := range p.kept {
		if len(p.kept) < most {
			break
		}
		delete(p.kept, other)
	}
	p.kept[id] = thing
}

// write lets go of a thing that is about to change, until done is called.
func (s *shelf[T]) write(id string) (done func()) {
	p := s.of(id)
	p.begin(func() { delete(p.kept, id) })
	return p.end
}

// writeAll is write for a change of any things.
func (s *shelf[T]) writeAll() (done func()) {
	for i := range s.parts {
		p := &s.parts[i]
		p.begin(func() { clear(p.kept) })
	}
	return func() {
		for i := range s.parts {
			s.parts[i].end()
		}
	}
}

func (p *part[T]) begin(drop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing++
	p.writes++
	drop()
}

func (p *part[T]) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing--
	p.writes++
}
