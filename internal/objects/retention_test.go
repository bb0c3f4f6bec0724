package objects_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"hearth"
)

func TestRetention(t *testing.T) {
	t.Run("an object is removed with all that belongs to it", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "session/calculation/stdout", "text/plain", "hello\n")
		put(t, s, "session/calculation/results/result.json", "", "{}")
		putEncrypted(t, s, dir, "session/secret", "hello\n")
		put(t, s, "session/theirs", "", "rows")
		for key, want := range map[string]int64{"session/calculation/stdout": 6, "session/secret": 6, "session/none": 0, "session/calculation": 0} {
			if size, err := s.Size(t.Context(), "s3://hearth/"+key); size != want || err != nil {
				t.Errorf("%s has %d bytes, %v; want %d", key, size, err, want)
			}
		}
		for range 2 {
			for _, key := range []string{"session/calculation/stdout", "session/calculation/results/result.json", "session/secret", "session/none"} {
				if err := s.Remove(t.Context(), "s3://hearth/"+key); err != nil {
					t.Error(err)
				}
			}
		}
		var left []string
		err := filepath.WalkDir(filepath.Join(dir, "hearth"), func(path string, e fs.DirEntry, err error) error {
			if rest, _ := filepath.Rel(dir, path); err == nil {
				left = append(left, filepath.ToSlash(rest))
			}
			return err
		})
		want := []string{"hearth", "hearth/.%bucket", "hearth/session+", "hearth/session+/.theirs%meta", "hearth/session+/theirs"}
		if err != nil || !slices.Equal(left, want) {
			t.Errorf("there is %q, %v; want %q", left, err, want)
		}
		put(t, s, "session/calculation/stdout", "text/plain", "again\n")
		if got := get(t, s, "session/calculation/stdout"); got != "again\n" {
			t.Errorf("after its removal there is %q", got)
		}
	})
	t.Run("an object that is open stays readable", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a", "", "hello")
		o, err := s.Read(t.Context(), "hearth", "a")
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		if err := s.Remove(t.Context(), "s3://hearth/a"); err != nil {
			t.Fatal(err)
		}
		content := make([]byte, 5)
		if n, err := o.Read(content); n != 5 || err != nil {
			t.Errorf("%q, %v", content[:n], err)
		}
	})
	t.Run("what is in no bucket is not held", func(t *testing.T) {
		s, _ := open(t)
		for uri, want := range map[string]bool{"s3://hearth/a": true, "s3://hearth/": true, "s3://lake/a": false, "s3://../a": false, "hearth": false, "": false} {
			if got := s.Holds(uri); got != want {
				t.Errorf("%q is held: %t, want %t", uri, got, want)
			}
		}
	})
	t.Run("what cannot be is refused", func(t *testing.T) {
		s, _ := open(t)
		for _, uri := range []string{"", "s3://hearth", "s3://hearth/", "s3://hearth/\xff"} {
			wantKind(t, s.Remove(t.Context(), uri), hearth.KindInvalid)
		}
	})
}
