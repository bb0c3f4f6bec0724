package objects

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"hearth"
)

// Folder is where a store in dir has the objects below an s3:// URI, for people
// who want to look at them as files. It is "" for what is no such URI.
func Folder(dir, uri string) string {
	at, err := hearth.ParseLocation(strings.TrimSuffix(uri, "/") + "/")
	if err != nil {
		return ""
	}
	return filepath.Join(dir, at.Bucket, folderPath(at.Key))
}

// makeFolders makes a folder and those above it, and lists the folders that
// have to be synced once a file has been put into it.
func (s *Store) makeFolders(folder string) (changed []string, err error) {
	changed = []string{folder}
	switch err := s.root.Mkdir(folder, 0o700); {
	case err == nil:
		return append(changed, path.Dir(folder)), nil
	case errors.Is(err, fs.ErrExist):
		return changed, nil
	case !isNotExist(err):
		return nil, err
	}
	above, err := s.makeFolders(path.Dir(folder))
	if err != nil {
		return nil, err
	}
	if err := s.root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return append(changed, above...), nil
}

// clearFolders removes folders that are left empty, from one upwards to the
// bucket's, and gives the first that stays. Who writes into one of them at the
// same time makes it again.
func (s *Store) clearFolders(folder string) string {
	for strings.Contains(folder, "/") && s.root.Remove(folder) == nil {
		folder = path.Dir(folder)
	}
	return folder
}

// sync makes files, and what is in folders, outlast a loss of power. For one that
// was removed since, that is the removal.
func (s *Store) sync(names ...string) error {
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	for _, name := range names {
		f, err := s.openToSync(name)
		for isNotExist(err) && name != "." {
			name = path.Dir(name)
			f, err = s.openToSync(name)
		}
		if err != nil {
			return err
		}
		open = append(open, f)
	}
	return syncTogether(open...)
}

// openToSync does not wait for who writes into somebody's pipe.
func (s *Store) openToSync(name string) (*os.File, error) {
	return s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// syncTogether syncs files at once, so that one commit of the file system's
// journal serves all of them.
func syncTogether(files ...*os.File) error {
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Go(func() { errs[i] = f.Sync() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
