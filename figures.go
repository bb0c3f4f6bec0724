package hearth

import "time"

// Figures are what an operator watches.
type Figures struct {
	Sessions map[SessionState]int // that have not ended
	Waiting  int                  // of those that are CREATING: for room, or for the starts of others
	Pool     PoolState
}

// PoolState is how the drivers stand that were launched Warm and belong to no
// session yet.
type PoolState struct {
	PoolCounts
	Size           int // how many there are to be
	Warm, Starting int
	Oldest         time.Duration // since the oldest was launched, or taken up
}

// PoolCounts are what has happened to them since the server's start.
type PoolCounts struct {
	Hits, Misses int64 // sessions that got one, and others
	Launched     int64
	Failed       int64 // that came to nothing
	Ended        int64 // without a session: failed, aged, of no use any more, or for the memory of others
}
