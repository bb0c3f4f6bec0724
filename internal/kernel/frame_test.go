package kernel

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFrame(t *testing.T) {
	t.Run("what was written is read", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			sent := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Command {
				return Command{
					Type:        rapid.SampledFrom([]string{TypeExecute, TypeInterrupt, TypePing, TypeEnd}).Draw(t, "type"),
					Calculation: rapid.String().Draw(t, "calculation"),
					Code:        rapid.String().Draw(t, "code"),
					Process:     rapid.String().Draw(t, "process"),
					N:           rapid.Int64().Draw(t, "n"),
				}
			})).Draw(t, "sent")
			var stream bytes.Buffer
			for _, c := range sent {
				if err := WriteFrame(&stream, c); err != nil {
					t.Fatal(err)
				}
			}
			r := bufio.NewReader(&stream)
			for _, want := range sent {
				frame, err := ReadFrame(r)
				if err != nil {
					t.Fatal(err)
				}
				var got Command
				if err := json.Unmarshal(frame, &got); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("got %#v, want %#v", got, want)
				}
			}
			if _, err := ReadFrame(r); err != io.EOF {
				t.Fatalf("after the last frame: %v", err)
			}
		})
	})

	t.Run("too large a frame is not written", func(t *testing.T) {
		var stream bytes.Buffer
		err := WriteFrame(&stream, Execute("c", strings.Repeat("x", MaxFrame)))
		if _, ok := errors.AsType[*FrameError](err); !ok || stream.Len() != 0 {
			t.Fatalf("%v, %d bytes written", err, stream.Len())
		}
	})

	t.Run("too large a frame is refused before its body comes", func(t *testing.T) {
		head := binary.BigEndian.AppendUint32(nil, MaxFrame+1)
		_, err := ReadFrame(bufio.NewReader(bytes.NewReader(head)))
		if _, ok := errors.AsType[*FrameError](err); !ok {
			t.Fatalf("%v", err)
		}
	})

	t.Run("a stream cut within a frame", func(t *testing.T) {
		var stream bytes.Buffer
		if err := WriteFrame(&stream, Ping(ProcessKernel, 7)); err != nil {
			t.Fatal(err)
		}
		for size := 1; size < stream.Len(); size++ {
			_, err := ReadFrame(bufio.NewReader(bytes.NewReader(stream.Bytes()[:size])))
			if err != io.ErrUnexpectedEOF {
				t.Fatalf("after %d bytes: %v", size, err)
			}
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x0f{\"type\":\"ping\"}"))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x02[]"))
	f.Add([]byte("\x00\x00\x00\x01{"))
	f.Add([]byte("\xff\xff\xff\xff{}"))
	f.Add([]byte("\x04\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReader(bytes.NewReader(stream))
		for {
			frame, err := ReadFrame(r)
			if err != nil {
				return
			}
			var object map[string]any
			if err := json.Unmarshal(frame, &object); err != nil {
				t.Fatalf("read %q: %v", frame, err)
			}
		}
	})
}
