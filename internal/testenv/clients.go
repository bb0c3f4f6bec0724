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
var clients = []string{"boto3==1.43.11", "botocore==1.43.11", "awscli==1.45.11", "PyAthena==3.40.0", "awswrangler==3.17.1"}

// dbtAthena is dbt with its Athena adapter, which cannot be beside PyAthena's
// newest. Later releases of dbt-core than this line get a part of theirs from
// elsewhere than the package index.
var dbtAthena = []string{"dbt-athena==1.11.1", "dbt-core==1.11.16", "boto3==1.43.11", "botocore==1.43.11"}

// Clients are AWS's own tools and libraries that use them.
type Clients struct {
	Python string // a Python that has the libraries
	Bin    string // the folder with the programs, such as `aws`
}

// PythonClients installs the clients from PyPI into the user's cache, once for
// all packages and runs.
func PythonClients(t testing.TB) Clients {
	t.Helper()
	bin := filepath.Join(virtualEnvironment(t, clients), "bin")
	return Clients{Python: filepath.Join(bin, "python"), Bin: bin}
}

// DBT installs dbt in the manner of PythonClients, and gives a Python that has
// it and the folder with `dbt`.
func DBT(t testing.TB) Clients {
	t.Helper()
	bin := filepath.Join(virtualEnvironment(t, dbtAthena), "bin")
	return Clients{Python: filepath.Join(bin, "python"), Bin: bin}
}

// Spark's own clients of Spark Connect, with what they ask for. The first has
// boto3, with which programs find a session to connect to. The second is the same
// code as pyspark[connect] of its version, without the 400 MB of jars.
var (
	connectClient   = []string{"pyspark[connect]==3.5.7", "numpy<2", "pandas<3", "pyarrow<20", "setuptools<80", "boto3==1.43.11", "botocore==1.43.11"}
	connectClient41 = []string{"pyspark-client==4.1.2", "pandas<3", "pyarrow<23"}
)

// ConnectClient installs Spark's client in the manner of PythonClients, and gives
// a Python that has it: of the engine's version, as functions that travel need it.
func ConnectClient(t testing.TB) string {
	t.Helper()
	return filepath.Join(environmentOf(t, Python(t), connectClient), "bin", "python")
}

// ConnectClient41 is ConnectClient of Spark 4.1.
func ConnectClient41(t testing.TB) string {
	t.Helper()
	return filepath.Join(environmentOf(t, Spark41(t).Python.Program, connectClient41), "bin", "python")
}

// virtualEnvironment makes a folder with a Python that has the packages.
func virtualEnvironment(t testing.TB, packages []string) string {
	t.Helper()
	python, err := clientPython()
	if err != nil {
		t.Fatal(err)
	}
	return environmentOf(t, python, packages)
}

func environmentOf(t testing.TB, python string, packages []string) string {
	t.Helper()
	dir := cached(t, "clients", python+" "+strings.Join(packages, " "))
	if err := once(dir, func() error {
		if err := run(python, "-m", "venv", dir); err != nil {
			return err
		}
		pip := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check"}
		return run(filepath.Join(dir, "bin", "python"), append(pip, packages...)...)
	}); err != nil {
		t.Fatalf("installing %s: %v", strings.Join(packages, ", "), err)
	}
	return dir
}

// cached names a folder in the user's cache for what is installed from a
// description.
func cached(t testing.TB, name, description string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(description))
	return filepath.Join(cache, "hearth-test", name+"-"+hex.EncodeToString(sum[:6]))
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

func run(name string, args ...string) error { return runIn("", name, args...) }

func runIn(dir, name string, args ...string) error {
	command := exec.Command(name, args...)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
