package spark

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"hearth"
	"hearth/internal/metastore"
	"hearth/internal/shim"
)

// Archive is a file of classes in the form that the JVM has in memory: a driver
// with it starts in about half the time. It fits one build of Java and one class
// path; the JVM loads the classes as ever when it does not fit.
type Archive struct {
	File    string `json:"file"`    // "" when it could not be made
	Size    int64  `json:"size"`    // in bytes
	Problem string `json:"problem"` // why there is none
}

// whole reports whether the file is there as it was made: with a part of one
// Java crashes.
func (a Archive) whole() bool {
	info, err := os.Stat(a.File)
	return err == nil && info.Size() == a.Size
}

//go:embed first_start.py
var firstStart []byte

const (
	archiveFile       = "classes.jsa"
	firstStartFile    = "first_start.py"
	firstArchiveJava  = 13 // the first Java that writes an archive when it exits
	firstStartTimeout = 10 * time.Minute
)

// firstStart proves that Spark runs on this Python and this Java, and makes the
// archive of the classes that it needs. Without an archive the engine works,
// and starts slower.
func (i *installation) firstStart(ctx context.Context) error {
	i.engine.Archive = Archive{}
	if err := os.Remove(i.newArchive()); err != nil && !os.IsNotExist(err) {
		return err
	}
	if i.engine.Java.feature() < firstArchiveJava {
		i.engine.Archive.Problem = fmt.Sprintf("Java %s cannot make one; Java 17 can", i.engine.Java.Version)
		return i.start(ctx)
	}
	archive, err := i.archiveClasses(ctx)
	if err == nil {
		i.engine.Archive = archive
		return nil
	}
	i.engine.Archive.Problem = err.Error()
	if err := os.Remove(i.newArchive()); err != nil && !os.IsNotExist(err) {
		return err
	}
	return i.start(ctx)
}

// newArchive is where an archive is made. It gets the place of the one before,
// which drivers start with, when it is complete.
func (i *installation) newArchive() string { return filepath.Join(i.dir, archiveFile+".new") }

func (i *installation) archiveClasses(ctx context.Context) (Archive, error) {
	file := i.newArchive()
	if err := i.start(ctx, "-XX:ArchiveClassesAtExit="+file, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"); err != nil {
		return Archive{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return Archive{}, err
	}
	archive := Archive{File: file, Size: info.Size()}
	err = i.engine.maps(ctx, archive)
	archive.File = filepath.Join(i.dir, archiveFile)
	return archive, err
}

// start runs a driver's processes once, with more options for the JVM.
func (i *installation) start(ctx context.Context, options ...string) error {
	ctx, cancel := context.WithTimeout(ctx, firstStartTimeout)
	defer cancel()
	bundle, err := os.MkdirTemp(i.dir, "first-start-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bundle)
	catalog, environment, err := trialCatalog(ctx, bundle)
	if err != nil {
		return err
	}
	defer catalog.Close()
	trial := *i.engine
	trial.warehouse = "file:" + filepath.Join(bundle, "warehouse")
	trial.eventLogs = true // their classes are in the archive, too
	kernel, jvm, err := trial.Processes(hearth.Launch{SessionID: "first-start", Master: "local[2]", WorkingDirectory: bundle}, bundle, Store{})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bundle, firstStartFile), firstStart, 0o600); err != nil {
		return err
	}
	kernel.Argv[1] = filepath.Join(bundle, firstStartFile)
	jvm.Env = append(jvm.Env, environment...)
	jvm.Argv = append([]string{jvm.Argv[0]}, append(options, jvm.Argv[1:]...)...)
	said, javaSaid, err := runBoth(ctx, kernel, *jvm)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("its first start took too long: %w", ctx.Err())
	case err != nil:
		log, _ := os.ReadFile(filepath.Join(bundle, shim.LogFile)) // absent when the JVM did not get that far
		return fmt.Errorf("it does not start with Python %s and Java %s (%w): %s", i.engine.Python.Version, i.engine.Java.Version, err, lastLines(string(log)+javaSaid+said, 6))
	}
	return nil
}

// trialCatalog serves a catalog of the first start's own, so that the classes of
// a catalog's client are loaded too.
func trialCatalog(ctx context.Context, bundle string) (*metastore.Server, []string, error) {
	path := filepath.Join(bundle, "catalog.db")
	if err := metastore.Create(ctx, path); err != nil {
		return nil, nil, err
	}
	return metastore.Serve(path, bundle, files{}, slog.New(slog.DiscardHandler))
}

// files are those of tables of the first start.
type files struct{}

func local(uri string) string { return strings.TrimPrefix(uri, "file:") }

func (files) Make(_ context.Context, path string) error   { return os.MkdirAll(local(path), 0o700) }
func (files) Delete(_ context.Context, path string) error { return os.RemoveAll(local(path)) }
func (files) Rename(_ context.Context, from, to string) error {
	return os.Rename(local(from), local(to))
}

// runBoth runs a kernel until it ends, and its JVM as long.
func runBoth(ctx context.Context, kernel, jvm shim.Process) (kernelSaid, javaSaid string, err error) {
	var said bytes.Buffer
	java := command(ctx, jvm)
	java.Stdout, java.Stderr = &said, &said
	stdin, err := java.StdinPipe()
	if err != nil {
		return "", "", err
	}
	if err := java.Start(); err != nil {
		return "", "", err
	}
	kernelCtx, endKernel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- java.Wait()
		endKernel() // it may wait for a JVM that is no more
	}()
	out, kernelErr := command(kernelCtx, kernel).CombinedOutput()
	stdin.Close() // ends the JVM
	javaErr := <-ended
	switch {
	case javaErr != nil:
		err = fmt.Errorf("Java: %w", javaErr)
	case kernelErr != nil:
		err = fmt.Errorf("Python: %w", kernelErr)
	}
	return string(out), said.String(), err
}

func command(ctx context.Context, p shim.Process) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Env, cmd.Dir = p.Env, p.Dir
	asGroup(cmd)
	return cmd
}

// maps asks the JVM whether it takes an archive with this engine's class path.
func (e *Engine) maps(ctx context.Context, archive Archive) error {
	trial := *e
	trial.Archive = archive
	argv := trial.javaCommand(map[string]string{"spark.driver.memory": trial.heap()}, os.TempDir())
	for n, argument := range argv {
		if argument == "-cp" {
			argv = append(argv[:n+2:n+2], "-version")
			break
		}
	}
	out, err := exec.CommandContext(ctx, argv[0], append([]string{"-Xlog:cds=info", "-Xlog:cds+dynamic=info"}, argv[1:]...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("Java cannot read the archive: %w: %s", err, lastLines(string(out), 3))
	}
	if !bytes.Contains(out, []byte("Mapped dynamic")) {
		return fmt.Errorf("Java does not take the archive: %s", lastLines(string(out), 8))
	}
	return nil
}
