package spark

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/shim"
)

// pretended is an engine of a factory's, with a Java that is there.
func pretended(t testing.TB) *Engine {
	t.Helper()
	return newFactory(t).mustInstall(nil)
}

func processes(t testing.TB, e *Engine, launch hearth.Launch, bundle string) (kernel, jvm shim.Process) {
	t.Helper()
	if launch.WorkingDirectory == "" {
		launch.WorkingDirectory = bundle
	}
	kernel, java, err := e.Processes(launch, bundle, Store{})
	if err != nil {
		t.Fatal(err)
	}
	return kernel, *java
}

func TestEngine_Processes(t *testing.T) {
	launch := hearth.Launch{SessionID: "s-1", Master: "local[3]"}

	t.Run("get nothing of the server's environment but what is listed", func(t *testing.T) {
		for _, secret := range []string{"AWS_SECRET_ACCESS_KEY", "HEARTH_HOME", "PYTHONPATH", "JAVA_TOOL_OPTIONS", "SPARK_CONF_DIR", "HTTPS_PROXY"} {
			t.Setenv(secret, "secret")
		}
		t.Setenv("LC_TIME", "C")
		t.Setenv("TZ", "Europe/Berlin")
		kernel, jvm := processes(t, pretended(t), launch, t.TempDir())
		allowed := append([]string{"JAVA_HOME", "SPARK_HOME", "PYSPARK_PYTHON", "PYTHONHASHSEED", "SPARK_LOCAL_IP", "HEARTH_GATEWAY", "_PYSPARK_DRIVER_CONN_INFO_PATH", "MALLOC_ARENA_MAX"}, inherited...)
		for _, p := range []shim.Process{kernel, jvm} {
			for _, variable := range p.Env {
				name, _, _ := strings.Cut(variable, "=")
				if !slices.Contains(allowed, name) && !strings.HasPrefix(name, "LC_") {
					t.Errorf("%s was handed on", variable)
				}
			}
			for _, want := range []string{"LC_TIME=C", "TZ=Europe/Berlin", "SPARK_LOCAL_IP=127.0.0.1"} {
				if !slices.Contains(p.Env, want) {
					t.Errorf("%s is missing", want)
				}
			}
		}
	})

	t.Run("have a collector that is as large as the driver", func(t *testing.T) {
		collector := regexp.MustCompile(`-XX:\+Use(Serial|Parallel|G1)GC`)
		for master, want := range map[string]string{
			"local": "-XX:+UseSerialGC", "local[2]": "-XX:+UseSerialGC",
			"local[3]": "-XX:+UseParallelGC", "local[*]": "-XX:+UseParallelGC", "spark://elsewhere:7077": "-XX:+UseParallelGC",
		} {
			launch := launch
			launch.Master = master
			_, jvm := processes(t, pretended(t), launch, t.TempDir())
			if got := collector.FindAllString(strings.Join(jvm.Argv, " "), -1); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %v", master, got)
			}
		}
	})

	t.Run("keep a session's properties to themselves", func(t *testing.T) {
		bundle := t.TempDir()
		launch := launch
		launch.Properties = map[string]string{"spark.hadoop.fs.s3a.secret.key": "secret"}
		_, jvm := processes(t, pretended(t), launch, bundle)
		if strings.Contains(strings.Join(jvm.Argv, " "), "fs.s3a") {
			t.Error("a property is among the arguments, which everybody on the machine can read")
		}
		info, err := os.Stat(filepath.Join(bundle, propertiesFile))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("its file: %v, %v", info.Mode(), err)
		}
	})

	t.Run("take what a session sets, but for what it may not", func(t *testing.T) {
		bundle := t.TempDir()
		launch := launch
		launch.Properties = map[string]string{"spark.app.name": "mine", "spark.master": "spark://elsewhere", "spark.ui.enabled": "false"}
		processes(t, pretended(t), launch, bundle)
		text, err := os.ReadFile(filepath.Join(bundle, propertiesFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"spark.app.name=mine\n", "spark.master=local[3]\n", "spark.ui.enabled=false\n", "spark.driver.bindAddress=127.0.0.1\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("lacks %q:\n%s", want, text)
			}
		}
	})

	t.Run("show Spark's pages with a secret, and write down what a history server shows", func(t *testing.T) {
		settings := func(engine *Engine, properties map[string]string) (bundle, text string) {
			t.Helper()
			bundle = t.TempDir()
			launch := launch
			launch.Properties = properties
			processes(t, engine, launch, bundle)
			content, err := os.ReadFile(filepath.Join(bundle, propertiesFile))
			if err != nil {
				t.Fatal(err)
			}
			return bundle, string(content)
		}
		onSpark4 := pretended(t)
		onSpark4.ClassPath = append(onSpark4.ClassPath, "/jars/"+jakartaPagesJar.file())
		if _, guarded := settings(onSpark4, nil); !strings.Contains(guarded, "spark.ui.filters=hearth.Pages\n") || strings.Contains(guarded, "spark.ui.enabled=false\n") {
			t.Errorf("the pages of Spark 4 are not there, or not guarded:\n%s", guarded)
		}
		engine := pretended(t)
		engine.ClassPath = append(engine.ClassPath, "/jars/"+pagesJar.file())
		engine.eventLogs = true
		bundle, one := settings(engine, nil)
		_, other := settings(engine, nil)
		secret := regexp.MustCompile(`spark\.hearth\.Pages\.param\.secret=(\S{20,})\n`)
		if !strings.Contains(one, "spark.ui.filters=hearth.Pages\n") || secret.FindString(one) == "" || secret.FindString(one) == secret.FindString(other) {
			t.Errorf("the pages are not guarded:\n%s", one)
		}
		events := filepath.Join(bundle, shim.EventsDir)
		for _, want := range []string{"spark.eventLog.enabled=true\n", "spark.eventLog.dir=file\\://" + events + "\n", "spark.eventLog.compress=true\n", "spark.ui.killEnabled=false\n"} {
			if !strings.Contains(one, want) {
				t.Errorf("lacks %q:\n%s", want, one)
			}
		}
		if info, err := os.Stat(events); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
		if _, own := settings(engine, map[string]string{"spark.eventLog.enabled": "false"}); !strings.Contains(own, "spark.eventLog.enabled=false\n") {
			t.Errorf("a session cannot switch it off:\n%s", own)
		}
		engine.eventLogs = false
		if _, off := settings(engine, nil); strings.Contains(off, "eventLog") {
			t.Errorf("it is not switched off:\n%s", off)
		}
		if _, old := settings(pretended(t), nil); strings.Contains(old, "hearth.Pages") || !strings.Contains(old, "spark.ui.enabled=false\n") {
			t.Errorf("drivers are told of a class that they do not have, or show pages unguarded:\n%s", old)
		}
	})

	t.Run("can be reached from a cluster", func(t *testing.T) {
		bundle := t.TempDir()
		kernel, _ := processes(t, pretended(t), hearth.Launch{SessionID: "s-1", Master: "spark://cluster:7077"}, bundle)
		text, err := os.ReadFile(filepath.Join(bundle, propertiesFile))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "127.0.0.1") || slices.Contains(kernel.Env, "SPARK_LOCAL_IP=127.0.0.1") {
			t.Errorf("the driver listens on the loopback only:\n%s", text)
		}
	})

	for memory, want := range map[string]string{"": "-Xmx3g", "512": "-Xmx512m", "2g": "-Xmx2g", "1536MB": "-Xmx1536m", " 1t ": "-Xmx1t", "lots": "-Xmxlots"} {
		t.Run("have the heap of spark.driver.memory "+memory, func(t *testing.T) {
			engine, launch := pretended(t), launch
			engine.memory = "3g"
			if memory != "" {
				launch.Properties = map[string]string{"spark.driver.memory": memory}
			}
			if _, jvm := processes(t, engine, launch, t.TempDir()); !slices.Contains(jvm.Argv, want) {
				t.Errorf("%s is not in %q", want, jvm.Argv)
			}
		})
	}

	t.Run("use the archive only where it fits", func(t *testing.T) {
		engine := pretended(t)
		uses := func(launch hearth.Launch) bool {
			_, jvm := processes(t, engine, launch, t.TempDir())
			return slices.Contains(jvm.Argv, "-XX:SharedArchiveFile="+engine.Archive.File)
		}
		if !uses(launch) {
			t.Error("it is not used")
		}
		extra := launch
		extra.Properties = map[string]string{"spark.driver.extraClassPath": "/a/one.jar:/a/two/*"}
		if uses(extra) {
			t.Error("it is used behind jars that it does not know")
		}
		_, jvm := processes(t, engine, extra, t.TempDir())
		if got := jvm.Argv[slices.Index(jvm.Argv, "-cp")+1]; !strings.HasPrefix(got, "/a/one.jar:/a/two/*:"+engine.ClassPath[0]) {
			t.Errorf("the class path begins with %.80s", got)
		}
		engine.Java.Build = "another"
		if uses(launch) {
			t.Error("it is used with another Java")
		}
	})

	t.Run("find native libraries where a session has them", func(t *testing.T) {
		launch := launch
		launch.Properties = map[string]string{"spark.driver.extraLibraryPath": "/a/native"}
		if _, jvm := processes(t, pretended(t), launch, t.TempDir()); !slices.Contains(jvm.Env, libraryPath+"=/a/native") {
			t.Errorf("the environment is %q", jvm.Env)
		}
	})

	t.Run("start in the directory that was asked for", func(t *testing.T) {
		engine, bundle := pretended(t), t.TempDir()
		launch := launch
		launch.WorkingDirectory = engine.SparkHome
		if kernel, jvm := processes(t, engine, launch, bundle); kernel.Dir != engine.SparkHome || jvm.Dir != engine.SparkHome {
			t.Errorf("they start in %s and %s", kernel.Dir, jvm.Dir)
		}
		for _, wanted := range []string{filepath.Join(bundle, "nonsuch"), engine.Java.Program} {
			launch := launch
			launch.WorkingDirectory = wanted
			if _, _, err := engine.Processes(launch, bundle, Store{}); hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(err.Error(), wanted) {
				t.Errorf("%s: %v", wanted, err)
			}
		}
	})

	t.Run("without Spark are the kernel alone", func(t *testing.T) {
		engine, bundle := pretended(t), t.TempDir()
		launch := launch
		launch.WorkingDirectory = bundle
		kernel, err := engine.Light(launch, bundle, Store{})
		if err != nil {
			t.Fatal(err)
		}
		with, _ := processes(t, engine, launch, bundle)
		if !slices.Equal(kernel.Argv, with.Argv) || kernel.Dir != with.Dir {
			t.Errorf("it is %+v, and with Spark %+v", kernel, with)
		}
		gateway := "HEARTH_GATEWAY=" + filepath.Join(bundle, shim.GatewayFile)
		if !slices.Equal(append(kernel.Env, gateway), with.Env) {
			t.Errorf("its environment is %q, and with Spark %q", kernel.Env, with.Env)
		}
		launch.WorkingDirectory = filepath.Join(bundle, "nonsuch")
		if _, err := engine.Light(launch, bundle, Store{}); hearth.KindOf(err) != hearth.KindInvalid {
			t.Errorf("in a directory that is not there: %v", err)
		}
	})

	t.Run("cannot be had without Java", func(t *testing.T) {
		engine := pretended(t)
		if err := os.Remove(engine.Java.Program); err != nil {
			t.Fatal(err)
		}
		if _, _, err := engine.Processes(launch, t.TempDir(), Store{}); hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "hearth engines install") {
			t.Error(err)
		}
	})
}
