package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody calls Open without the rights of root, whom no permission stops.
func asNobody(path string) error {
	attempt := func() error {
		store, err := Open(path)
		if err == nil {
			store.Close()
		}
		return err
	}
	if os.Geteuid() != 0 {
		return attempt()
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		const nobody = 65534
		syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0) // of this thread only
		result <- attempt()
	}()
	return <-result
}

func TestOpen_Permissions(t *testing.T) {
	for name, c := range map[string]struct {
		directory, file os.FileMode // no file when 0
		words           string
	}{
		"a directory that cannot be written, without a file": {directory: 0o555, words: "cannot be opened"},
		"a directory that cannot be written, with a file":    {directory: 0o555, file: 0o666, words: "cannot be written"},
		"a file that cannot be written":                      {directory: 0o777, file: 0o444, words: "cannot be opened"},
		"a directory that cannot be entered":                 {directory: 0o600, file: 0o666, words: "cannot be opened"},
	} {
		t.Run(name, func(t *testing.T) {
			path := database(t)
			if c.file != 0 {
				closed(t, mustOpen(t, path))
				chmod(t, path, c.file)
			}
			directory := filepath.Dir(path)
			chmod(t, filepath.Dir(directory), 0o755)
			chmod(t, directory, c.directory)
			t.Cleanup(func() { os.Chmod(directory, 0o755) }) // so that the owner can remove it
			unavailable(t, asNobody(path), path, c.words)
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
