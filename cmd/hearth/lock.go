package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
)

// dataLock is held by the one server of a data directory. It goes with the
// process, however that ends.
type dataLock struct{ file *os.File }

// heldError says who holds the lock of a data directory.
type heldError struct{ dir, holder string }

func (e heldError) Error() string {
	return fmt.Sprintf("%s serves %s already. Stop it first, or choose another directory with --data.", e.holder, e.dir)
}

// lockPatience is how long a server that is gone may still hold the lock: when
// it was killed while it started a driver, its child has the lock, and the
// address, until it has become another program.
const lockPatience = 5 * time.Second

// lockData takes the lock of a data directory or returns a heldError. holder
// says who we are to whoever comes next.
func lockData(at home, holder string) (*dataLock, error) {
	file, err := os.OpenFile(at.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The data directory cannot be written: %w.", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(5 * time.Millisecond) {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || !holderGone(at) || time.Now().After(deadline) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer file.Close()
		return nil, heldError{string(at), readHolder(at)}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("locking %s: %w", file.Name(), err)
	}
	if err := file.Truncate(0); err == nil {
		fmt.Fprintf(file, "%s (process %d)\n", holder, os.Getpid())
	}
	return &dataLock{file}, nil
}

func readHolder(at home) string {
	content, err := os.ReadFile(at.lockFile())
	holder := strings.TrimSpace(string(content))
	if err != nil || holder == "" {
		return "Another server"
	}
	return holder
}

// holderGone reports whether the lock names a process that is not there.
func holderGone(at home) bool {
	_, process, found := strings.Cut(readHolder(at), "(process ")
	pid, err := strconv.Atoi(strings.TrimSuffix(process, ")"))
	return found && err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// lockHolder names who has the lock of a data directory, and is "" when nobody
// has, or that cannot be told.
func lockHolder(at home) string {
	file, err := os.Open(at.lockFile())
	if err != nil {
		return ""
	}
	defer file.Close() // and with it the lock, if it was free
	if err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return ""
	}
	return readHolder(at)
}

func (l *dataLock) release() { l.file.Close() }
