package main

import (
	"context"
	"time"
)

// uploadsInterval is how often it is looked for uploads that were abandoned.
const uploadsInterval = time.Hour

// abandonUploads deletes uploads that are not complete and of which nothing has
// come for the time that they are kept, now and every hour until ctx is done.
func (s *server) abandonUploads(ctx context.Context) {
	keep := s.settings.KeepUploads.Duration
	if keep == 0 {
		return
	}
	again := time.NewTicker(uploadsInterval)
	defer again.Stop()
	for {
		abandoned, err := s.objects.AbandonUploads(ctx, time.Now().Add(-keep))
		if err != nil {
			s.log.Error("abandoned uploads cannot be deleted", "error", err)
		}
		if abandoned > 0 {
			s.log.Info("abandoned uploads were deleted", "uploads", abandoned)
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}
