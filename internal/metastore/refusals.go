package metastore

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// refusalsEvery is how often the log has something of clients that were not let
// in: whoever can connect could fill the disk otherwise.
const refusalsEvery = time.Minute

var errCrowd = errors.New("too many clients have not said yet who they are")

// refusals logs why clients were not let in, the first in each span of time and
// how many came since the last one.
type refusals struct {
	mu     sync.Mutex
	last   time.Time
	untold int
}

func (r *refusals) log(to *slog.Logger, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.last) >= refusalsEvery {
		to.Warn("a client was not let in at the catalog", "error", why, "others_before", r.untold)
		r.last, r.untold = now, 0
	} else {
		r.untold++
	}
}
