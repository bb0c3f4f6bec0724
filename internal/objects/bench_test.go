package objects_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hearth/internal/objects"
)

// BenchmarkPut tells what writing costs beside one sync of one small file on
// the same disk: alone, and three at once as a calculation's files are.
func BenchmarkPut(b *testing.B) {
	s, err := objects.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.CreateBucket(b.Context(), "hearth"); err != nil {
		b.Fatal(err)
	}
	write := func(b *testing.B, key string) {
		if _, err := s.Write(b.Context(), "hearth", key, objects.Draft{ContentType: "text/plain"}, strings.NewReader("content")); err != nil {
			b.Error(err)
		}
	}
	b.Run("one sync", func(b *testing.B) {
		dir := b.TempDir()
		for i := range b.N {
			f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				b.Fatal(err)
			}
			f.WriteString("content")
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
	b.Run("one", func(b *testing.B) {
		for i := range b.N {
			write(b, fmt.Sprintf("one/%d/stdout", i))
		}
	})
	b.Run("three at once", func(b *testing.B) {
		for i := range b.N {
			var wg sync.WaitGroup
			for _, name := range []string{"stdout", "stderr", "results/result.json"} {
				wg.Go(func() { write(b, fmt.Sprintf("three/%d/%s", i, name)) })
			}
			wg.Wait()
		}
	})
}
