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
	"fmt"
	"io"
)

// Source is the program. It needs a Python from 3.9 to 3.12 with IPython, and
// pyspark when it is to have Spark.
//
//go:embed kernel.py
var Source []byte

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
