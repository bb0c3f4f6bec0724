package driver

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/internal/kernel"
	"hearth/internal/shim"
)

// lastWords is the connection of a shim that tells its exit and leaves in the
// moment in which it is asked whether it lives.
type lastWords struct {
	net.Conn
	asked bool
	words bytes.Buffer
}

func (l *lastWords) SetReadDeadline(time.Time) error  { return nil }
func (l *lastWords) SetWriteDeadline(time.Time) error { return nil }

func (l *lastWords) Read(p []byte) (int, error) {
	if !l.asked {
		return 0, os.ErrDeadlineExceeded
	}
	return l.words.Read(p)
}

func (l *lastWords) Write([]byte) (int, error) {
	l.asked = true
	return 0, syscall.EPIPE
}

func TestHear(t *testing.T) {
	t.Run("takes what a shim told before it could not be asked", func(t *testing.T) {
		conn := &lastWords{}
		exit := shim.Event{Type: shim.EventExited, Cause: shim.CauseFault, Reason: "somebody has removed its file"}
		if err := kernel.WriteFrame(&conn.words, shim.Message{Type: shim.MessageEvent, Next: 7, Event: &exit}); err != nil {
			t.Fatal(err)
		}
		var told []hearth.DriverEvent
		f := &following{told: answering, handle: func(e hearth.DriverEvent) error {
			told = append(told, e)
			return nil
		}}
		d := &driver{config: &Config{LostAfter: time.Minute}}
		if err := d.hear(&connection{Conn: conn, in: bufio.NewReader(conn)}, f); err != nil || len(told) != 1 || told[0].Reason != exit.Reason || f.offset != 7 {
			t.Errorf("told %+v, %v", told, err)
		}
	})

	t.Run("ends with a connection that says nothing more", func(t *testing.T) {
		conn := &lastWords{}
		d := &driver{config: &Config{LostAfter: time.Minute}}
		if err := d.hear(&connection{Conn: conn, in: bufio.NewReader(conn)}, &following{told: answering}); err == nil {
			t.Error("it is believed to have told its exit")
		}
	})
}
