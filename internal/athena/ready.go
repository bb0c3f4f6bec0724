package athena

import (
	"sync"

	"hearth/internal/awsjson"
)

// maxReady is how many answers of a kind are kept.
const maxReady = 1024

// ready keeps answers by all that they are made of, so that clients that poll
// get the same JSON until something has changed, and then never an old one.
type ready[Facts comparable] struct {
	mu      sync.Mutex
	answers map[Facts]*awsjson.Ready
}

// answer gives the answer that is made of the facts. shape is called when there
// is none yet, and nobody waits for it.
func (r *ready[Facts]) answer(of Facts, shape func() any) *awsjson.Ready {
	if kept := r.kept(of); kept != nil {
		return kept
	}
	made := awsjson.NewReady(shape())
	r.keep(of, made)
	return made
}

func (r *ready[Facts]) kept(of Facts) *awsjson.Ready {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers[of]
}

// keep makes room by letting go of any other answer: whoever asks for that pays
// for it once more.
func (r *ready[Facts]) keep(of Facts, made *awsjson.Ready) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers == nil {
		r.answers = make(map[Facts]*awsjson.Ready)
	}
	for other := range r.answers {
		if len(r.answers) < maxReady {
			break
		}
		delete(r.answers, other)
	}
	r.answers[of] = made
}
