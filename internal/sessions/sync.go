package sessions

import (
	"context"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// syncAfter is how long objects that were placed wait for others, to be synced
// together. A client that changes one of them waits for that.
const syncAfter = 50 * time.Millisecond

// unsyncedAtMost is how many bytes of objects may wait to be synced. When the
// disk does not keep up, calculations wait for it again.
const unsyncedAtMost = 8 << 20

// SyncLeft puts in place what an earlier server has placed and a crash may have
// taken. Nobody may read or change objects before it has returned. It returns
// KindUnavailable when the store or a place of objects is; what a place refuses for
// good is passed over.
func (s *Service) SyncLeft(ctx context.Context) error {
	left, err := s.store.Unsynced(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	if err := s.syncAll(ctx, left); err != nil {
		return err
	}
	faultpoint.At("files left", "in place")
	return s.store.NoteSynced(ctx, idsOf(left))
}

// syncAll passes over what a place refuses for good: somebody has removed it.
func (s *Service) syncAll(ctx context.Context, placed []hearth.Unsynced) error {
	if err := s.objects.Sync(ctx, placed); !refusedForGood(err) {
		return err
	}
	for _, u := range placed {
		err := s.objects.Sync(ctx, []hearth.Unsynced{u})
		if refusedForGood(err) {
			s.log.Error("a file of a calculation has no place any more", "object", u.URI, "error", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// syncSoon has placed objects synced, recorded or not.
func (s *Service) syncSoon(placed []hearth.Unsynced) {
	if len(placed) == 0 {
		return
	}
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	s.unsynced = append(s.unsynced, placed...)
	if !s.syncing {
		s.syncing = true
		s.tending.Go(s.sync) // whoever places is tended itself, so that Close still waits
	}
}

// sync syncs until there is nothing left to be, or the server leaves and the disk
// refuses: then the next server does it.
func (s *Service) sync() {
	ctx := context.WithoutCancel(s.leaving)
	for {
		pause(s.leaving, syncAfter)
		s.syncMu.Lock()
		placed := s.unsynced
		s.syncing = len(placed) > 0
		s.syncMu.Unlock()
		if len(placed) == 0 {
			return
		}
		if err := s.syncOnce(ctx, placed); err != nil {
			s.log.Error("files of calculations could not be synced, which is tried again", "files", len(placed), "error", err, "after", retryAfter)
			if !pause(s.leaving, retryAfter) {
				return
			}
			continue
		}
		s.syncMu.Lock()
		s.unsynced = append([]hearth.Unsynced(nil), s.unsynced[len(placed):]...)
		s.syncMu.Unlock()
	}
}

func (s *Service) syncOnce(ctx context.Context, placed []hearth.Unsynced) error {
	faultpoint.At("files", "to be synced")
	if err := s.syncAll(ctx, placed); err != nil {
		return err
	}
	faultpoint.At("files", "synced")
	if err := s.store.NoteSynced(ctx, idsOf(placed)); err != nil {
		return err
	}
	faultpoint.At("files", "noted as synced")
	s.objects.Release(placed)
	return nil
}

func idsOf(placed []hearth.Unsynced) []string {
	var ids []string
	for _, u := range placed {
		ids = append(ids, u.ID)
	}
	return ids
}

// mayPlace reports whether more may be placed.
func (s *Service) mayPlace() bool {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	size := 0
	for _, u := range s.unsynced {
		size += len(u.Kept)
	}
	return size < unsyncedAtMost
}
