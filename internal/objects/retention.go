package objects

import (
	"context"
	"path"

	"hearth"
)

var _ hearth.Disposer = (*Store)(nil)

// Holds reports whether an s3:// URI is in a bucket of the store.
func (s *Store) Holds(uri string) bool {
	bucket, _, err := parseURI(uri)
	if err == nil {
		_, err = s.bucket(bucket)
	}
	return err == nil
}

// Size gives the bytes of an object, 0 when there is none.
func (s *Store) Size(ctx context.Context, uri string) (int64, error) {
	bucket, key, err := parseURI(uri)
	if err != nil {
		return 0, err
	}
	info, err := s.stat(path.Join(bucket, filePath(key)), key)
	if isNotExist(err) {
		return 0, nil
	}
	return info.Size, err
}

// Remove removes an object, and the folders that it leaves empty. That there is
// none is no error.
func (s *Store) Remove(_ context.Context, uri string) error {
	bucket, key, err := parseURI(uri)
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		return err
	}
	file := path.Join(bucket, filePath(key))
	lock := s.lock(file)
	lock.Lock()
	defer lock.Unlock()
	for _, f := range []string{file, metaPath(file)} {
		if err := s.root.Remove(f); err != nil && !isNotExist(err) {
			return fileError(err, "removing an object")
		}
	}
	for folder := path.Dir(file); folder != bucket; folder = path.Dir(folder) {
		if err := s.root.Remove(folder); err != nil && !isNotExist(err) {
			break // something is in it
		}
	}
	return nil
}
