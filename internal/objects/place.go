package objects

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// Place writes an object that Sync will sync (see hearth.Objects). It returns the
// errors of Put.
func (s *Store) Place(ctx context.Context, o hearth.Object, content []byte) (hearth.Unsynced, error) {
	at, err := hearth.ParseLocation(o.URI)
	if err != nil {
		return hearth.Unsynced{}, err
	}
	master, err := s.check(at.Bucket, at.Key, o.Encryption)
	if err != nil {
		return hearth.Unsynced{}, err
	}
	w, err := s.begin(path.Join(at.Bucket, filePath(at.Key)), at.Key, master)
	if err != nil {
		return hearth.Unsynced{}, err
	}
	defer w.abandon()
	w.placing = rand.Text()
	if _, err := w.write(ctx, Draft{ContentType: o.ContentType, Encryption: o.Encryption}, bytes.NewReader(content)); err != nil {
		s.placed.release(w.file, w.placing)
		return hearth.Unsynced{}, err
	}
	faultpoint.At("object", "placed")
	return hearth.Unsynced{ID: w.placing, URI: o.URI, Kept: w.kept}, nil
}

// keep makes what an object can be restored from: its description, in a line, and
// its file.
func (w *writing) keep(d description) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	file := make([]byte, d.Size)
	_, err = w.f.ReadAt(file, 0)
	w.kept = slices.Concat(line, []byte("\n"), file)
	return err
}

// Sync syncs placed objects together. What cannot be synced, and what an earlier
// process has placed, is written again.
func (s *Store) Sync(ctx context.Context, placed []hearth.Unsynced) error {
	var ours []placing
	var again []hearth.Unsynced
	folders := make(map[string]bool)
	for _, u := range placed {
		p, err := placingOf(u)
		if err != nil {
			return err
		}
		changed, ok := s.placed.toSync(p)
		if !ok {
			again = append(again, u)
			continue
		}
		ours = append(ours, p)
		for _, folder := range changed {
			folders[folder] = true
		}
	}
	if len(ours) > 0 && s.syncPlaced(ours, slices.Collect(maps.Keys(folders))) != nil {
		s.placed.doubt(ours)
		again = placed
	}
	for _, u := range again {
		if s.placed.replaced(u) {
			continue
		}
		if err := s.restore(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// Release ends the waiting for placed objects.
func (s *Store) Release(placed []hearth.Unsynced) {
	for _, u := range placed {
		if p, err := placingOf(u); err == nil {
			s.placed.release(p.file, p.id)
		}
	}
}

// placing is one time that an object was placed.
type placing struct{ id, file, key string }

func placingOf(u hearth.Unsynced) (placing, error) {
	at, err := hearth.ParseLocation(u.URI)
	if err == nil {
		err = checkKey(at.Key)
	}
	return placing{u.ID, path.Join(at.Bucket, filePath(at.Key)), at.Key}, err
}

// syncedAtOnce is how many files are synced together: each takes a thread.
const syncedAtOnce = 32

// syncPlaced syncs files, their descriptions and their folders. What is not there
// any more, somebody has removed by hand.
func (s *Store) syncPlaced(placed []placing, folders []string) error {
	var files []string
	for _, p := range placed {
		files = append(files, p.file, metaPath(p.file))
	}
	for some := range slices.Chunk(slices.Concat(files, folders), syncedAtOnce) {
		if err := s.sync(some...); err != nil {
			return err
		}
	}
	faultpoint.At("placed objects", "synced")
	return nil
}

// restore writes an object as it was placed, with the same time, so that it is
// the same one for whoever has seen it.
func (s *Store) restore(ctx context.Context, u hearth.Unsynced) error {
	p, err := placingOf(u)
	if err != nil {
		return err
	}
	line, content, _ := bytes.Cut(u.Kept, []byte("\n"))
	var d description
	if err := json.Unmarshal(line, &d); err != nil || int64(len(content)) != d.Size {
		return hearth.Errorf(hearth.KindInvalid, "What was kept of the object %s is damaged.", u.URI)
	}
	w, err := s.begin(p.file, p.key, nil)
	if err != nil {
		return err
	}
	defer w.abandon()
	if _, err := w.f.Write(content); err != nil {
		return fileError(err, "restoring an object")
	}
	w.restoring = time.Unix(0, d.Modified)
	_, err = w.put(func() (time.Time, error) { return w.replace(ctx, d, Condition{}) })
	faultpoint.At("object", "restored")
	return err
}

// placed are the objects that were placed and not released.
type placed struct {
	mu      sync.Mutex
	byFile  map[string]*wait
	folders map[string]int // that are not synced, with how many placings
}

// wait is for who would change an object.
type wait struct {
	placings map[string]*unsynced // by id
	last     *unsynced
	over     chan struct{}
}

// unsynced is what has to be synced of a placing.
type unsynced struct {
	folders []string
	doubted bool // the system says only once that something did not come to the disk
}

// begin has others wait from now on.
func (p *placed) begin(file, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byFile == nil {
		p.byFile, p.folders = make(map[string]*wait), make(map[string]int)
	}
	w, ok := p.byFile[file]
	if !ok {
		w = &wait{placings: make(map[string]*unsynced), over: make(chan struct{})}
		p.byFile[file] = w
	}
	w.last = &unsynced{}
	w.placings[id] = w.last
}

// changed notes the folders that a placing has to have synced.
func (p *placed) changed(file, id string, folders []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byFile[file].placings[id].folders = folders
	for _, folder := range folders {
		p.folders[folder]++
	}
}

func (p *placed) release(file, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.find(file, id)
	if u == nil {
		return
	}
	for _, folder := range u.folders {
		if p.folders[folder]--; p.folders[folder] == 0 {
			delete(p.folders, folder)
		}
	}
	w := p.byFile[file]
	if delete(w.placings, id); len(w.placings) == 0 {
		close(w.over)
		delete(p.byFile, file)
	}
}

// find gives nil for what was released, or is of an earlier process.
func (p *placed) find(file, id string) *unsynced {
	if w, ok := p.byFile[file]; ok {
		return w.placings[id]
	}
	return nil
}

// toSync gives the folders of a placing, and false when syncing is not enough for
// its object.
func (p *placed) toSync(of placing) (folders []string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.find(of.file, of.id)
	if u == nil || u.doubted {
		return nil, false
	}
	return u.folders, true
}

// replaced reports whether another placing came after one of this process.
func (p *placed) replaced(u hearth.Unsynced) bool {
	of, err := placingOf(u)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.find(of.file, of.id)
	return found != nil && found != p.byFile[of.file].last
}

// doubt notes that the files of placings could not be synced.
func (p *placed) doubt(all []placing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range all {
		if w, ok := p.byFile[of.file]; ok {
			for _, u := range w.placings {
				u.doubted = true
			}
		}
	}
}

// above gives the folders over a file that a placing has made or changed, and
// that are not synced: who syncs the file needs them to find it.
func (p *placed) above(file string) (folders []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for folder := path.Dir(file); folder != "." && len(p.folders) > 0; folder = path.Dir(folder) {
		if p.folders[folder] > 0 {
			folders = append(folders, folder)
		}
	}
	return folders
}

// until is closed when the file's object is released; nil when it is now.
func (p *placed) until(file string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w, ok := p.byFile[file]; ok {
		return w.over
	}
	return nil
}

// releasePatience is how long a change waits for an object that was placed. That
// takes moments, unless the disk fails.
const releasePatience = 10 * time.Second

// lockFor locks a file for who changes its object, which is not a placed one then.
func (s *Store) lockFor(ctx context.Context, file string) (unlock func(), err error) {
	lock := s.lock(file)
	lock.Lock()
	for over := s.placed.until(file); over != nil; over = s.placed.until(file) {
		lock.Unlock()
		if err := awaitRelease(ctx, over); err != nil {
			return nil, err
		}
		lock.Lock()
	}
	return lock.Unlock, nil
}

func awaitRelease(ctx context.Context, over <-chan struct{}) error {
	patience := time.NewTimer(releasePatience)
	defer patience.Stop()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return faultf(unavailable, "A calculation has just written the object, and it is not on the disk yet, so that it cannot be changed. The server's log says why. Try again.")
	}
}
