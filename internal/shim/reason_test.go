package shim

import (
	"strings"
	"syscall"
	"testing"
)

// The logs are what Java 17, Spark 3.5 and Python 3.11 say.
func TestDeath_Cause(t *testing.T) {
	const warnings = "26/11/22 13:27:31 WARN Utils: Set SPARK_LOCAL_IP if you need to bind to another address\n"
	for name, c := range map[string]struct {
		death    death
		starting bool
		want     string
	}{
		"killed": {
			death{process: JVMProcess, signal: syscall.SIGKILL, log: "java.lang.Error: of earlier"},
			false,
			"The driver's Java process was killed by signal 9 (SIGKILL)",
		},
		"out of memory": {
			death{process: KernelProcess, signal: syscall.SIGKILL, oom: true},
			false,
			"The driver's Python process was killed by signal 9 (SIGKILL) by the system's out-of-memory killer: the machine, or the container that the driver runs in, has too little memory",
		},
		"out of its own memory": {
			death{process: JVMProcess, signal: syscall.SIGKILL, oom: true, limit: 3 << 30},
			false,
			"The driver's Java process was killed by signal 9 (SIGKILL) by the system's out-of-memory killer: the driver needed more than the 3072 MiB that it may use, which spark.driver.memory decides",
		},
		"crashed": {
			death{process: KernelProcess, signal: syscall.SIGSEGV, oom: true, log: "Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n  File \"x.py\", line 1 in f"},
			false,
			"The driver's Python process was killed by signal 11 (SIGSEGV): Fatal Python error: Segmentation fault",
		},
		"a property that cannot be": {
			death{process: JVMProcess, code: 1, log: warnings + "Exception in thread \"main\" org.apache.spark.SparkException: Driver memory must be a positive number\n\tat org.apache.spark.deploy.SparkSubmitArguments.error(SparkSubmitArguments.scala:650)"},
			true,
			"The driver's Java process ended by itself with status 1 before Spark was ready: org.apache.spark.SparkException: Driver memory must be a positive number",
		},
		"an option that Java does not have": {
			death{process: JVMProcess, code: 1, log: "Unrecognized VM option 'Nonsense'\nError: Could not create the Java Virtual Machine.\nError: A fatal exception has occurred. Program will exit."},
			true,
			"The driver's Java process ended by itself with status 1 before Spark was ready: Unrecognized VM option 'Nonsense'",
		},
		"a heap that is too small": {
			death{process: JVMProcess, code: 1, log: "Error occurred during initialization of VM\nToo small maximum heap"},
			true,
			"The driver's Java process ended by itself with status 1 before Spark was ready: Too small maximum heap",
		},
		"jars that are not there": {
			death{process: JVMProcess, code: 1, log: "Error: Could not find or load main class org.apache.spark.deploy.SparkSubmit\nCaused by: java.lang.ClassNotFoundException: org.apache.spark.deploy.SparkSubmit"},
			true,
			"The driver's Java process ended by itself with status 1 before Spark was ready: Error: Could not find or load main class org.apache.spark.deploy.SparkSubmit, caused by java.lang.ClassNotFoundException: org.apache.spark.deploy.SparkSubmit",
		},
		"nothing that looks like an error": {
			death{process: JVMProcess, code: 2, log: "one\ntwo\nthree\nfour FAILED"},
			true,
			"The driver's Java process ended by itself with status 2 before Spark was ready: two | three | four failed",
		},
		"the heap is full": {
			death{process: JVMProcess, code: 3, log: strings.Repeat("java.lang.Error: of earlier\n", 3) + strings.Repeat("noise\n", 39) + "Terminating due to java.lang.OutOfMemoryError: Java heap space\n"},
			false,
			"The driver's Java process ended by itself with status 3: Terminating due to java.lang.OutOfMemoryError: Java heap space",
		},
		"Spark gave up for want of memory": {
			death{process: JVMProcess, code: 52, log: "2026-11-22T18:02:26.805Z ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[main,5,main]\njava.lang.OutOfMemoryError: Java heap space"},
			false,
			"The driver's Java process ended by itself with status 52: its heap was full (java.lang.OutOfMemoryError); spark.driver.memory is how large it may be",
		},
		"Spark gave up for want of disk": {
			death{process: JVMProcess, code: 53},
			true,
			"The driver's Java process ended by itself with status 53 before Spark was ready: it could not make a directory for Spark's files, whose disk may be full",
		},
		"the same status of Python's": {
			death{process: KernelProcess, code: 52},
			false,
			"The driver's Python process ended by itself with status 52",
		},
		"an error of a calculation does not explain": {
			death{process: KernelProcess, code: 7, log: "java.lang.IllegalStateException: unread block data"},
			false,
			"The driver's Python process ended by itself with status 7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.death.cause(c.starting).Reason; got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	if got := quote("a\n\tb \xff" + strings.Repeat("x", 2000)); !strings.HasPrefix(got, "a b ?xxx") || len([]rune(got)) != 601 {
		t.Errorf("got %q", got)
	}
}
