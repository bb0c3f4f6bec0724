package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestMark(t *testing.T) {
	built := time.Date(2026, 11, 23, 6, 7, 8, 9, time.UTC)
	program := func(name, text string, at time.Time) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first := mark(program("hearth", "old", built))
	for name, other := range map[string]string{
		"built later":  program("hearth", "new", built.Add(time.Millisecond)),
		"of a length":  program("hearth", "longer", built),
		"that is gone": filepath.Join(t.TempDir(), "hearth"),
	} {
		t.Run("tells a program "+name, func(t *testing.T) {
			if got := mark(other); got == first {
				t.Errorf("it has the same mark, %q", got)
			}
		})
	}
	t.Run("is the same of a copy that keeps its time, and of what runs", func(t *testing.T) {
		if got := mark(program("copy", "old", built)); got != first {
			t.Errorf("it is %q, and was %q", got, first)
		}
		if mark(self()) == "" {
			t.Error("the program that runs has none")
		}
	})
}

// TestHandedOn is about what tells drivers of servers apart that were started in
// different ways.
func TestHandedOn(t *testing.T) {
	after := func(command string) string {
		t.Helper()
		told, err := exec.Command("/bin/sh", "-c", command+" exec handed-on").Output()
		if err != nil || len(told) == 0 {
			t.Fatalf("%s: %q (%v)", command, told, err)
		}
		return string(told)
	}
	usual := after("umask 022;")
	if again := after("umask 022;"); again != usual {
		t.Errorf("it is not the same twice: %s\n%s", usual, again)
	}
	for _, command := range []string{"umask 077;", "ulimit -S -n 100;", "ulimit -n 100;", "ulimit -c 0; ulimit -s 1024;"} {
		if after("umask 022; "+command) == usual {
			t.Errorf("%s makes no difference", command)
		}
	}
}
