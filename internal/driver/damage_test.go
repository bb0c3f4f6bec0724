package driver_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
)

// damages are what a file of a bundle may become: nil removes it.
var damages = map[string][]byte{
	"removed": nil, "empty": {}, "no text": []byte("\x00\x01{"), "another's": []byte("[]\n"), "without a word": []byte("{}\n"),
	pipe: []byte(pipe),
}

// pipe stands for one, which nobody ever writes to.
const pipe = "a pipe"

func damage(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.Remove(path)
	switch {
	case string(content) == pipe:
		err = syscall.Mkfifo(path, 0o600)
	case content != nil:
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever somebody did to the files of a driver, its session ends, and says why.
func TestDrivers_Recover_Damaged(t *testing.T) {
	late := func(c *driver.Config) { c.Heartbeat = time.Hour } // the shim is not to notice by itself
	for name, content := range damages {
		t.Run("launch.json of a driver that lives is "+name, func(t *testing.T) {
			b := newBench(t, late)
			d, story := b.launch(hearth.Launch{SessionID: "one"})
			id := b.execute(d, "import time\ntime.sleep(1000)")
			started := story.await(hearth.CalculationStarted)
			story.leave() // one server at a time clears up
			damage(t, b.path("one", shim.LaunchFile), content)
			found, adoption, err := b.Recover(t.Context(), "one")
			if err != nil || adoption != hearth.ExitedAway {
				t.Fatalf("it is found %q, %v", adoption, err)
			}
			if left := inSession(t, b.identity("one").PID); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
			e := b.follow(found, started.Offset).await(hearth.DriverExited)
			if e.Exit != hearth.ExitFault || e.CalculationID != id || !strings.Contains(e.Reason, "launch.json was damaged") {
				t.Errorf("its exit is %+v", e)
			}
		})
		t.Run("shim.json of a driver that lives is "+name, func(t *testing.T) {
			b := newBench(t, late)
			_, story := b.launch(hearth.Launch{SessionID: "one"})
			damage(t, b.path("one", shim.IdentityFile), content)
			found, adoption, err := b.Recover(t.Context(), "one")
			if err != nil || adoption != hearth.Alive {
				t.Fatalf("it is found %q, %v", adoption, err)
			}
			if _, end := b.run(found, story, "1"); end.Outcome != hearth.OutcomeOK {
				t.Errorf("its code ends with %+v", end)
			}
		})
		for _, file := range []string{shim.LaunchFile, shim.ExitFile} {
			t.Run(file+" of a driver that was killed is "+name, func(t *testing.T) {
				b := newBench(t, late)
				d, story := b.launch(hearth.Launch{SessionID: "one"})
				id, _ := b.run(d, story, "print('kept')")
				story.leave()
				if err := syscall.Kill(b.identity("one").PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				b.shimEnds("one")
				if err := os.WriteFile(b.path("one", shim.ExitFile), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				damage(t, b.path("one", file), content)
				found, adoption, err := b.Recover(t.Context(), "one")
				if err != nil || adoption != hearth.Gone {
					t.Fatalf("it is found %q, %v", adoption, err)
				}
				again := b.follow(found, 0)
				if e := again.await(hearth.CalculationEnded); e.CalculationID != id || e.Outcome != hearth.OutcomeOK {
					t.Errorf("what had ended did so with %+v", e)
				}
				if e := again.await(hearth.DriverExited); e.Exit != hearth.ExitFault || !strings.Contains(e.Reason, "was killed") {
					t.Errorf("its exit is %+v", e)
				}
			})
		}
	}
	t.Run("the files of a calculation are no files", func(t *testing.T) {
		b := newBench(t, late)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id := b.execute(d, `import os
os.chdir("../calculations/" + os.listdir("../calculations")[0])
os.remove("stdout"); os.remove("stderr")
os.mkfifo("stdout"); os.mkdir("stderr"); os.mkfifo("result.json.new")`)
		story.await(hearth.CalculationEnded)
		for _, stream := range []hearth.Stream{hearth.Stdout, hearth.Stderr} {
			if _, err := d.Output(t.Context(), id, stream, 0); hearth.KindOf(err) != hearth.KindNotFound {
				t.Errorf("%s: %v", stream, err)
			}
		}
		result, err := d.Result(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := result.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("the journal never ends", func(t *testing.T) {
		b := newBench(t, late)
		b.launch(hearth.Launch{SessionID: "one"})
		if err := syscall.Kill(b.identity("one").PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		b.shimEnds("one")
		if err := os.Truncate(b.path("one", shim.JournalFile), 1<<40); err != nil { // a hole; to read it takes hours
			t.Fatal(err)
		}
		found, adoption, err := b.Recover(t.Context(), "one")
		if err != nil || adoption != hearth.Gone {
			t.Fatalf("it is found %q, %v", adoption, err)
		}
		if e := b.follow(found, 0).await(hearth.DriverExited); !strings.Contains(e.Reason, "was killed") {
			t.Errorf("its exit is %+v", e)
		}
	})
}

// A driver whose files somebody removes or cuts ends by itself, since no server
// could reach it or learn what it did.
func TestDrivers_FilesRemoved(t *testing.T) {
	often := func(c *driver.Config) { c.Heartbeat = 50 * time.Millisecond }
	t.Run("all", func(t *testing.T) {
		b := newBench(t, often)
		_, story := b.launch(hearth.Launch{SessionID: "one"})
		shimID := b.identity("one").PID
		// At once: in the middle of a removal the driver would go on to write there.
		if err := os.Rename(b.path("one"), filepath.Join(t.TempDir(), "removed")); err != nil {
			t.Fatal(err)
		}
		if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitFault || !strings.Contains(e.Reason, "somebody has removed its file") {
			t.Errorf("its exit is %+v", e)
		}
		eventually(t, "no process is left", func() bool { return len(inSession(t, shimID)) == 0 })
	})
	for _, file := range []string{shim.LaunchFile, shim.LockFile, shim.SocketName, shim.JournalFile} {
		t.Run(file, func(t *testing.T) {
			b := newBench(t, often)
			_, story := b.launch(hearth.Launch{SessionID: "one"})
			shimID := b.identity("one").PID
			damage(t, b.path("one", file), nil)
			if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitFault || !strings.Contains(e.Reason, "somebody has removed its file "+file) {
				t.Errorf("its exit is %+v", e)
			}
			eventually(t, "no process is left", func() bool { return len(inSession(t, shimID)) == 0 })
		})
	}
	t.Run("the journal is cut", func(t *testing.T) {
		b := newBench(t, nil)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		if err := os.Truncate(b.path("one", shim.JournalFile), 10); err != nil {
			t.Fatal(err)
		}
		if err := d.Execute(t.Context(), hearth.NewID(time.Now()), "1"); err == nil {
			t.Error("code is taken")
		}
		if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitFault || !strings.Contains(e.Reason, "somebody has cut it") {
			t.Errorf("its exit is %+v", e)
		}
	})
}
