package objects

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth"
)

func TestFolder(t *testing.T) {
	t.Run("objects below a URI are files in it", func(t *testing.T) {
		dir := t.TempDir()
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.CreateBucket(t.Context(), "hearth"); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), hearth.Object{URI: "s3://hearth/a/b.c/stdout"}, strings.NewReader("text")); err != nil {
			t.Fatal(err)
		}
		for _, uri := range []string{"s3://hearth/a/b.c", "s3://hearth/a/b.c/"} {
			content, err := os.ReadFile(filepath.Join(Folder(dir, uri), "stdout"))
			if err != nil || string(content) != "text" {
				t.Errorf("%s: %q, %v", uri, content, err)
			}
		}
	})
	t.Run("what is no URI has no folder", func(t *testing.T) {
		if folder := Folder("dir", "/hearth/a"); folder != "" {
			t.Error(folder)
		}
	})
}
