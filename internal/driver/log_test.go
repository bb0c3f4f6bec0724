package driver_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"hearth"
)

// between writes to standard output while no calculation runs, as soon as the
// file "go" is there.
const between = `
import os, threading, time
def later():
    while not os.path.exists('go'): time.sleep(.01)
    os.write(1, b'between calculations\n')
threading.Thread(target=later, daemon=True).start()`

func TestDrivers_Log(t *testing.T) {
	b := newBench(t, nil)
	const id = "one"
	if _, err := b.Log(t.Context(), id, 0, true); hearth.KindOf(err) != hearth.KindNotFound {
		t.Errorf("before there is a driver: %v", err)
	}
	d, story := b.launch(hearth.Launch{SessionID: id})
	open := func(offset int64, follow bool) io.ReadCloser {
		t.Helper()
		content, err := b.Log(t.Context(), id, offset, follow)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	all := func(offset int64, follow bool) string {
		t.Helper()
		content := open(offset, follow)
		text, err := io.ReadAll(content)
		if err = errors.Join(err, content.Close()); err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	t.Run("as it is now, from an offset on", func(t *testing.T) {
		whole := all(0, false)
		if !strings.Contains(whole, "the driver's processes run") {
			t.Errorf("%q", whole)
		}
		if got := all(10, false); got != whole[10:] {
			t.Errorf("%q", got)
		}
		if got := all(1<<40, false); got != "" {
			t.Errorf("past its end: %q", got)
		}
	})
	t.Run("a reader that leaves is let go", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		content, err := b.Log(ctx, id, 1<<40, true)
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		read := make(chan error)
		go func() { _, err := content.Read(make([]byte, 1)); read <- err }()
		cancel()
		if err := <-read; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("a log that is closed is not complete", func(t *testing.T) {
		content := open(1<<40, true)
		read := make(chan error)
		go func() { _, err := content.Read(make([]byte, 1)); read <- err }()
		if err := content.Close(); err != nil {
			t.Error(err)
		}
		if err := <-read; !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})

	followed := open(0, true)
	defer followed.Close()
	lines := bufio.NewReader(followed)
	await := func(text string) {
		t.Helper()
		for line := ""; !strings.Contains(line, text); {
			var err error
			if line, err = lines.ReadString('\n'); err != nil {
				t.Fatalf("%q never came: %v", text, err)
			}
		}
	}
	t.Run("what is written while no calculation runs", func(t *testing.T) {
		await("the driver's processes run")
		b.run(d, story, between)
		if err := os.WriteFile(b.path(id, "work", "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		await("between calculations")
	})
	t.Run("is whole when the exit is told, and ends then", func(t *testing.T) {
		if err := d.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		story.await(hearth.DriverExited)
		whole := all(0, false)
		if last := whole[strings.LastIndexByte(strings.TrimSpace(whole), '\n')+1:]; !strings.Contains(last, "the driver has ended") {
			t.Errorf("its last line is %q", last)
		}
		await("the driver has ended")
		if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
			t.Errorf("it goes on with %q, %v", rest, err)
		}
		if got := all(0, true); got != whole {
			t.Errorf("followed after the end: %q, and it is %q", got, whole)
		}
	})
}

func TestDrivers_Log_killed(t *testing.T) {
	b := newBench(t, nil)
	_, story := b.launch(hearth.Launch{SessionID: "one"})
	content, err := b.Log(t.Context(), "one", 0, true)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if err := syscall.Kill(b.identity("one").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(content); err != nil || !strings.Contains(string(text), "the driver's processes run") {
		t.Errorf("%q, %v", text, err)
	}
	story.await(hearth.DriverExited)
}
