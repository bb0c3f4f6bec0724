package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// javaModules are the packages that Spark reflects on, as its launcher passes
// them to Java 17.
var javaModules = strings.Fields(`java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util
	java.util.concurrent java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar`)

// sparkDriver starts a JVM and a kernel beside it.
func sparkDriver(t testing.TB) *driver {
	t.Helper()
	home, err := exec.Command(testPython(t), "-c", "import os, pyspark; print(os.path.dirname(pyspark.__file__), end='')").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	gateway := filepath.Join(dir, "gateway")
	properties := filepath.Join(dir, "spark.properties")
	if err := os.WriteFile(properties, []byte("spark.master local[2]\nspark.app.name kernel\nspark.ui.enabled false\nspark.driver.host 127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte("rootLogger.level = off\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	stdout, stderr := newPipe(t), newPipe(t)
	argv := []string{"-Xmx1g", "-Dlog4j2.configurationFile=file:" + filepath.Join(dir, "log4j2.properties")}
	for _, module := range javaModules {
		argv = append(argv, "--add-opens=java.base/"+module+"=ALL-UNNAMED")
	}
	argv = append(argv, "-cp", filepath.Join(string(home), "jars", "*"), "org.apache.spark.deploy.SparkSubmit", "--properties-file", properties, "pyspark-shell")
	java := exec.Command("java", argv...)
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java.Path = filepath.Join(home, "bin", "java")
	}
	java.Dir = dir
	java.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SPARK_HOME=" + string(home), "_PYSPARK_DRIVER_CONN_INFO_PATH=" + gateway}
	java.Stdout, java.Stderr = stdout.in, stderr.in
	stdin, err := java.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := java.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // which ends the JVM
		_ = java.Wait()
	})
	d := startDriver(t, stdout, stderr, "HEARTH_GATEWAY="+gateway, "PYTHONPATH=")
	d.stdout.take()
	d.stderr.take()
	d.java = java.Process
	return d
}

// TestSpark has one driver for all, because starting one is slow.
func TestSpark(t *testing.T) {
	d := sparkDriver(t)

	t.Run("phases", func(t *testing.T) {
		if got := strings.Join(d.phases, " "); got != "python jvm spark_context first_job" || !strings.HasPrefix(d.ready.Spark, "3.5.") {
			t.Errorf("%s, Spark %q", got, d.ready.Spark)
		}
	})

	for _, test := range []struct{ name, code, stdout, value, progress string }{
		{"a table is printed byte for byte", "spark.range(3).show()", "+---+\n| id|\n+---+\n|  0|\n|  1|\n|  2|\n+---+\n\n", "0 things shown", "100% (2/2 tasks)"},
		{"what the JVM prints is stdout", "sc._jvm.java.lang.System.out.println('from Java')\nprint('from Python')", "from Java\nfrom Python\n", "0 things shown", "100% (no Spark tasks)"},
		{"a count", "spark.range(1000).count()", "", "1000", "100% (3/3 tasks)"},
		{"skipped tasks do not count", "spark.range(0, 10, 1, 2).repartition(3).groupBy('id').count().agg({'count': 'sum'}).first()[0]", "", "10", "100% (7/7 tasks)"},
		{"the gateway's secret is not in the environment", "import os\n[name for name in os.environ if 'GATEWAY' in name]", "", "[]", "100% (no Spark tasks)"},
		{"functions and classes go to the workers by value", `
from pyspark.sql.functions import udf
class Adder:
    def __init__(self, n): self.n = n
    def add(self, x): return x + self.n
adder = Adder(5)
@udf("long")
def add(x): return adder.add(x)
[row[0] for row in spark.range(3).select(add("id")).collect()]
`, "", "[5, 6, 7]", "100% (2/2 tasks)"},
		{"pandas functions too", `
import pandas
from pyspark.sql.functions import pandas_udf
@pandas_udf("long")
def twice(x: pandas.Series) -> pandas.Series: return x * 2
spark.range(3).select(twice("id").alias("twice")).toPandas()["twice"].tolist()
`, "", "[0, 2, 4]", "100% (2/2 tasks)"},
		{"a job in a thread counts", `
import threading
thread = threading.Thread(target=lambda: spark.range(10).count())
thread.start()
thread.join()
`, "", "0 things shown", "100% (3/3 tasks)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != StatusOK || r.stdout != test.stdout || r.value() != test.value || r.Progress != test.progress {
				t.Errorf("%s (%s)\nstdout %q, want %q\nvalue %s, want %s\nprogress %s, want %s\nstderr %s",
					r.Status, r.Reason, r.stdout, test.stdout, r.value(), test.value, r.Progress, test.progress, r.stderr)
			}
		})
	}

	for _, test := range []struct{ name, code, reason, stderr string }{
		{"a table that is not there", "spark.sql('select * from nowhere')", "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] ", "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found."},
		{"a function that raises", "@udf('long')\ndef bad(x): return 1 // 0\nspark.range(1).select(bad('id')).collect()", "PythonException: ", "\n  File \"<stdin>\", line 2, in bad\nZeroDivisionError: integer division or modulo by zero\n"},
		{"a Java exception", "sc._jvm.java.lang.Class.forName('no.such.Thing')", "Py4JJavaError: java.lang.ClassNotFoundException: no.such.Thing", "java.lang.ClassNotFoundException: no.such.Thing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != StatusError || !strings.HasPrefix(r.Reason, test.reason) ||
				!strings.HasPrefix(r.stderr, `File "<stdin>", line `) || !strings.Contains(r.stderr, test.stderr) || strings.Contains(r.stderr, "kernel.py") {
				t.Errorf("%s, %s\n%s", r.Status, r.Reason, r.stderr)
			}
		})
	}

	d.run("import time\nfrom concurrent.futures import ThreadPoolExecutor\nendless = lambda: spark.range(0, 10**13, 1, 8).selectExpr('sum(id * id % 7)').collect()")
	for _, test := range []struct{ name, code string }{
		{"a job", "print('on')\nendless()"},
		{"a job with Python functions", "@udf('long')\ndef slow(x):\n    time.sleep(0.1)\n    return x\nprint('on')\nspark.range(100000).select(slow('id')).collect()"},
		{"a loop of jobs that swallows every exception", "print('on')\nwhile True:\n    try: endless()\n    except BaseException: pass"},
		{"a job in a group of its own", "sc.setJobGroup('mine', 'of the code')\nprint('on')\nendless()"},
		{"jobs in threads", "pool = ThreadPoolExecutor(2)\nfutures = [pool.submit(endless) for _ in range(2)]\nprint('on')\n[future.result() for future in futures]"},
		{"a storm of calls", "print('on')\nwhile True: sc._jvm.java.lang.System.nanoTime()"},
		{"rows on their way to pandas", "print('on')\nspark.range(0, 100_000_000, 1, 1000).toPandas()"},
		{"a wait for a stream", "query = spark.readStream.format('rate').load().writeStream.format('memory').queryName('rate').start()\nprint('on')\nquery.awaitTermination()"},
		{"a sleep in the JVM", "print('on')\nsc._jvm.java.lang.Thread.sleep(600000)"},
		{"a loop in the JVM", "print('on')\nsc._jvm.java.math.BigInteger.valueOf(3).pow(400000000).toString()"},
	} {
		t.Run("cancel "+test.name, func(t *testing.T) {
			if r := d.cancel(test.code); r.Status != StatusCanceled || r.ExitStatus != 130 {
				t.Errorf("%s, exit %d, %q\n%s", r.Status, r.ExitStatus, r.Reason, r.stderr)
			}
			next := d.run("spark.range(10).count(), sc.getLocalProperty('spark.jobGroup.id'), sc.getLocalProperty('spark.job.description')")
			if want := "(10, '" + next.Calculation + "', 'Calculation " + next.Calculation + "')"; next.value() != want {
				t.Errorf("after it: %s, want %s\n%s", next.value(), want, next.stderr)
			}
			d.run("query.stop() if 'query' in globals() else None;")
			idle := d.run("while sc.statusTracker().getActiveJobsIds(): time.sleep(0.01)")
			if idle.Status != StatusOK {
				t.Errorf("%s", idle.stderr)
			}
		})
	}

	t.Run("a session that the code makes again", func(t *testing.T) {
		r := d.run("from pyspark.sql import SparkSession\nspark.stop()\nspark = SparkSession.builder.getOrCreate()\nsc = spark.sparkContext\nspark.range(7).count()")
		if r.value() != "7" {
			t.Fatalf("%s\n%s", r.value(), r.stderr)
		}
		if r := d.cancel("print('on')\nendless()"); r.Status != StatusCanceled {
			t.Errorf("%s %s", r.Status, r.stderr)
		}
	})

	t.Run("a dead JVM is an error of the code", func(t *testing.T) {
		if err := d.java.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.java.Wait(); err != nil {
			t.Fatal(err)
		}
		r := d.run("spark.range(1).count()")
		if r.Status != StatusError || r.Progress == "" || strings.Contains(r.stderr, "Exception while sending command") {
			t.Errorf("%s %q\n%s", r.Status, r.Reason, r.stderr)
		}
		if r := d.run("1 + 1"); r.value() != "2" {
			t.Errorf("%s\n%s", r.value(), r.stderr)
		}
	})

	t.Run("end ends it", func(t *testing.T) {
		d.send(End())
		if err := d.cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}
