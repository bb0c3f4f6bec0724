package sessions

import (
	"context"
	"fmt"
	"time"

	"hearth"
)

// Retention says how long results of ended sessions are kept on the disk of the
// built-in store. What it removes is what Hearth itself put there: the files of
// the calculations and the log, by the record, and nothing else that is beside
// them. The record stays and says so.
type Retention struct {
	Objects hearth.Disposer // required when one of the others is set
	Age     time.Duration   // since the session's end; 0 is for ever
	Size    int64           // the most bytes of all ended sessions' results together; 0 is no limit
}

// readingTime is how long results stay after their session's end however much
// they take: who waited for them has to have read them.
const readingTime = time.Hour

func (r Retention) on() bool { return r.Age > 0 || r.Size > 0 }

// kept is what one ended session's results take.
type kept struct {
	hearth.EndedResults
	size int64
}

// discard gives why results are not kept any more, by the session's id. Given
// are those of all ended sessions, the first to end first: the oldest go. With a
// record they go at the latest, or nobody would know of them any more.
func (r Retention) discard(all []kept, records time.Duration, now time.Time) map[string]string {
	var size int64
	for _, k := range all {
		size += k.size
	}
	discarded := make(map[string]string)
	for _, k := range all {
		age := now.Sub(k.EndedAt)
		switch {
		case r.Age > 0 && age > r.Age:
			discarded[k.SessionID] = fmt.Sprintf("Its results were removed: keep_results is %s.", r.Age)
		case records > 0 && age > records:
			discarded[k.SessionID] = fmt.Sprintf("Its results were removed with the record: keep_records is %s.", records)
		case r.Size > 0 && size > r.Size && age > readingTime:
			discarded[k.SessionID] = fmt.Sprintf("Its results were removed: those of ended sessions took more than max_results, which is %s.", hearth.ShowMemory(r.Size))
		default:
			continue
		}
		size -= k.size
	}
	return discarded
}

// discardResults removes results that are not kept any more. Those that cannot
// be are passed over; it tells when the first session of these ended, the zero
// time for none.
func (s *Service) discardResults(ctx context.Context, now time.Time) (stuck time.Time, err error) {
	if !s.results.on() {
		return stuck, nil
	}
	ended, err := s.store.EndedResults(ctx)
	if err != nil {
		return stuck, err
	}
	passOver := func(e hearth.EndedResults, err error) {
		s.log.Error("results of an ended session cannot be removed", "session", e.SessionID, "error", err)
		if stuck.IsZero() || e.EndedAt.Before(stuck) {
			stuck = e.EndedAt
		}
	}
	var all []kept
	for _, e := range ended {
		if ctx.Err() != nil {
			return stuck, ctx.Err()
		}
		if !s.results.Objects.Holds(e.Directory + "/") {
			continue // in a store of somebody else, or in a bucket that is gone
		}
		size, err := s.measure(ctx, e)
		if err != nil {
			passOver(e, err)
			continue
		}
		all = append(all, kept{e, size})
	}
	discarded := s.results.discard(all, s.keepRecords, now)
	var sessions, size int64
	for _, k := range all {
		why, ok := discarded[k.SessionID]
		if !ok {
			continue
		}
		if err := s.discardOne(ctx, k.EndedResults, why); err != nil {
			passOver(k.EndedResults, err)
			continue
		}
		sessions++
		size += k.size
	}
	if sessions > 0 {
		s.log.Info("results of ended sessions were removed", "sessions", sessions, "bytes", size)
	}
	return stuck, nil
}

// measure gives the bytes of a session's results, where they count.
func (s *Service) measure(ctx context.Context, e hearth.EndedResults) (all int64, err error) {
	if s.results.Size == 0 {
		return 0, nil
	}
	err = s.eachResult(ctx, e, func(uri string) error {
		size, err := s.results.Objects.Size(ctx, uri)
		all += size
		return err
	})
	return all, err
}

// discardOne is done again when it is interrupted.
func (s *Service) discardOne(ctx context.Context, e hearth.EndedResults, why string) error {
	err := s.eachResult(ctx, e, func(uri string) error {
		return s.results.Objects.Remove(ctx, uri)
	})
	if err != nil {
		return err
	}
	return s.store.NoteRemovedResults(ctx, e.SessionID, s.now(), why)
}

// eachResult names what was put at the output location for a session.
func (s *Service) eachResult(ctx context.Context, e hearth.EndedResults, do func(uri string) error) error {
	filter := hearth.CalculationFilter{SessionID: e.SessionID}
	for page := (hearth.Page{Limit: 50}); ; {
		calculations, next, err := s.store.Calculations(ctx, filter, page)
		if err != nil {
			return err
		}
		for _, c := range calculations {
			for _, uri := range []string{c.StdoutURI(), c.StderrURI(), c.ResultDocumentURI()} {
				if err := do(uri); err != nil {
					return err
				}
			}
		}
		if next == "" {
			return do(hearth.ManagedLog(e.Directory))
		}
		page.After = next
	}
}

// gone tells of an object that is not there that it was removed, if that is why.
func (s *Service) gone(ctx context.Context, sessionID string, err error) error {
	if hearth.KindOf(err) != hearth.KindNotFound {
		return err
	}
	session, reading := s.store.Session(ctx, sessionID)
	if reading != nil || session.ResultsRemovedAt.IsZero() {
		return err
	}
	return hearth.ResultsGone(session)
}
