package driver

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hearth"
	"hearth/internal/shim"
)

// Log opens driver.log. Several processes write to it and none tells the
// others, so whoever follows it looks from time to time; the shim's connection
// tells that nothing of the driver is left to write.
func (d *Drivers) Log(ctx context.Context, sessionID string, offset int64, follow bool) (io.ReadCloser, error) {
	bundle, err := d.bundle(sessionID)
	if err != nil {
		return nil, err
	}
	unreadable := func(err error) error { return hearth.Internal(err, "read the log of session "+sessionID) }
	file, err := shim.Open(filepath.Join(bundle, shim.LogFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hearth.Errorf(hearth.KindNotFound, "The driver of session %s has left no log.", sessionID)
	}
	if err != nil {
		return nil, unreadable(err)
	}
	if !follow {
		now, err := untilNow(file, offset)
		if err != nil {
			return nil, unreadable(err)
		}
		return now, nil
	}
	var launch shim.Launch
	if _, err = shim.Load(bundle, shim.LaunchFile, &launch); err == nil {
		_, err = file.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(unreadable(err), file.Close())
	}
	from := &driver{sessionID: sessionID, bundle: bundle, token: launch.Token}
	conn, err := from.connect(ctx, shim.Message{})
	if err == nil {
		l := &growingLog{ctx: ctx, file: file, conn: conn, alone: make(chan struct{})}
		go l.watch()
		return l, nil
	}
	if from.over(ctx) {
		return file, nil
	}
	return nil, errors.Join(ctx.Err(), unreachable(sessionID, err), file.Close())
}

// growingLog is a log to which a driver writes.
type growingLog struct {
	ctx   context.Context // of the whole reading
	file  *os.File
	conn  *connection
	alone chan struct{} // closed when the shim has gone, or nobody listens to it any more
}

// lookAgain is how long what a driver logs may take to be shown.
const lookAgain = 200 * time.Millisecond

func (l *growingLog) watch() {
	defer close(l.alone)
	for {
		if _, err := l.conn.receive(); err != nil {
			return
		}
	}
}

// Read waits for more as long as there may be more.
func (l *growingLog) Read(p []byte) (int, error) {
	for complete := false; ; {
		n, err := l.file.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) || complete {
			return n, err
		}
		select {
		case <-l.alone:
			if l.ctx.Err() != nil {
				return 0, l.ctx.Err()
			}
			complete = true // after one more look
		case <-time.After(lookAgain):
		}
	}
}

// Close also ends a Read that waits. The file goes first, so that the Read does
// not take the end of the connection for the end of the log.
func (l *growingLog) Close() error {
	err := errors.Join(l.file.Close(), l.conn.Close())
	<-l.alone
	return err
}
