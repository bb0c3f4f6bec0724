package spark

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
)

// jarShop is a Maven repository of two jars, which can be told to serve badly.
type jarShop struct {
	url string

	mu     sync.Mutex
	served []string // "jar range"
	serve  func(w http.ResponseWriter, r *http.Request, content []byte)
}

var shopJars = map[string][]byte{
	"/org/example/one/1.0/one-1.0.jar":   bytes.Repeat([]byte("one "), 50_000),
	"/com/example/two/2.0/two-2.0.jar":   []byte("two"),
	"/org/ice/ice/1.0/ice-1.0.jar":       bytes.Repeat([]byte("ice "), 20_000),
	"/org/delta/river/2.0/river-2.0.jar": []byte("river"),
}

func newJarShop(t testing.TB) *jarShop {
	t.Helper()
	shop := &jarShop{serve: whole}
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	shop.url = server.URL
	return shop
}

func (s *jarShop) pinned() []jar {
	return []jar{shopJar("org.example", "one", "1.0"), shopJar("com.example", "two", "2.0")}
}

func shopJar(group, artifact, version string) jar {
	j := jar{group: group, artifact: artifact, version: version}
	content := shopJars[j.address("")]
	j.size, j.sum = int64(len(content)), sum(content)
	return j
}

func (s *jarShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.served = append(s.served, strings.TrimSpace(filepath.Base(r.URL.Path)+" "+r.Header.Get("Range")))
	serve := s.serve
	s.mu.Unlock()
	content, found := shopJars[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	serve(w, r, content)
}

func whole(w http.ResponseWriter, r *http.Request, content []byte) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// badly changes how the shop serves; the result ends it.
func (s *jarShop) badly(serve func(http.ResponseWriter, *http.Request, []byte)) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served, s.serve = nil, serve
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.served, s.serve = nil, whole
	}
}

func (s *jarShop) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.served)
}

func TestEngines_Install_Jars(t *testing.T) {
	t.Run("are on the class path, after Spark's own", func(t *testing.T) {
		f := newFactory(t)
		engine := f.mustInstall(nil)
		want := []string{"spark-core.jar", "a.jar", commitJar.file(), "one-1.0.jar", "two-2.0.jar"}
		for i, file := range engine.ClassPath {
			if filepath.Base(file) != want[i] {
				t.Errorf("%d: %s", i, file)
			}
			if i > 1 && !filepath.IsAbs(file) {
				t.Errorf("%s is a relative path", file)
			}
		}
		if got, err := os.ReadFile(filepath.Join(f.jarsDir(DefaultVersion), "one-1.0.jar")); err != nil || sum(got) != f.pinned[0].sum {
			t.Errorf("one-1.0.jar has %d bytes, %v", len(got), err)
		}
		if left, _ := filepath.Glob(filepath.Join(f.jarsDir(DefaultVersion), "*.part")); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})

	t.Run("come in parts when the connection breaks off", func(t *testing.T) {
		f := newFactory(t)
		f.jars.badly(func(w http.ResponseWriter, r *http.Request, content []byte) {
			if r.Header.Get("Range") == "" && len(content) > 1000 {
				w.Header().Set("Content-Length", "200000")
				w.Write(content[:1000])
				return
			}
			whole(w, r, content)
		})
		f.mustInstall(nil)
		if got, want := f.jars.requests(), []string{"one-1.0.jar", "one-1.0.jar bytes=1000-", "two-2.0.jar"}; !slices.Equal(got, want) {
			t.Errorf("requested %q", got)
		}
	})

	for what, c := range map[string]struct {
		serve func(http.ResponseWriter, *http.Request, []byte)
		says  string
	}{
		"breaks off again and again": {func(w http.ResponseWriter, r *http.Request, _ []byte) { panic(http.ErrAbortHandler) }, "does not answer, or the connection broke off"},
		"serves something else":      {func(w http.ResponseWriter, r *http.Request, c []byte) { w.Write(bytes.ToUpper(c)) }, "another content"},
		"does not have one":          {func(w http.ResponseWriter, r *http.Request, _ []byte) { http.NotFound(w, r) }, "does not have one-1.0.jar"},
		"is overloaded":              {func(w http.ResponseWriter, r *http.Request, _ []byte) { w.WriteHeader(503) }, "503 Service Unavailable"},
	} {
		t.Run("are no engine where the repository "+what+", and come afterwards", func(t *testing.T) {
			f := newFactory(t)
			end := f.jars.badly(c.serve)
			_, err := f.Install(t.Context(), DefaultVersion, nil)
			if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v", err)
			}
			if _, err := f.Find(DefaultVersion); hearth.KindOf(err) != hearth.KindNotFound {
				t.Errorf("found: %v", err)
			}
			end()
			f.mustInstall(nil)
		})
	}
}

func TestEngines_Install_RepairsJars(t *testing.T) {
	// before gives an engine as Hearth made it when it knew no jars but Spark's.
	before := func(t *testing.T) *factory {
		f := newFactory(t)
		engine := f.mustInstall(nil)
		engine.ClassPath = engine.ClassPath[:2]
		if err := os.RemoveAll(f.jarsDir(DefaultVersion)); err != nil {
			t.Fatal(err)
		}
		if err := engine.save(f.dir + "/engines/" + DefaultVersion); err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Run("of an engine that has none", func(t *testing.T) {
		f := before(t)
		pips, starts := f.ran("-m pip"), f.ran("first_start.py")
		if engine := f.mustInstall(nil); len(engine.ClassPath) != 5 || f.ran("-m pip") != pips || f.ran("first_start.py") != starts+1 || !f.archived() {
			t.Errorf("class path %v, %d starts", engine.ClassPath, f.ran("first_start.py")-starts)
		}
	})
	t.Run("of an engine that lost one, and loads no other", func(t *testing.T) {
		f := newFactory(t)
		f.mustInstall(nil)
		if err := os.Remove(filepath.Join(f.jarsDir(DefaultVersion), "two-2.0.jar")); err != nil {
			t.Fatal(err)
		}
		f.jars.badly(whole)
		f.mustInstall(nil)
		if got := f.jars.requests(); !slices.Equal(got, []string{"two-2.0.jar"}) {
			t.Errorf("requested %q", got)
		}
	})
	t.Run("later, where they cannot be had now", func(t *testing.T) {
		f := before(t)
		kept := f.kept()
		f.jars.badly(func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(503) })
		engine := f.mustInstall(nil)
		if f.kept() != kept || engine.knowsS3() {
			t.Errorf("the engine has changed: %+v", engine)
		}
		launch := hearth.Launch{SessionID: "s-1", Master: "local[1]"}
		if settings := engine.settings(launch, t.TempDir(), Store{Endpoint: "http://127.0.0.1:1"}); settings["spark.sql.sources.commitProtocolClass"] != "" {
			t.Error("drivers are told of a class that they do not have")
		}
		for _, c := range f.Checks(t.Context(), DefaultVersion) {
			if c.Name == "S3" && (c.OK || !strings.Contains(c.Detail, "one-1.0.jar")) {
				t.Errorf("checked %+v", c)
			}
		}
	})
}

// TestOwnJars proves that the jars in this package are their sources, compiled.
// Run internal/spark/java/compile.py with an engine's Python to make one again.
func TestOwnJars(t *testing.T) {
	onSpark3, onSpark4 := realFormats(t, hearth.TableFormats()...), realEngineOf(t, spark41.version)
	for name, made := range map[string]struct {
		on      *Engine
		sources string
		jar     []byte
	}{
		"commits":        {onSpark3, "CommitProtocol.java", commitProtocol},
		"Delta":          {onSpark3, "LogStore.java,Catalog.java", deltaJar},
		"Spark Connect":  {onSpark3, "Connect.java", connectServer},
		"pages, Spark 3": {onSpark3, "Pages.java", pages},
		"pages, Spark 4": {onSpark4, "Pages.java", jakartaPages},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "made.jar")
			others := slices.DeleteFunc(slices.Clone(made.on.ClassPath), func(file string) bool { return strings.HasPrefix(file, made.on.SparkHome) })
			compile := exec.CommandContext(t.Context(), made.on.Python.Program, append([]string{filepath.Join("java", "compile.py"), made.sources, file}, others...)...)
			compile.Env = append(os.Environ(), "JAVA_HOME="+made.on.Java.Home, "SPARK_HOME="+made.on.SparkHome)
			if out, err := compile.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(classes(t, content), classes(t, made.jar)) {
				t.Errorf("the jar is not %s of java/, compiled", made.sources)
			}
		})
	}
}

// classes gives what is in a jar.
func classes(t testing.TB, content []byte) []byte {
	t.Helper()
	jar, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range jar.File {
		f, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		code, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, file.Name...), code...)
	}
	return all
}
