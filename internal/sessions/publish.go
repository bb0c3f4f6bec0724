package sessions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"hearth"
	"hearth/internal/faultpoint"
)

// publishFiles copies the files of the calculation that the decision ends, if it
// ends one. A place that refuses them for good does not hold up the end, which
// is another one then.
func (s *Service) publishFiles(ctx context.Context, f facts, driver hearth.Driver, e hearth.DriverEvent, decision step) (step, error) {
	if !decision.publish {
		return decision, nil
	}
	lost := e.Type == hearth.DriverExited
	placed, err := s.publish(ctx, f, driver, lost, e.Reason, decision.ending())
	switch {
	case refusedForGood(err):
		s.log.Error("a calculation's files have no place", "calculation", f.calculation.ID, "error", err)
		decision = decision.unpublished(hearth.MessageOf(err))
	case err != nil:
		s.syncSoon(placed)
		return decision, err
	}
	return decision.publishing(placed), nil
}

// refusedForGood reports whether a place would refuse what it refused again,
// however long one waits.
func refusedForGood(err error) bool {
	switch hearth.KindOf(err) {
	case hearth.KindInvalid, hearth.KindNotFound, hearth.KindDenied:
		return true
	}
	return false
}

// placedAtMost is how many bytes the files of a calculation have together that
// are placed: they are in the record until they are synced.
const placedAtMost = 64 << 10

// publish copies a calculation's files to the output location, where they have
// to be before its end is told. When the driver was lost in the middle, there
// is what it had written by then, and stderr ends with the reason. Small files are
// placed there, so that nobody waits for a disk once for each of them.
func (s *Service) publish(ctx context.Context, f facts, driver hearth.Driver, lost bool, reason string, end hearth.CalculationChange) (placed []hearth.Unsynced, err error) {
	files, err := filesOf(ctx, f, driver, lost, reason, end)
	defer func() {
		for _, file := range files {
			err = errors.Join(err, file.Close())
		}
	}()
	if err != nil {
		return nil, err
	}
	place, left := s.mayPlace(), placedAtMost
	for i := range files {
		n, err := files[i].peek(left)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", files[i].what, err)
		}
		left -= n
		place = place && left >= 0
	}
	unsynced, errs := make([]hearth.Unsynced, len(files)), make([]error, len(files))
	var publishing sync.WaitGroup
	for i, file := range files {
		publishing.Go(func() {
			faultpoint.At("file to be published", file.name)
			if place {
				unsynced[i], errs[i] = s.objects.Place(ctx, file.object, file.begin)
			} else {
				errs[i] = s.objects.Put(ctx, file.object, io.MultiReader(bytes.NewReader(file.begin), file))
			}
			faultpoint.At("file published", file.name)
			if errs[i] != nil {
				errs[i] = fmt.Errorf("publish %s: %w", file.what, errs[i])
			}
		})
	}
	publishing.Wait()
	for _, u := range unsynced {
		if u.ID != "" {
			placed = append(placed, u)
		}
	}
	return placed, errors.Join(errs...)
}

// file is one of a calculation's.
type file struct {
	name, what string
	object     hearth.Object
	io.ReadCloser
	begin []byte // that was read already
}

// peek reads the beginning, one byte more than most at most.
func (f *file) peek(most int) (n int, err error) {
	f.begin, err = io.ReadAll(io.LimitReader(f, int64(max(0, most))+1))
	return len(f.begin), err
}

// filesOf opens a calculation's files. Those that it returns with an error have
// to be closed, too.
func filesOf(ctx context.Context, f facts, driver hearth.Driver, lost bool, reason string, end hearth.CalculationChange) (files []file, err error) {
	c := *f.calculation
	add := func(name, uri, contentType string, content io.ReadCloser) {
		files = append(files, file{
			name: name, what: name + " of calculation " + c.ID,
			object: f.session.Configuration.Object(uri, contentType), ReadCloser: content,
		})
	}
	for _, stream := range []hearth.Stream{hearth.Stdout, hearth.Stderr} {
		content, err := driver.Output(ctx, c.ID, stream, 0)
		if hearth.KindOf(err) == hearth.KindNotFound {
			content, err = io.NopCloser(strings.NewReader("")), nil
		}
		if err != nil {
			return files, fmt.Errorf("read %s of calculation %s: %w", stream, c.ID, err)
		}
		if lost && stream == hearth.Stderr {
			content = followed{io.MultiReader(content, strings.NewReader(reason+"\n")), content}
		}
		add(string(stream), c.OutputURI(stream), "text/plain; charset=utf-8", content)
	}
	result, err := driver.Result(ctx, c.ID)
	switch {
	case err == nil && lost: // it was written, and its shim killed before it told of the end
		err = result.Close()
		result = lostResult(end)
	case hearth.KindOf(err) == hearth.KindNotFound:
		result, err = lostResult(end), nil
	}
	if err != nil {
		return files, fmt.Errorf("read the result of calculation %s: %w", c.ID, err)
	}
	add("result", c.ResultDocumentURI(), "application/json", result)
	return files, nil
}

// followed is content with something after it.
type followed struct {
	io.Reader
	io.Closer
}
