package driver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/kernel"
	"hearth/internal/shim"
)

// TestDriver_OfOlderHearth has a shim that speaks as those did that knew neither
// Spark Connect nor Spark's pages.
func TestDriver_OfOlderHearth(t *testing.T) {
	dir := t.TempDir()
	bundle := filepath.Join(dir, "one")
	launch, err := os.ReadFile(filepath.Join("testdata", "bundle-1-spark", shim.LaunchFile))
	if err == nil {
		err = os.Mkdir(bundle, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(bundle, shim.LaunchFile), launch, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(bundle, shim.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(bundle, shim.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			olderShim(conn)
		}
	}()
	defer func() { listener.Close(); <-served }()

	d, adoption, err := driver.New(config(dir, "python3")).Recover(t.Context(), "one")
	if err != nil || adoption != hearth.Alive {
		t.Fatalf("it is %q (%v)", adoption, err)
	}
	for what, ask := range map[string]func(context.Context) (hearth.Endpoint, error){"Spark Connect": d.Connect, "the Spark UI": d.UI} {
		want := "The driver of session one does not give " + what + ": it was started by an older Hearth, which knew none. Start another session."
		if _, err := ask(t.Context()); hearth.KindOf(err) != hearth.KindUnavailable || hearth.MessageOf(err) != want {
			t.Errorf("it is refused with %v", err)
		}
	}
}

func olderShim(conn net.Conn) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		frame, err := kernel.ReadFrame(in)
		var m shim.Message
		if err != nil || json.Unmarshal(frame, &m) != nil {
			return
		}
		answer := map[string]any{"type": "welcome", "protocol": 1, "pid": os.Getpid()}
		if m.Type == shim.MessageRequest {
			answer = map[string]any{"type": "reply", "id": m.ID, "error": fmt.Sprintf("the driver does not know how to %q", m.Op)}
		}
		if kernel.WriteFrame(conn, answer) != nil {
			return
		}
	}
}
