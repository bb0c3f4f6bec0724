package objects

import (
	"context"
	"errors"
	"path"

	"hearth"
)

var _ hearth.Disposer = (*Store)(nil)

// Holds reports whether an s3:// URI is in a bucket of the store.
func (s *Store) Holds(uri string) bool {
	at, err := hearth.ParseLocation(uri)
	if err == nil {
		_, err = s.bucket(at.Bucket)
	}
	return err == nil
}

// Size gives the bytes of an object, 0 when there is none.
func (s *Store) Size(ctx context.Context, uri string) (int64, error) {
	at, err := hearth.ParseLocation(uri)
	if err != nil {
		return 0, err
	}
	info, err := s.stat(path.Join(at.Bucket, filePath(at.Key)), at.Key)
	if isNotExist(err) {
		return 0, nil
	}
	return info.Size, err
}

// Remove removes an object. That there is none is no error.
func (s *Store) Remove(ctx context.Context, uri string) error {
	at, err := hearth.ParseLocation(uri)
	if err != nil {
		return err
	}
	outcomes, err := s.Delete(ctx, at.Bucket, Deletion{Key: at.Key})
	if hearth.KindOf(err) == hearth.KindNotFound {
		return nil
	}
	return errors.Join(append(outcomes, err)...)
}
