// Package throttle answers whether a call comes too soon: it has a token bucket
// for each operation of each principal.
package throttle

import (
	"math"
	"sync"

	"golang.org/x/time/rate"
)

// Limit is how often something may be called.
type Limit struct {
	Rate  float64 // calls a second in the long run; 0 is no limit
	Burst int     // calls at once after a rest; 0 is one second's worth, and at least one
}

func (l Limit) bucket() *rate.Limiter {
	burst := l.Burst
	if burst == 0 {
		burst = int(min(math.Ceil(l.Rate), math.MaxInt32))
	}
	return rate.NewLimiter(rate.Limit(l.Rate), burst)
}

// Throttle counts calls. Make it with New. It remembers all principals and
// operations that it was asked about, so both have to be known ones.
type Throttle struct {
	limit      Limit
	operations map[string]Limit

	mu      sync.Mutex
	buckets map[bucketOf]*rate.Limiter
}

type bucketOf struct{ principal, operation string }

// New makes a Throttle: operations have the limits that are given by their
// names, and all others have limit.
func New(limit Limit, operations map[string]Limit) *Throttle {
	return &Throttle{limit: limit, operations: operations, buckets: map[bucketOf]*rate.Limiter{}}
}

// Allow counts a call and reports whether it may be answered. One that may not
// does not count.
func (t *Throttle) Allow(principal, operation string) bool {
	limit, own := t.operations[operation]
	if !own {
		limit = t.limit
	}
	if limit.Rate == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	of := bucketOf{principal, operation}
	bucket, known := t.buckets[of]
	if !known {
		bucket = limit.bucket()
		t.buckets[of] = bucket
	}
	return bucket.Allow()
}
