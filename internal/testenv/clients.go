package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// clients are the AWS clients that the conformance tests drive the server
// with. botocore is pinned because its model and its signing are the oracle.
var clients = []string{"boto3==1.43.11", "botocore==1.43.11", "awscli==1.45.11", "PyAthena==3.40.0"}

// Clients are AWS's own tools and a library that uses them.
type Clients struct {
	Python string // a Python with boto3 and PyAthena
	Bin    string // the folder with `aws`
}

// PythonClients installs the clients from PyPI into the user's cache, once for
// all packages and runs.
func PythonClients(t testing.TB) Clients {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	python, err := clientPython()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(python + " " + strings.Join(clients, " ")))
	dir := filepath.Join(cache, "hearth-test", "clients-"+hex.EncodeToString(sum[:6]))
	if err := once(dir, func() error {
		if err := run(python, "-m", "venv", dir); err != nil {
			return err
		}
		pip := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check"}
		return run(filepath.Join(dir, "bin", "python"), append(pip, clients...)...)
	}); err != nil {
		t.Fatalf("installing %s: %v", strings.Join(clients, ", "), err)
	}
	return Clients{Python: filepath.Join(dir, "bin", "python"), Bin: filepath.Join(dir, "bin")}
}

// clientPython finds a Python that the clients run on: 3.10 or newer.
func clientPython() (string, error) {
	for _, name := range []string{"python3", "python3.13", "python3.12", "python3.11", "python3.10"} {
		found, err := exec.Command(name, "-c", "import sys; assert sys.version_info >= (3, 10); print(sys.executable)").Output()
		if err == nil {
			return strings.TrimSpace(string(found)), nil
		}
	}
	return "", errors.New("the AWS clients need Python 3.10 or newer, and none is on the PATH: install one, for example python3.11")
}

// once makes dir by calling install, unless an earlier call has completed it.
// Test processes wait for one another; what an interrupted one left is
// removed first.
func once(dir string, install func() error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := install(); err != nil {
		return err
	}
	return os.WriteFile(complete, nil, 0o644)
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
