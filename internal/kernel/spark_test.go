package kernel_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hearth"
	"hearth/internal/kernel"
	"hearth/internal/shim"
	"hearth/internal/spark"
	"hearth/internal/testenv"
)

// sparkDriver starts a JVM and a kernel beside it.
func sparkDriver(t testing.TB) *driver {
	t.Helper()
	dir := t.TempDir()
	_, jvm, err := testenv.Engine(t).Processes(hearth.Launch{SessionID: "kernel", Master: "local[2]", WorkingDirectory: dir}, dir, spark.Store{})
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := newPipe(t), newPipe(t)
	java := exec.Command(jvm.Argv[0], jvm.Argv[1:]...)
	java.Dir, java.Env = jvm.Dir, jvm.Env
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
	d := startDriver(t, stdout, stderr, "HEARTH_GATEWAY="+filepath.Join(dir, shim.GatewayFile), "PYTHONPATH=")
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
		{"and one after it, too", `
thread = threading.Thread(target=lambda: spark.range(10).count())
thread.start()
thread.join()
spark.range(10).count()
`, "", "10", "100% (6/6 tasks)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != kernel.StatusOK || r.stdout != test.stdout || r.value() != test.value || r.Progress != test.progress {
				t.Errorf("%s (%s)\nstdout %q, want %q\nvalue %s, want %s\nprogress %s, want %s\nstderr %s",
					r.Status, r.Reason, r.stdout, test.stdout, r.value(), test.value, r.Progress, test.progress, r.stderr)
			}
		})
	}

	const nothing = "++\n||\n++\n++\n\n"
	for _, test := range []struct{ name, sql, stdout string }{
		{"cut at 20 characters, as show() does", "SELECT 'twenty characters are' AS a, 1 AS b", "+--------------------+---+\n|                   a|  b|\n+--------------------+---+\n|twenty characters...|  1|\n+--------------------+---+\n\n"},
		{"no more than 20 rows, as show() does", "SELECT id FROM range(21)", ""},
		{"no rows", "SELECT 1 AS a WHERE false", "+---+\n|  a|\n+---+\n+---+\n\n"},
		{"a statement that gives no table", "CREATE OR REPLACE TEMPORARY VIEW three AS SELECT * FROM range(3)", nothing},
		{"what an earlier one made, and a semicolon", "SELECT count(*) AS n\nFROM three;\n", "+---+\n|  n|\n+---+\n|  3|\n+---+\n\n"},
		{"several, one after the other", "-- first; of all\nCREATE OR REPLACE TEMPORARY VIEW a AS SELECT ';' AS `b;`; /* ; */ ;\nSELECT \"\\\";\" AS a, r'\\' AS c, `b;` FROM a; -- end;", nothing + "+---+---+---+\n|  a|  c| b;|\n+---+---+---+\n| \";|  \\|  ;|\n+---+---+---+\n\n"},
		{"braces and dollars are SQL's", "SELECT '{x}' AS a, '$y' AS b", "+---+---+\n|  a|  b|\n+---+---+\n|{x}| $y|\n+---+---+\n\n"},
	} {
		t.Run("SQL: "+test.name, func(t *testing.T) {
			if test.stdout == "" {
				test.stdout = d.run(fmt.Sprintf("spark.sql(%q).show()", test.sql)).stdout
			}
			r := d.run("\n%%sql\n" + test.sql)
			if r.Status != kernel.StatusOK || r.stdout != test.stdout || r.stderr != "" || len(r.shown) != 0 {
				t.Errorf("%s (%s)\nstdout %q, want %q\nstderr %s", r.Status, r.Reason, r.stdout, test.stdout, r.stderr)
			}
		})
	}

	t.Run("SQL runs in the session that has the name spark", func(t *testing.T) {
		d.run("kept, spark = spark, spark.newSession()\nspark.range(7).createOrReplaceTempView('seven')")
		if r := d.run("%%sql\nSELECT count(*) AS n FROM seven"); r.stdout != "+---+\n|  n|\n+---+\n|  7|\n+---+\n\n" {
			t.Errorf("%s %q", r.Reason, r.stdout)
		}
		if r := d.run("spark = kept\n%who_ls DataFrame SparkSession SparkContext"); r.value() != "['kept']" {
			t.Errorf("%s %s", r.Reason, r.value())
		}
	})

	t.Run("SQL that is none fails as it does in Python", func(t *testing.T) {
		python, sql := d.run("spark.sql('SELECT ( FROM x')"), d.run("%%sql\nSELECT ( FROM x")
		if python.Reason != sql.Reason || !strings.HasPrefix(sql.Reason, "ParseException: [PARSE_SYNTAX_ERROR]") {
			t.Errorf("%q\n%q", python.Reason, sql.Reason)
		}
		if !strings.HasPrefix(sql.stderr, "File \"<stdin>\", line 1, in <module>\n") || strings.Contains(sql.stderr, "hearth_magics") || strings.Contains(sql.stderr, "IPython") {
			t.Errorf("%s", sql.stderr)
		}
	})

	t.Run("a table of Spark's", func(t *testing.T) {
		r := d.run("%table spark.range(3)")
		if r.value() != " id\n  0\n  1\n  2" || !strings.Contains(fmt.Sprint(r.shown[0].data["text/html"]), "<td>2</td>") {
			t.Errorf("%s %v", r.Reason, r.shown)
		}
		if r := d.run("%table spark.range(1000)"); !strings.HasSuffix(r.value(), " 99\nThe first 100 rows; there are more.") {
			t.Errorf("%s %s", r.Reason, r.value())
		}
	})

	t.Run("a function that logs goes to the workers", func(t *testing.T) {
		r := d.run("@udf('long')\ndef logged(x):\n    athena_user_logger.info(x)\n    return x\nspark.range(1).select(logged('id')).first()[0]")
		if r.value() != "0" || r.stderr != "" {
			t.Errorf("%s %s", r.value(), r.stderr)
		}
	})

	for _, test := range []struct{ name, code, reason, stderr string }{
		{"a table that is not there", "spark.sql('select * from nowhere')", "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] ", "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found."},
		{"a function that raises", "@udf('long')\ndef bad(x): return 1 // 0\nspark.range(1).select(bad('id')).collect()", "PythonException: ", "\n  File \"<stdin>\", line 2, in bad\nZeroDivisionError: integer division or modulo by zero\n"},
		{"a Java exception", "sc._jvm.java.lang.Class.forName('no.such.Thing')", "Py4JJavaError: java.lang.ClassNotFoundException: no.such.Thing", "java.lang.ClassNotFoundException: no.such.Thing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != kernel.StatusError || !strings.HasPrefix(r.Reason, test.reason) ||
				!strings.HasPrefix(r.stderr, `File "<stdin>", line `) || !strings.Contains(r.stderr, test.stderr) || strings.Contains(r.stderr, "kernel.py") {
				t.Errorf("%s, %s\n%s", r.Status, r.Reason, r.stderr)
			}
		})
	}

	t.Run("a session that cannot be tells the root cause", func(t *testing.T) {
		r := d.run(`
spark.conf.set("spark.sql.pyspark.jvmStacktrace.enabled", True) # as it is before there is a session
sc._jsc.sc().conf().set("spark.sql.shuffle.partitions", "abc")
try:
    spark.newSession().range(1).count()
finally:
    sc._jsc.sc().conf().remove("spark.sql.shuffle.partitions")
`)
		if want := "IllegalArgumentException: Error while instantiating 'org.apache.spark.sql.internal.SessionStateBuilder': IllegalArgumentException: spark.sql.shuffle.partitions should be int, but was abc"; r.Reason != want {
			t.Errorf("%q\nwant %q", r.Reason, want)
		}
		if !strings.Contains(r.stderr, "JVM stacktrace:") {
			t.Errorf("%s", r.stderr)
		}
		if r := d.run("spark.conf.unset('spark.sql.pyspark.jvmStacktrace.enabled')\nspark.newSession().range(1).count()"); r.value() != "1" {
			t.Errorf("after it: %s", r.stderr)
		}
	})

	t.Run("a column is no table", func(t *testing.T) {
		if r := d.run("%table spark.range(1).id"); r.Reason != "UsageError: %table takes a pandas or Spark DataFrame, and spark.range(1).id is of type Column." {
			t.Errorf("%s", r.Reason)
		}
	})

	d.run(soon + `
import time
from concurrent.futures import ThreadPoolExecutor
def endless():
    return spark.range(0, 10**13, 1, 8).selectExpr("sum(id * id % 7)").collect()
def tell_when_a_job_runs():
    def wait():
        while not sc.statusTracker().getActiveJobsIds(): time.sleep(0.01)
        print("on")
    threading.Thread(target=wait).start()
`)
	for _, test := range []struct{ name, code string }{
		{"a job", "tell_when_a_job_runs()\nendless()"},
		{"a job with Python functions", "@udf('long')\ndef slow(x):\n    time.sleep(0.1)\n    return x\ntell_when_a_job_runs()\nspark.range(100000).select(slow('id')).collect()"},
		{"a loop of jobs that swallows every exception", "tell_when_a_job_runs()\nwhile True:\n    try: endless()\n    except BaseException: pass"},
		{"a job in a group of its own", "sc.setJobGroup('mine', 'of the code')\ntell_when_a_job_runs()\nendless()"},
		{"jobs in threads", "pool = ThreadPoolExecutor(2)\nfutures = [pool.submit(endless) for _ in range(2)]\ntell_when_a_job_runs()\n[future.result() for future in futures]"},
		{"jobs in threads that are about to begin", "pool = ThreadPoolExecutor(2)\nsoon()\n[pool.submit(endless) for _ in range(2)]\nwhile True: pass"},
		{"a storm of calls", "soon()\nwhile True: sc._jvm.java.lang.System.nanoTime()"},
		{"rows on their way to pandas", "tell_when_a_job_runs()\nspark.range(0, 100_000_000, 1, 1000).toPandas()"},
		{"a wait for a stream", "query = spark.readStream.format('rate').load().writeStream.format('memory').queryName('rate').start()\nsoon()\nquery.awaitTermination()"},
		{"a sleep in the JVM", "soon()\nsc._jvm.java.lang.Thread.sleep(600000)"},
		{"a loop in the JVM", "soon()\nsc._jvm.java.math.BigInteger.valueOf(3).pow(400000000).toString()"},
	} {
		t.Run("cancel "+test.name, func(t *testing.T) {
			if r := d.cancel(test.code); r.Status != kernel.StatusCanceled || r.ExitStatus != 130 {
				t.Errorf("%s, exit %d, %q\n%s", r.Status, r.ExitStatus, r.Reason, r.stderr)
			}
			next := d.run("spark.range(10).count(), sc.getLocalProperty('spark.jobGroup.id'), sc.getLocalProperty('spark.job.description')")
			if want := "(10, '" + next.Calculation + "', 'Calculation " + next.Calculation + "')"; next.value() != want {
				t.Errorf("after it: %s, want %s\n%s", next.value(), want, next.stderr)
			}
			d.run("query.stop() if 'query' in globals() else None;")
			idle := d.run("while sc.statusTracker().getActiveJobsIds(): time.sleep(0.01)")
			if idle.Status != kernel.StatusOK {
				t.Errorf("%s", idle.stderr)
			}
		})
	}

	t.Run("pings are answered by Java", func(t *testing.T) {
		pong := func(n int64) {
			t.Helper()
			if m := d.receive(); m.Type != kernel.TypePong || m.N != n {
				t.Fatalf("%+v, want the answer to %d", m, n)
			}
		}
		id := d.submit("print('on')\nsc._jvm.java.lang.Thread.sleep(600000)")
		d.stdout.await("on\n")
		if m := d.receive(); m.Type != kernel.TypeStarted {
			t.Fatalf("%+v", m)
		}
		d.send(kernel.Ping(kernel.ProcessJVM, 1))
		pong(1)

		// One that is stopped delays no answer but its own.
		if err := d.java.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(d.java.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
			t.Fatalf("%v, %#x", err, status)
		}
		d.send(kernel.Ping(kernel.ProcessJVM, 2))
		for n := range int64(3) {
			d.send(kernel.Ping(kernel.ProcessKernel, 3+n))
			pong(3 + n)
		}
		if err := d.java.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		pong(2)

		d.send(kernel.Interrupt(id))
		if r := d.finish(id); r.Status != kernel.StatusCanceled {
			t.Errorf("%s %s", r.Status, r.stderr)
		}
		r := d.run("spark.range(10).count(), [thread.name for thread in threading.enumerate()].count('hearth-pulse')")
		if r.value() != "(10, 1)" {
			t.Errorf("after it: %s %s", r.value(), r.stderr)
		}
	})

	t.Run("memory that Java does not use any more is given back", func(t *testing.T) {
		d.run(`
import hearth_rest
def option(name): return hearth_rest.Management(sc._gateway).call("HotSpotDiagnostic", "getVMOption", name).get("value")
def options(): return [option(name) for name in ("MinHeapFreeRatio", "MaxHeapFreeRatio")]
def heap(): return sc._jvm.java.lang.Runtime.getRuntime().totalMemory() >> 20
were = options()
large = sc._jvm.java.lang.StringBuilder(500 << 20)
full = heap()
large.trimToSize()
`)
		d.send(kernel.Trim())
		r := d.run("for thread in threading.enumerate():\n    if thread.name == 'hearth-trim': thread.join()\nfull >= 480, heap() <= full - 400 or (full, heap()), options() == were, spark.range(10).count()")
		if r.value() != "(True, True, True, 10)" {
			t.Errorf("%s, the heap in MiB before and after\n%s", r.value(), r.stderr)
		}
	})

	t.Run("what cleans up after Spark is woken by what there is to clean", func(t *testing.T) {
		d.send(kernel.Trim())
		r := d.run(`
import gc, hearth_rest
for thread in threading.enumerate():
    if thread.name == 'hearth-trim': thread.join()
cleaner = sc._jvm.java.lang.Class.forName(hearth_rest.CLEANER)
poll = cleaner.getDeclaredField(hearth_rest.POLL)
poll.setAccessible(True)
cached = sc.parallelize(range(3)).cache()
counted = cached.count()
def kept(): return len(sc._jsc.sc().getRDDStorageInfo())
were = kept()
del cached
while kept() == were:
    gc.collect()
    sc._jvm.java.lang.System.gc()
counted, poll.getInt(cleaner.getField("MODULE$").get(None)) == hearth_rest.CALM_POLL
`)
		if r.value() != "(3, True)" {
			t.Errorf("%s\n%s", r.value(), r.stderr)
		}
	})

	t.Run("cancel SQL", func(t *testing.T) {
		d.run("tell_when_a_job_runs()")
		r := d.cancel("%%sql\nSELECT sum(id * id % 7) FROM range(0, 10000000000000, 1, 8)")
		if r.Status != kernel.StatusCanceled || r.ExitStatus != 130 {
			t.Errorf("%s, exit %d, %q\n%s", r.Status, r.ExitStatus, r.Reason, r.stderr)
		}
		if r := d.run("%%sql\nSELECT 1 AS a"); r.Status != kernel.StatusOK {
			t.Errorf("after it: %s", r.stderr)
		}
	})

	t.Run("accumulators are served until their context ends, which is not held up by that", func(t *testing.T) {
		r := d.run(`
from pyspark.sql import SparkSession
def accumulated():
    sum = sc.accumulator(0)
    sc.parallelize(range(10), 2).foreach(sum.add)
    return sum.value
first, server = accumulated(), sc._accumulatorServer
spark.stop()
closed = server.socket.fileno() == -1
spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
first, closed, accumulated()
`)
		if r.value() != "(45, True, 45)" {
			t.Errorf("%s\n%s", r.value(), r.stderr)
		}
	})

	t.Run("a session that the code makes again", func(t *testing.T) {
		r := d.run("from pyspark.sql import SparkSession\nspark.stop()\nspark = SparkSession.builder.getOrCreate()\nsc = spark.sparkContext\nspark.range(7).count()")
		if r.value() != "7" {
			t.Fatalf("%s\n%s", r.value(), r.stderr)
		}
		if r := d.cancel("soon()\nendless()"); r.Status != kernel.StatusCanceled {
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
		if r.Status != kernel.StatusError || r.Progress == "" || strings.Contains(r.stderr, "Exception while sending command") {
			t.Errorf("%s %q\n%s", r.Status, r.Reason, r.stderr)
		}
		if r := d.run("1 + 1"); r.value() != "2" {
			t.Errorf("%s\n%s", r.value(), r.stderr)
		}
	})

	t.Run("end ends it", func(t *testing.T) {
		d.send(kernel.End())
		if err := d.cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}
