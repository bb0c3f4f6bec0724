package spark

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/shim"
)

// TestEngine_Real is about the engine that the product uses, on real Spark.
func TestEngine_Real(t *testing.T) {
	engine := realEngine(t)

	t.Run("is installed without a network", func(t *testing.T) {
		// Nothing answers at the index, and no Python or Java can be found.
		t.Setenv("PATH", t.TempDir())
		e := realEngines()
		e.Index = "http://127.0.0.1:1/simple/"
		again, err := e.Install(t.Context(), DefaultVersion, func(r Report) { t.Errorf("it does something: %+v", r) })
		if err != nil || !again.Installed.Equal(engine.Installed) {
			t.Errorf("%+v, %v", again, err)
		}
	})

	t.Run("has the packages that sessions rely on", func(t *testing.T) {
		for name, want := range map[string]string{"pyspark": `^3\.5\.7$`, "numpy": `^1\.`, "pandas": `^2\.`, "pyarrow": `^1[789]\.`, "ipython": `^[89]\.`, "matplotlib": `^3\.`} {
			if got := engine.Packages[name]; !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%s is %q", name, got)
			}
		}
	})

	t.Run("opens to Spark what Spark's launcher opens", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), engine.Java.Program, "-cp", strings.Join(engine.ClassPath, ":"), "org.apache.spark.launcher.Main", "org.apache.spark.deploy.SparkSubmit", "pyspark-shell")
		cmd.Env = []string{"SPARK_HOME=" + engine.SparkHome, "SPARK_SCALA_VERSION=2.12"}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		_, jvm := processes(t, engine, hearth.Launch{SessionID: "launcher", Master: "local[1]"}, t.TempDir())
		seen := 0
		for option := range strings.SplitSeq(string(out), "\x00") {
			if strings.HasPrefix(option, "--add-opens") || strings.HasPrefix(option, "-Djdk.") || strings.HasPrefix(option, "-XX:+Ignore") {
				seen++
				if !slices.Contains(jvm.Argv, option) {
					t.Errorf("%s is missing", option)
				}
			}
		}
		if seen < 10 {
			t.Errorf("the launcher named only %d options: %q", seen, out)
		}
	})

	t.Run("runs a driver", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		bundle := t.TempDir()
		d := runDriver(t, engine, hearth.Launch{SessionID: "real", Master: "local[2]", Properties: map[string]string{"spark.x": `ü \ = # 😀`}}, bundle, facts)
		if d.err != nil {
			t.Fatalf("%v: %s", d.err, d.output)
		}
		var got struct {
			Arrow, Name, Own, Web, Warehouse, Heap string
			Master, Worker, Directories            []string
			Environment                            map[string]string
			Sum                                    int
		}
		if err := json.Unmarshal([]byte(d.output), &got); err != nil {
			t.Fatalf("%v: %s", err, d.output)
		}
		if got.Arrow != "true" || got.Name != "hearth-real" || got.Own != `ü \ = # 😀` || got.Sum != 4950 || !strings.HasPrefix(got.Warehouse, "file:"+bundle) {
			t.Errorf("facts %+v", got)
		}
		if web, err := url.Parse(got.Web); err != nil || web.Hostname() != "127.0.0.1" || web.Port() == "4040" {
			t.Errorf("Spark's web page is at %s, %v", got.Web, err)
		}
		if got.Worker[0] != engine.Python.Program {
			t.Errorf("workers run %s", got.Worker[0])
		}
		for _, dir := range got.Directories {
			if dir != bundle {
				t.Errorf("a process started in %s", dir)
			}
		}
		if value, leaked := got.Environment["AWS_SECRET_ACCESS_KEY"]; leaked {
			t.Errorf("the JVM has the server's secret %s", value)
		}
		if d.java != "" {
			t.Errorf("Java's output, which is the code's own, has: %s", d.java)
		}
		if log, err := os.ReadFile(filepath.Join(bundle, "driver.log")); err != nil || !bytes.Contains(log, []byte("a warning of the test")) {
			t.Errorf("driver.log: %s, %v", log, err)
		}
	})

	t.Run("has no signed jar on its class path", func(t *testing.T) {
		bare, err := unsigned(engine.ClassPath, t.TempDir())
		if err != nil || !slices.Equal(bare, engine.ClassPath) {
			t.Errorf("without signatures it is %v, %v", bare, err)
		}
	})

	t.Run("maps its class archive", func(t *testing.T) {
		if engine.Java.feature() < firstArchiveJava {
			t.Logf("Java %s has no archives", engine.Java.Version)
			return
		}
		if engine.Archive.File == "" {
			t.Fatal(engine.Archive.Problem)
		}
		if err := engine.maps(t.Context(), engine.Archive); err != nil {
			t.Error(err)
		}
	})

	for property, test := range map[string]struct{ value, want string }{
		"spark.driver.memory":   {"lots", "Invalid maximum heap size: -Xmxlots"},
		"spark.executor.cores":  {"-1", "Executor cores must be a positive number"},
		"spark.memory.fraction": {"lots", "Illegal value for config key spark.memory.fraction"},
	} {
		t.Run("lets Spark say what is wrong with "+property, func(t *testing.T) {
			d := runDriver(t, engine, hearth.Launch{SessionID: "refused", Master: "local[1]", Properties: map[string]string{property: test.value}}, t.TempDir(), facts)
			if said := d.output + d.java; d.err == nil || !strings.Contains(said, test.want) {
				t.Errorf("%v: %s", d.err, said)
			}
		})
	}
}

// facts is a program for the kernel's place that tells what it finds.
const facts = `
import json, os, struct, time
gateway = os.environ["HEARTH_GATEWAY"]
while not os.path.exists(gateway):
    time.sleep(0.02)
with open(gateway, "rb") as file:
    port, length = struct.unpack("!ii", file.read(8))
    os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
    os.environ["PYSPARK_GATEWAY_SECRET"] = file.read(length).decode()
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
java = spark._jvm.java.lang.System
spark._jvm.org.slf4j.LoggerFactory.getLogger("test").warn("a warning of the test")
def worker(_):
    import sys
    return sys.executable
print(json.dumps({
    "Arrow": spark.conf.get("spark.sql.execution.arrow.pyspark.enabled"),
    "Name": spark.sparkContext.appName,
    "Own": spark.conf.get("spark.x", ""),
    "Web": spark.sparkContext.uiWebUrl,
    "Warehouse": spark.conf.get("spark.sql.warehouse.dir"),
    "Worker": spark.sparkContext.parallelize([0], 1).map(worker).collect(),
    "Directories": [os.getcwd(), java.getProperty("user.dir")],
    "Environment": dict(java.getenv()),
    "Sum": spark.range(100).groupBy().sum("id").first()[0],
}), flush=True)
spark.stop()
`

// driven is what a driver's two processes did.
type driven struct {
	output string // the kernel's
	java   string
	err    error // of either
}

// runDriver runs a program in the kernel's place, and ends the JVM after it.
func runDriver(t testing.TB, engine *Engine, launch hearth.Launch, bundle, program string) driven {
	t.Helper()
	kernel, jvm := processes(t, engine, launch, bundle)
	if err := os.WriteFile(filepath.Join(bundle, shim.KernelFile), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	output, java, err := runBoth(t.Context(), kernel, jvm)
	return driven{output: output, java: java, err: err}
}
