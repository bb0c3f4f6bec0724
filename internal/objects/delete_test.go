package objects_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hearth"
	"hearth/internal/objects"
)

// remove deletes keys, each of which has to succeed.
func remove(t *testing.T, s *objects.Store, keys ...string) {
	t.Helper()
	var deletions []objects.Deletion
	for _, key := range keys {
		deletions = append(deletions, objects.Deletion{Key: key})
	}
	outcomes, err := s.Delete(t.Context(), "hearth", deletions...)
	if err := errors.Join(append(outcomes, err)...); err != nil {
		t.Fatal(err)
	}
}

// filesOf are all files and folders of a bucket but its own.
func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "hearth"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != ".%bucket" {
			names = append(names, e.Name())
		}
	}
	return names
}

func wantGone(t *testing.T, s *objects.Store, key string) {
	t.Helper()
	_, err := s.Stat(t.Context(), "hearth", key)
	wantKind(t, err, hearth.KindNotFound)
}

func TestStore_Delete(t *testing.T) {
	t.Parallel()

	t.Run("leaves nothing of an object, and no empty folder", func(t *testing.T) {
		s, dir := open(t)
		long := strings.Repeat("x", 1000)
		put(t, s, "a/b/c", "", "x")
		put(t, s, long, "", "x")
		remove(t, s, "a/b/c", long)
		wantGone(t, s, "a/b/c")
		if left := filesOf(t, dir); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
	t.Run("leaves what is beside, above and below", func(t *testing.T) {
		s, _ := open(t)
		others := []string{"a", "a/", "a/b/", "a/b/c", "a/c"}
		for _, key := range append(others, "a/b") {
			put(t, s, key, "", key)
		}
		remove(t, s, "a/b")
		wantGone(t, s, "a/b")
		for _, key := range others {
			if got := get(t, s, key); got != key {
				t.Errorf("%s holds %q", key, got)
			}
		}
	})
	t.Run("of nothing is nothing", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "a/b", "", "x")
		remove(t, s, "b", "a", "a/", "a/b/c", "../hearth/a/b")
		if get(t, s, "a/b") != "x" || len(filesOf(t, dir)) != 1 {
			t.Error("something was deleted")
		}
	})
	t.Run("takes a description away that is alone", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "a/b", "", "x")
		if err := os.Remove(filepath.Join(dir, "hearth", "a+", "b")); err != nil {
			t.Fatal(err)
		}
		remove(t, s, "a/b")
		if left := filesOf(t, dir); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
	t.Run("an open object stays what it is", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a", "", "content")
		o, err := s.Read(t.Context(), "hearth", "a")
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		remove(t, s, "a")
		if content, err := io.ReadAll(o); err != nil || string(content) != "content" {
			t.Errorf("read %q, %v", content, err)
		}
	})
	t.Run("tells of each what came of it", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a", "", "1")
		put(t, s, "b", "", "2")
		outcomes, err := s.Delete(t.Context(), "hearth",
			objects.Deletion{Key: "a", Match: etag("1")},
			objects.Deletion{Key: "b", Match: etag("1")},
			objects.Deletion{Key: strings.Repeat("x", 1025)},
			objects.Deletion{Key: "c", Match: etag("1")},
			objects.Deletion{Key: "c"})
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[0] != nil || outcomes[4] != nil {
			t.Errorf("outcomes %v", outcomes)
		}
		wantKind(t, outcomes[1], hearth.KindConflict)
		wantKind(t, outcomes[2], hearth.KindInvalid)
		wantKind(t, outcomes[3], hearth.KindNotFound)
		wantGone(t, s, "a")
		if get(t, s, "b") != "2" {
			t.Error("b has changed")
		}
	})
	t.Run("refuses a bucket that does not exist", func(t *testing.T) {
		s, _ := open(t)
		_, err := s.Delete(t.Context(), "elsewhere", objects.Deletion{Key: "a"})
		wantKind(t, err, hearth.KindNotFound)
	})
	t.Run("leaves a folder that is not the store's", func(t *testing.T) {
		s, dir := open(t)
		foreign := filepath.Join(dir, "hearth", "foreign")
		if err := os.Mkdir(foreign, 0o700); err != nil {
			t.Fatal(err)
		}
		remove(t, s, "foreign")
		if _, err := os.Stat(foreign); err != nil {
			t.Error(err)
		}
	})

	// Each delete empties the folder that the next write needs.
	t.Run("never takes the folder from a write", func(t *testing.T) {
		s, dir := open(t)
		var work sync.WaitGroup
		for i := range 4 {
			work.Go(func() {
				key := fmt.Sprintf("a/b/%d", i)
				for range 25 {
					put(t, s, key, "", key)
					if got := get(t, s, key); got != key {
						t.Errorf("%s holds %q", key, got)
					}
					remove(t, s, key)
				}
			})
		}
		work.Wait()
		if left := filesOf(t, dir); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
}

func TestStore_DeleteBucket(t *testing.T) {
	t.Parallel()

	t.Run("with everything that belongs to it", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "a/b", "", "x")
		remove(t, s, "a/b")
		if _, err := s.CreateUpload(t.Context(), "hearth", "c", objects.Draft{}, false); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteBucket(t.Context(), "hearth"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Bucket(t.Context(), "hearth")
		wantKind(t, err, hearth.KindNotFound)
		wantNoTemporaries(t, dir)
		if err := s.CreateBucket(t.Context(), "hearth"); err != nil {
			t.Error(err)
		}
	})
	t.Run("refuses one that has objects", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a/b", "", "x")
		wantKind(t, s.DeleteBucket(t.Context(), "hearth"), hearth.KindConflict)
		if get(t, s, "a/b") != "x" {
			t.Error("the object has changed")
		}
	})
	t.Run("refuses one that has somebody else's file", func(t *testing.T) {
		s, dir := open(t)
		if err := os.WriteFile(filepath.Join(dir, "hearth", "half%2"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.DeleteBucket(t.Context(), "hearth"), hearth.KindConflict)
	})
	t.Run("refuses what is not there", func(t *testing.T) {
		s, _ := open(t)
		wantKind(t, s.DeleteBucket(t.Context(), "elsewhere"), hearth.KindNotFound)
		wantKind(t, s.DeleteBucket(t.Context(), ".new"), hearth.KindInvalid)
	})

	// Ensure that no object that was acknowledged is lost with its bucket.
	t.Run("beside writes", func(t *testing.T) {
		s, _ := open(t)
		var work sync.WaitGroup
		for i := range 4 {
			work.Go(func() {
				key := fmt.Sprintf("a/%d", i)
				for range 10 {
					_, err := s.Write(t.Context(), "hearth", key, objects.Draft{}, strings.NewReader(key))
					if hearth.KindOf(err) == hearth.KindNotFound {
						if err := s.CreateBucket(t.Context(), "hearth"); err != nil && hearth.KindOf(err) != hearth.KindExists {
							t.Error(err)
						}
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					if got := get(t, s, key); got != key {
						t.Errorf("%s holds %q", key, got)
					}
					remove(t, s, key)
				}
			})
		}
		work.Go(func() {
			for range 20 {
				if err := s.DeleteBucket(t.Context(), "hearth"); err != nil && hearth.KindOf(err) != hearth.KindConflict && hearth.KindOf(err) != hearth.KindNotFound {
					t.Error(err)
				}
			}
		})
		work.Wait()
	})
}
