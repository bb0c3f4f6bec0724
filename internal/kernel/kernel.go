// Package kernel is the Python side of a driver: the program that runs the
// code, and the messages between it and the shim.
//
// The program speaks frames over the descriptor that it has as number 3. It is
// written into the bundle of each driver, so that the shim and the program
// that it starts always are of one version.
package kernel

import (
	"bufio"
	_ "embed" // for the program
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The program. It needs a Python from 3.9 to 3.12 with IPython, and pyspark
// when it is to have Spark.
var (
	//go:embed kernel.py
	program []byte
	//go:embed hearth_magics.py
	magics []byte
	//go:embed hearth_rest.py
	rest []byte
)

// Names of the program's files in the bundle.
const (
	ProgramFile = "kernel.py"
	magicsFile  = "hearth_magics.py" // a name that no module of the code's own will have
	restFile    = "hearth_rest.py"   // likewise
	sessionFile = "session.json"     // a Session
)

// Session is what code can ask the program about the session that it runs in.
// Times are in Unix seconds.
type Session struct {
	ID         string           `json:"id"`
	WorkGroup  string           `json:"work_group"`
	Engine     string           `json:"engine"`
	StartedAt  float64          `json:"started_at"`
	NotebookID string           `json:"notebook_id"` // empty is none
	Earlier    []EarlierSession `json:"earlier"`     // of the notebook, newest first
}

// EarlierSession is a session that has ended.
type EarlierSession struct {
	ID        string  `json:"id"`
	State     string  `json:"state"`
	StartedAt float64 `json:"started_at"`
	EndedAt   float64 `json:"ended_at"`
}

// Write puts the program and what it knows of its session into a directory.
func Write(dir string, session Session) error {
	err := Know(dir, session)
	for name, content := range map[string][]byte{ProgramFile: program, magicsFile: magics, restFile: rest} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return err
}

// Know puts what the program knows of its session beside it.
func Know(dir string, session Session) error {
	known, err := json.Marshal(session)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, sessionFile), known, 0o600))
}

// Protocol is the version of the messages.
const Protocol = 1

// MaxFrame is the most bytes that the body of a frame may have.
const MaxFrame = 64 << 20

// FrameError is a frame that breaks the protocol. Nothing more can be read
// after it.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return "broken frame: " + e.Reason }

// WriteFrame writes v as JSON behind its length, four bytes of it with the
// highest first, in one call of Write. An error is a *FrameError when the JSON
// has more than MaxFrame bytes; nothing is written then.
func WriteFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a frame: %w", err)
	}
	if len(body) > MaxFrame {
		return &FrameError{fmt.Sprintf("%d bytes are more than the limit of %d", len(body), MaxFrame)}
	}
	frame := make([]byte, 0, 4+len(body))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// ReadFrame reads what WriteFrame wrote. The error is io.EOF when the stream
// ends between two frames, io.ErrUnexpectedEOF when it ends within one, and a
// *FrameError when the frame is too large or its body is not one JSON object.
func ReadFrame(r *bufio.Reader) (json.RawMessage, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size > MaxFrame {
		return nil, &FrameError{fmt.Sprintf("%d bytes are more than the limit of %d", size, MaxFrame)}
	}
	// The length is not believed before the bytes are there.
	body, err := io.ReadAll(io.LimitReader(r, size))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) < size {
		return nil, io.ErrUnexpectedEOF
	}
	if size == 0 || body[0] != '{' || !json.Valid(body) {
		return nil, &FrameError{"the body is not a JSON object"}
	}
	return body, nil
}
