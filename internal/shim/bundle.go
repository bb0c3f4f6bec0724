package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"hearth/internal/kernel"
)

// Names of a bundle's files. A bundle is the directory of one driver.
const (
	LaunchFile   = "launch.json" // Launch: what was asked for; there before any process is
	LockFile     = "lock"        // locked by the shim as long as it lives; has its Identity
	IdentityFile = "shim.json"   // Identity: there as soon as the driver's processes are
	SocketName   = "socket"      // where the shim listens
	JournalFile  = "journal"     // Events, one a line
	ExitFile     = "exit.json"   // the Event of the exit; there when nothing of the driver runs any more
	LogFile      = "driver.log"  // Spark's log, the shim's own, and what was written while no calculation ran

	KernelFile   = kernel.ProgramFile // the kernel's program, as it was when the driver was launched
	GatewayFile  = "gateway"          // where Java listens for the kernel; Spark writes it
	WorkDir      = "work"             // where relative paths of the code start, unless the session says otherwise
	EventsDir    = "events"           // what Spark's history server shows of the driver when it has ended
	TemporaryDir = "temporary"        // goes when the driver has ended, also when it had no time to clean up

	ballastFile     = "ballast"
	calculationsDir = "calculations"
)

// Names of a calculation's files.
const (
	CodeFile    = "code.py"
	StdoutFile  = "stdout"
	StderrFile  = "stderr"
	OutputsFile = "outputs.jsonl" // what the code displayed, as it came
	ResultFile  = "result.json"   // Result; there as soon as the calculation has finished
)

// CalculationDir gives the directory of a calculation's files. It refuses an
// id that is no plain name.
func CalculationDir(bundle, calculation string) (string, error) {
	if calculation == "" || calculation[0] == '.' || calculation != filepath.Base(calculation) {
		return "", fmt.Errorf("%q is no id of a calculation", calculation)
	}
	return filepath.Join(bundle, calculationsDir, calculation), nil
}

// Save writes value as JSON to the named file of the bundle: wholly or not at
// all, and on disk when it returns.
func Save(bundle, name string, value any) error {
	if err := write(bundle, name, value, true); err != nil {
		return err
	}
	return SyncDir(bundle)
}

func write(bundle, name string, value any, sync bool) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	path := filepath.Join(bundle, name)
	f, err := create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(append(content, '\n'))
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// create makes a file anew, whatever was there: the code of a session can put
// what it likes into its bundle, and a pipe would keep whoever opens it waiting.
func create(path string) (*os.File, error) {
	if err := os.RemoveAll(path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Open opens a file of a bundle for reading. What is no file, like a pipe that
// the code of a session has put in its place, is not there (fs.ErrNotExist).
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// syncFile puts what the named file of the bundle has, and its name, on disk.
func syncFile(bundle, name string) error {
	f, err := Open(filepath.Join(bundle, name))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), SyncDir(bundle))
}

// SyncDir puts the names in a directory on disk.
func SyncDir(path string) error {
	d, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // the code of a session may have put a pipe there
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Load reads a file that Save wrote. It reports false when there is none, or
// only what a power failure or somebody else left of one.
func Load(bundle, name string, value any) (bool, error) {
	const most = 16 << 20 // what is longer is none of ours
	f, err := Open(filepath.Join(bundle, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		var content []byte
		content, err = io.ReadAll(io.LimitReader(f, most))
		if err = errors.Join(err, f.Close()); err == nil {
			err = json.Unmarshal(content, value)
		}
	}
	_, torn := errors.AsType[*json.SyntaxError](err)
	_, other := errors.AsType[*json.UnmarshalTypeError](err)
	if torn || other {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", filepath.Join(bundle, name), err)
	}
	return true, nil
}

// Clear removes what a shim that was killed could not.
func Clear(bundle string) error {
	err := errors.Join(
		os.RemoveAll(filepath.Join(bundle, TemporaryDir)),
		os.RemoveAll(filepath.Join(bundle, SocketName)),
		os.RemoveAll(filepath.Join(bundle, ballastFile)),
	)
	half, _ := filepath.Glob(filepath.Join(bundle, "*.new")) // its only error is of the pattern
	for _, path := range half {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// Locked reports whether a shim has the bundle.
func Locked(bundle string) (bool, error) {
	f, err := os.Open(filepath.Join(bundle, LockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() // and with it the lock, if it was free
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
