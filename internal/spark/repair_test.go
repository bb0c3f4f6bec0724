package spark

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth"
)

// update gives a Java another build.
func update(t testing.TB, j Java) {
	t.Helper()
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(j.Program, later, later); err != nil {
		t.Fatal(err)
	}
}

func move(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// kept reads what drivers start with, the same as long as nobody touches it.
func (f *factory) kept() string {
	f.t.Helper()
	var all strings.Builder
	for _, name := range []string{engineFile, archiveFile} {
		content, err := os.ReadFile(filepath.Join(f.Dir, DefaultVersion, name))
		if err != nil {
			f.t.Fatal(err)
		}
		all.Write(content)
	}
	return all.String()
}

// archived reports whether drivers of the engine that is found get an archive.
func (f *factory) archived() bool {
	f.t.Helper()
	engine, err := f.Find(DefaultVersion)
	if err != nil {
		f.t.Fatal(err)
	}
	_, jvm := processes(f.t, engine, hearth.Launch{SessionID: "s-1", Master: "local[1]"}, f.t.TempDir())
	return slices.Contains(jvm.Argv, "-XX:SharedArchiveFile="+filepath.Join(f.Dir, DefaultVersion, archiveFile))
}

func TestEngines_Install_Repair(t *testing.T) {
	t.Run("of another Java leaves Python and Spark alone", func(t *testing.T) {
		f := newFactory(t)
		made := f.mustInstall(nil)
		move(t, filepath.Dir(filepath.Dir(made.Java.Program)), filepath.Join(f.dir, "gone"))
		f.Java = f.java("other")
		pips, steps := f.ran("-m pip"), 0
		repaired := f.mustInstall(func(r Report) { steps = max(steps, r.Steps) })
		if repaired.Java.Program != f.Java || f.ran("-m pip") != pips || f.ran("-m venv") != 1 || steps != 2 {
			t.Errorf("%+v in %d steps", repaired.Java, steps)
		}
		if repaired.Packages["pyspark"] != "3.5.7" || len(repaired.ClassPath) != 2+3 {
			t.Errorf("it lost something: %+v", repaired)
		}
		if kept := f.kept(); !strings.HasSuffix(kept, "classes of\nother\n") || !f.archived() {
			t.Errorf("the archive is not the new Java's: %s", kept)
		}
	})

	t.Run("that is interrupted leaves the engine as it was", func(t *testing.T) {
		f := newFactory(t)
		made := f.mustInstall(nil)
		built, err := os.Stat(made.Java.Program)
		if err != nil {
			t.Fatal(err)
		}
		before := f.kept()
		update(t, made.Java)
		halt := filepath.Join(f.dir, "halt")
		if err := syscall.Mkfifo(halt, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		go func() {
			os.ReadFile(halt) //nolint:errcheck // it is there to wait for
			interrupt()
		}()
		if _, err := f.Install(ctx, DefaultVersion, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if got := f.kept(); got != before {
			t.Errorf("it became %s", got)
		}
		if f.archived() {
			t.Error("drivers get the archive of another Java")
		}
		// The update is taken back.
		if err := os.Chtimes(made.Java.Program, built.ModTime(), built.ModTime()); err != nil {
			t.Fatal(err)
		}
		if !f.archived() {
			t.Error("drivers do not start as they did")
		}
		update(t, made.Java)
		if err := os.Remove(halt); err != nil {
			t.Fatal(err)
		}
		if f.mustInstall(nil); !f.archived() {
			t.Error("it was not repaired afterwards")
		}
	})

	t.Run("that fails leaves the engine as it was", func(t *testing.T) {
		f := newFactory(t)
		made := f.mustInstall(nil)
		before := f.kept()
		update(t, made.Java)
		f.mark("spark-broken")
		_, err := f.Install(t.Context(), DefaultVersion, nil)
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "Spark 3.5.7 could not be repaired: it does not start with") {
			t.Error(err)
		}
		if got := f.kept(); got != before {
			t.Errorf("it became %s", got)
		}
	})

	t.Run("goes on without an archive where none can be made", func(t *testing.T) {
		f := newFactory(t)
		update(t, f.mustInstall(nil).Java)
		f.mark("archive-broken")
		repaired := f.mustInstall(nil)
		if repaired.Archive.File != "" || !strings.Contains(repaired.Archive.Problem, "cannot archive") || f.archived() {
			t.Errorf("archive %+v", repaired.Archive)
		}
	})

	t.Run("is not needed when its Java comes back", func(t *testing.T) {
		f := newFactory(t)
		made := f.mustInstall(nil)
		jdk, gone := made.Java.Home, filepath.Join(f.dir, "gone")
		ran := f.ran("python")
		move(t, jdk, gone)
		_, err := f.Install(t.Context(), DefaultVersion, nil)
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "could not be repaired. The Java that is set cannot be used") {
			t.Error(err)
		}
		engine, err := f.Find(DefaultVersion)
		if err != nil {
			t.Fatalf("without Java: %v", err)
		}
		bundle := t.TempDir()
		if _, _, err := engine.Processes(hearth.Launch{WorkingDirectory: bundle}, bundle, Store{}); hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "has lost its Java") {
			t.Errorf("without Java: %v", err)
		}
		move(t, gone, jdk)
		if !f.archived() {
			t.Error("drivers do not start as they did")
		}
		f.mustInstall(nil)
		if got := f.ran("python"); got != ran {
			t.Errorf("%d commands were run", got-ran)
		}
	})

	t.Run("begins with a Java, also where Python is gone", func(t *testing.T) {
		f := newFactory(t)
		made := f.mustInstall(nil)
		before, ran := f.kept(), f.ran("python")
		for _, dir := range []string{made.Java.Home, filepath.Join(f.Dir, DefaultVersion, "python")} {
			move(t, dir, dir+".gone")
		}
		if _, err := f.Install(t.Context(), DefaultVersion, nil); hearth.KindOf(err) != hearth.KindUnavailable {
			t.Error(err)
		}
		if f.kept() != before || f.ran("python") != ran {
			t.Error("something was done before there was a Java")
		}
	})

	for what, spoil := range map[string]func(string) error{
		"gone":               os.Remove,
		"there only in part": func(file string) error { return os.Truncate(file, 5) },
	} {
		t.Run("of an archive that is "+what+" is not needed to start", func(t *testing.T) {
			f := newFactory(t)
			if err := spoil(f.mustInstall(nil).Archive.File); err != nil {
				t.Fatal(err)
			}
			if f.archived() {
				t.Error("drivers get the archive")
			}
			end := f.mark("spark-broken") // it cannot be made again now
			f.mustInstall(nil)
			end()
			if f.mustInstall(nil); !f.archived() {
				t.Error("it was not made again")
			}
		})
	}

	t.Run("of an engine that an earlier Hearth made in its way", func(t *testing.T) {
		f := newFactory(t)
		engine := f.mustInstall(nil)
		engine.Edition = 0
		// Its jars were signed ones, as they came with Spark.
		makeJar(t, engine.ClassPath[1], "META-INF/KEY.SF", "a/B.class")
		if err := engine.save(f.dir + "/engines/" + DefaultVersion); err != nil {
			t.Fatal(err)
		}
		if c := engine.checkArchive(); c.OK || !strings.Contains(c.Detail, "an earlier Hearth") {
			t.Errorf("doctor says %+v", c)
		}
		f.jars.badly(func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(503) }) // nothing is to be loaded
		pips, starts := f.ran("-m pip"), f.ran("first_start.py")
		for range 2 {
			repaired := f.mustInstall(nil)
			if want := filepath.Join(f.jarsDir(DefaultVersion), "a.jar"); repaired.Edition != edition || repaired.ClassPath[1] != want || f.ran("-m pip") != pips || f.ran("first_start.py") != starts+1 || !f.archived() {
				t.Errorf("%+v", repaired)
			}
		}
	})

	t.Run("brings a Java again whose files are gone", func(t *testing.T) {
		f := newFactory(t)
		made := f.mustInstall(nil)
		i := &installation{Engines: f.Engines, line: lines[0], dir: f.Engines.dir(DefaultVersion), engine: made}
		for range 2 {
			java, err := i.bringJava(t.Context())
			if err != nil || !java.Brought || !java.unchanged() {
				t.Fatalf("%+v, %v", java, err)
			}
			if err := os.RemoveAll(filepath.Dir(filepath.Dir(java.Program))); err != nil {
				t.Fatal(err)
			}
		}
	})
}
