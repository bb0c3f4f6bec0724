package main

import (
	"context"
	"io"
	"time"
)

// copyGrowing writes what grows on the server until it has ended: open reads it
// from an offset on as it grows, awaitEnd waits until it does not any more. The
// loss of the server in the middle does not end it: its successor goes on where
// it stopped.
func copyGrowing(ctx context.Context, w io.Writer, open func(offset int64) (io.ReadCloser, error), awaitEnd func() error) error {
	var offset int64
	for ended := false; ; {
		body, err := open(offset)
		if err != nil {
			return err
		}
		grown := source{Reader: body}
		n, err := io.Copy(w, &grown)
		body.Close()
		offset += n
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && grown.err == nil:
			return err // of writing
		case err != nil: // of reading: the server left
			select {
			case <-ctx.Done():
			case <-time.After(hostInterval): // or one that goes on breaking off would be asked in a circle
			}
			continue
		case ended:
			return nil
		}
		// The driver has no more; what is read after the end is all there is.
		if err := awaitEnd(); err != nil {
			return err
		}
		ended = true
	}
}

// source remembers what stopped reading, and so tells it from what stopped
// writing.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != io.EOF {
		s.err = err
	}
	return n, err
}
