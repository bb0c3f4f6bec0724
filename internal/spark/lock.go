package spark

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hearth"
)

// lockInterval is how often a waiting installer looks whether it is its turn:
// an flock cannot be waited for and given up at the same time.
const lockInterval = 100 * time.Millisecond

// lockVersion lets one installer at a time, of all processes, build an engine.
// The lock ends when the file and all its copies in children are closed.
func (e Engines) lockVersion(ctx context.Context, version string, waiting func()) (*os.File, error) {
	if err := os.MkdirAll(e.Dir, 0o755); err != nil {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be made: %w.", err)
	}
	file, err := os.OpenFile(filepath.Join(e.Dir, "."+version+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be written: %w.", err)
	}
	turn := time.NewTicker(lockInterval)
	defer turn.Stop()
	for told := false; ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be locked: %w.", err), file.Close())
		}
		if !told {
			waiting()
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-turn.C:
		}
	}
}
