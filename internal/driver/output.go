package driver

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hearth"
	"hearth/internal/shim"
)

// Output opens a calculation's file and follows it as the shim tells that it
// grows.
func (d *driver) Output(ctx context.Context, calculationID string, stream hearth.Stream, offset int64) (io.ReadCloser, error) {
	file, err := d.file(calculationID, string(stream))
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(hearth.Internal(err, "read the output of calculation "+calculationID), file.Close())
	}
	// A calculation with a result has finished, and its files are complete.
	if result, err := d.Result(ctx, calculationID); err == nil {
		return file, result.Close()
	}
	conn, err := d.connect(ctx, shim.Message{Calculation: calculationID})
	if err == nil {
		return &output{ctx: ctx, file: file, conn: conn}, nil
	}
	// Without a shim nothing is written any more.
	if d.over(ctx) {
		return file, nil
	}
	return nil, errors.Join(ctx.Err(), unreachable(d.sessionID, err), file.Close())
}

// Written opens a calculation's file as it is now.
func (d *driver) Written(_ context.Context, calculationID string, stream hearth.Stream) (io.ReadSeekCloser, error) {
	file, err := d.file(calculationID, string(stream))
	if err != nil {
		return nil, err
	}
	now, err := untilNow(file, 0)
	if err != nil {
		return nil, hearth.Internal(err, "read the output of calculation "+calculationID)
	}
	return now, nil
}

// Result opens the result document.
func (d *driver) Result(_ context.Context, calculationID string) (io.ReadCloser, error) {
	file, err := d.file(calculationID, shim.ResultFile)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// file opens a file of a calculation; it returns KindNotFound when there is
// none.
func (d *driver) file(calculationID, name string) (*os.File, error) {
	dir, err := shim.CalculationDir(d.bundle, calculationID)
	if err != nil {
		return nil, hearth.CalculationNotFound(calculationID)
	}
	file, err := shim.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hearth.CalculationNotFound(calculationID)
	}
	if err != nil {
		return nil, hearth.Internal(err, "read "+name+" of calculation "+calculationID)
	}
	return file, nil
}

// untilNow reads a file from offset on, no further than it reaches now: one that
// busy code writes would never end. It takes the file over, and closes it when
// there is an error.
func untilNow(file *os.File, offset int64) (io.ReadSeekCloser, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return struct {
		*io.SectionReader
		io.Closer
	}{io.NewSectionReader(file, offset, max(0, info.Size()-offset)), file}, nil
}

// output is a file that grows.
type output struct {
	ctx      context.Context // of the whole reading
	file     *os.File
	conn     *connection
	complete bool
}

// Read waits for more as long as there may be more.
func (o *output) Read(p []byte) (int, error) {
	for {
		n, err := o.file.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) || o.complete {
			return n, err
		}
		m, err := o.conn.receive()
		if o.ctx.Err() != nil {
			return 0, o.ctx.Err()
		}
		// A shim that has gone has written what there is.
		o.complete = err != nil || m.Ended
	}
}

// Close also ends a Read that waits. The file goes first, so that the Read does
// not take the end of the connection for the end of the output.
func (o *output) Close() error { return errors.Join(o.file.Close(), o.conn.Close()) }
