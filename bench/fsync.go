package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

func fsync(_ context.Context, b *bench) error {
	return b.fsyncs(b.row("disk", "one fsync of 4 KB", "ms"), 100)
}

// fsyncs adds what n writes with a sync take.
func (b *bench) fsyncs(r *Row, n int) error {
	f, err := os.Create(filepath.Join(b.scratch, "sync"))
	if err != nil {
		return err
	}
	defer f.Close()
	page := make([]byte, 4096)
	return r.timed(n, func() error {
		_, err := f.Write(page)
		return errors.Join(err, f.Sync())
	})
}
