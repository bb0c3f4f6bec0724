package objects

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"hearth/internal/faultpoint"
)

// Deletion names an object to delete.
type Deletion struct {
	Key   string
	Match string // see Condition
}

// Delete deletes objects and tells of each what came of it: nil, also when there
// was none of the key, KindInvalid (an impossible key) or KindConflict (another
// ETag). What was deleted stays so. Its second result is why none could be
// deleted, KindNotFound when there is no such bucket.
func (s *Store) Delete(ctx context.Context, bucket string, deletions ...Deletion) ([]error, error) {
	s.buckets.RLock()
	defer s.buckets.RUnlock()
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	outcomes := make([]error, len(deletions))
	changed := make(map[string][]int) // deletions by the folder that has to be synced
	for i, d := range deletions {
		if outcomes[i] = ctx.Err(); outcomes[i] != nil {
			continue
		}
		folder, err := s.remove(ctx, bucket, d)
		outcomes[i] = err
		if folder != "" {
			changed[folder] = append(changed[folder], i)
		}
	}
	for folder, indices := range changed {
		if err := s.sync(folder); err != nil {
			for _, i := range indices {
				outcomes[i] = fileError(err, "deleting an object")
			}
		}
	}
	return outcomes, nil
}

// remove removes an object's files and gives the folder that has to be synced,
// "" when nothing was there.
func (s *Store) remove(ctx context.Context, bucket string, d Deletion) (string, error) {
	if err := checkKey(d.Key); err != nil {
		return "", err
	}
	file := path.Join(bucket, filePath(d.Key))
	unlock, err := s.lockFor(ctx, file)
	if err != nil {
		return "", err
	}
	defer unlock()

	if d.Match != "" {
		if err := s.meets(Condition{Match: d.Match}, file, d.Key); err != nil {
			return "", err
		}
	}
	stat, err := s.root.Lstat(file)
	if err == nil && !stat.Mode().IsRegular() {
		return "", nil
	}
	if err == nil {
		err = s.root.Remove(file)
	}
	absent := isNotExist(err)
	if err != nil && !absent {
		return "", fileError(err, "deleting an object")
	}
	faultpoint.At("object", "deleted")
	// Who was killed while writing or deleting has left a description alone.
	switch err := s.root.Remove(metaPath(file)); {
	case isNotExist(err) && absent:
		return "", nil
	case err != nil && !isNotExist(err):
		return "", fileError(err, "deleting an object")
	}
	return s.clearFolders(path.Dir(file)), nil
}

// DeleteBucket deletes a bucket that has no objects, and multipart uploads to it
// that are not complete. It returns KindNotFound when there is none of that name
// and KindConflict when it is not empty.
func (s *Store) DeleteBucket(_ context.Context, name string) error {
	s.buckets.Lock()
	defer s.buckets.Unlock()
	if _, err := s.bucket(name); err != nil {
		return err
	}
	kept, err := s.keeps(name)
	if err != nil {
		return fileError(err, "deleting a bucket")
	}
	if kept {
		return faultf(bucketNotEmpty, "Bucket %s has objects. Delete them first, for example with `aws s3 rm --recursive s3://%s`.", name, name)
	}
	gone := s.temporary()
	if err := s.root.Rename(name, gone); err != nil {
		return fileError(err, "deleting a bucket")
	}
	s.root.RemoveAll(gone) // what is left is removed when the store is opened
	return s.sync(".")
}

// keeps tells whether a bucket has any file but the store's own, whoever put it
// there.
func (s *Store) keeps(bucket string) (bool, error) {
	var kept bool
	err := fs.WalkDir(s.root.FS(), bucket, func(file string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && file == uploadsFolder(bucket):
			return fs.SkipDir
		case !e.IsDir() && !isOwn(path.Base(file)):
			kept = true
			return fs.SkipAll
		}
		return nil
	})
	return kept, err
}

// isOwn tells the names of the store's own files.
func isOwn(name string) bool {
	return name == bucketFile || strings.HasPrefix(name, ".") && strings.HasSuffix(name, metaMark)
}
