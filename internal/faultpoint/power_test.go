package faultpoint_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// powerless tells the story through three losses of power: before the files of a
// calculation that was told to be COMPLETED are synced, while they are restored,
// and before that is noted. It gives the moments that came.
func powerless(t *testing.T, python string) (came []string) {
	t.Helper()
	s := newStory(t)
	for _, moment := range []string{"files, to be synced", "object, restored", "files left, in place"} {
		s.Choose(t, moment)
		if s.live("tell", python) {
			t.Fatalf("nobody came to %q", moment)
		}
		came = append(append(came, s.Came()...), moment)
		lose(t, s.path("objects/hearth"))
	}
	s.Choose(t, "")
	if !s.live("tell", python) {
		t.Fatal("somebody died who should not")
	}
	s.open()
	s.check()
	return append(came, s.Came()...)
}

// lose takes from the sessions' folders in a bucket what a loss of power may take
// of files that are not synced: the content of some, and others as a whole.
func lose(t *testing.T, bucket string) {
	t.Helper()
	lost := 0
	err := filepath.WalkDir(bucket, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Dir(path) == bucket {
			return err
		}
		if lost++; strings.HasPrefix(e.Name(), ".") {
			return os.Remove(path)
		}
		return os.Truncate(path, 0)
	})
	if err != nil || lost == 0 {
		t.Fatalf("%d files are lost: %v", lost, err)
	}
}
