package hearth

import (
	"context"
	"time"
)

// Disposer removes objects that nobody wants any more.
type Disposer interface {
	// Holds reports whether an s3:// URI is in a place where objects are removed.
	Holds(uri string) bool
	// Size gives the bytes of an object, 0 when there is none.
	Size(ctx context.Context, uri string) (int64, error)
	// Remove removes an object. That there is none is no error.
	Remove(ctx context.Context, uri string) error
}

// EndedResults are what a session that has ended left at its output location.
type EndedResults struct {
	SessionID string
	Directory string // the session's WorkingDirectory
	EndedAt   time.Time
}

// ResultsGone says that results of a session were removed.
func ResultsGone(s Session) *Error {
	return Errorf(KindNotFound, "The results of session %s were removed on %s, because of their age or size: keep_results and max_results of the server say when.",
		s.ID, s.ResultsRemovedAt.UTC().Format(time.DateTime+" UTC"))
}
