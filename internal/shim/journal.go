package shim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
)

// journal is the file that a shim appends its events to. A line is either there
// as a whole or, after the machine lost power, torn and the last one.
type journal struct {
	file *os.File
	size int64
}

// createJournal begins anew: whatever an earlier shim wrote that never came to
// serve has told nobody anything.
func createJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &journal{file: f}, nil
}

// append writes an event. After an error the journal ends where it did before.
func (j *journal) append(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := j.whole(); err != nil {
		return err
	}
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(len(line))
	return nil
}

// whole finds out whether somebody has cut the file: what is written after the
// hole then, nobody reads.
func (j *journal) whole() error {
	info, err := j.file.Stat()
	if err == nil && info.Size() < j.size {
		err = errors.New("somebody has cut it")
	}
	return err
}

func (j *journal) close() error { return errors.Join(j.file.Sync(), j.file.Close()) }

// maxLine is longer than an event is: the kernel keeps its reasons short.
const maxLine = 1 << 20

// ReadJournal gives the events of a journal from an offset on to handle, each
// with the offset after it, and returns the offset that it came to. It ends
// before the first line that is not whole: either it is being written, or the
// machine lost power then. What goes on for too long without an end is no line.
func ReadJournal(r io.ReaderAt, from int64, handle func(e Event, next int64) error) (int64, error) {
	const chunk = 64 << 10
	var rest []byte
	buffer := make([]byte, chunk)
	for read := from; ; {
		n, err := r.ReadAt(buffer, read)
		read += int64(n)
		rest = append(rest, buffer[:n]...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			var e Event
			if json.Unmarshal(line, &e) != nil {
				return from, nil
			}
			from += int64(len(line)) + 1
			if err := handle(e, from); err != nil {
				return from, err
			}
			rest = after
		}
		if errors.Is(err, io.EOF) || len(rest) > maxLine {
			return from, nil
		}
		if err != nil {
			return from, err
		}
	}
}
