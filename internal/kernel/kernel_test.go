package kernel_test

import (
	"encoding/base64"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hearth/internal/kernel"
	"hearth/internal/testenv"
)

func TestStart(t *testing.T) {
	d := lightDriver(t)
	if fmt.Sprint(d.phases) != "[python]" || d.ready.Spark != "" {
		t.Errorf("phases %v, ready %+v", d.phases, d.ready)
	}
	python, err := exec.Command(testenv.Python(t), "-c", "import platform; print(platform.python_version())").Output()
	if err != nil || d.ready.Python != strings.TrimSpace(string(python)) {
		t.Errorf("says it is Python %q, is %q (%v)", d.ready.Python, python, err)
	}
}

// TestOutput is about stdout and stderr: they hold what the code printed.
func TestOutput(t *testing.T) {
	d := lightDriver(t)
	for _, test := range []struct{ name, code, stdout, stderr string }{
		{"print", "print('a', 1)", "a 1\n", ""},
		{"no line end", "print('a', end='')", "a", ""},
		{"order of print, a descriptor and subprocesses", `
import os, subprocess, sys
print("1", end=" ")
os.write(1, b"2 ")
print("3", end=" ")
os.system("printf '4 '")
sys.stdout.buffer.write(b"5 ")
subprocess.run(["printf", "6 "])
print("7")
`, "1 2 3 4 5 6 7\n", ""},
		{"bytes that are no text", `sys.stdout.buffer.write(b"\xff\x00\r\n");`, "\xff\x00\r\n", ""},
		{"a file name that is no text", `print(os.fsdecode(b"a\xffb"))`, "a\xffb\n", ""},
		{"stderr", `print("e", file=sys.stderr); subprocess.run("printf f >&2", shell=True);`, "", "e\nf"},
		{"a warning", "import warnings\nwarnings.warn('careful')", "", "<stdin>:2: UserWarning: careful\n  warnings.warn('careful')\n"},
		{"more than a pipe holds", `print("x" * 1000000)`, strings.Repeat("x", 1000000) + "\n", ""},
		{"a pipe that a subprocess made non-blocking", `
import fcntl
fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_NONBLOCK)
print("x" * 1000000)
`, strings.Repeat("x", 1000000) + "\n", ""},
		{"a thread", `
import threading
thread = threading.Thread(target=lambda: print("from the thread"))
thread.start()
thread.join()
`, "from the thread\n", ""},
		{"a process pool", "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, 2]))", "[1, 2]\n", ""},
		{"a child left running the kernel", "warnings.simplefilter('ignore', DeprecationWarning)\nif os.fork() == 0: print('child')\nelse: os.wait(); print('parent')", "child\nparent\n", ""},
		{"stdin has ended", "import sys\nprint(repr(sys.stdin.read()))", "''\n", ""},
		{"the last value is not printed", "1 + 1", "", ""},
		{"nothing", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != kernel.StatusOK || r.stdout != test.stdout || r.stderr != test.stderr {
				t.Errorf("status %s (%s)\nstdout %.200q, want %.200q\nstderr %.2000q, want %q", r.Status, r.Reason, r.stdout, test.stdout, r.stderr, test.stderr)
			}
		})
	}
}

// TestOutput_AfterDamage is about code that spoils the standard streams: the
// next calculation has them again.
func TestOutput_AfterDamage(t *testing.T) {
	d := lightDriver(t)
	d.run("import os, sys")
	for _, code := range []string{
		"sys.stdout.close(); sys.stderr.close()",
		"sys.stdout = sys.stderr = None",
		"sys.stdout = open('/dev/null', 'w')",
		"sys.stdout.detach();",
		"os.close(0); os.close(1); os.close(2)",
		"os.dup2(os.open('/dev/null', os.O_WRONLY), 1)",
		"sys.stdin.close()",
		"sys.settrace(lambda *a: None)\nsys.displayhook = None\nsys.excepthook = None",
	} {
		t.Run(code, func(t *testing.T) {
			if r := d.run(code); r.Status != kernel.StatusOK {
				t.Errorf("%s: %s", r.Status, r.Reason)
			}
			r := d.run("print('out')\nos.system('echo out too; echo err >&2')\nsys.stdin.read()\nfoobar")
			if r.stdout != "out\nout too\n" || r.stderr != "err\nFile \"<stdin>\", line 4, in <module>\nNameError: name 'foobar' is not defined\n" {
				t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
			}
		})
	}
}

// TestError is about the form of errors on stderr and in the message.
func TestError(t *testing.T) {
	d := lightDriver(t)
	for _, test := range []struct{ name, code, stderr, reason string }{
		{
			"a name, as on Athena", "x = 1\nfoobar",
			"File \"<stdin>\", line 2, in <module>\nNameError: name 'foobar' is not defined\n",
			"NameError: name 'foobar' is not defined",
		},
		{
			"empty lines count", "\n\n\nfoobar",
			"File \"<stdin>\", line 4, in <module>\nNameError: name 'foobar' is not defined\n",
			"NameError: name 'foobar' is not defined",
		},
		{
			"frames of functions, also from before", "def inner():\n    1 / 0\ndef outer():\n    inner()\nouter()",
			"File \"<stdin>\", line 5, in <module>\nFile \"<stdin>\", line 4, in outer\nFile \"<stdin>\", line 2, in inner\nZeroDivisionError: division by zero\n",
			"ZeroDivisionError: division by zero",
		},
		{
			"syntax", "print('not run')\nx = = 1",
			"File \"<stdin>\", line 2\n  x = = 1\n      ^\nSyntaxError: invalid syntax\n",
			"SyntaxError: invalid syntax (<stdin>, line 2)",
		},
		{
			"syntax that only the compiler finds", "print('not run')\nbreak",
			"File \"<stdin>\", line 2\nSyntaxError: 'break' outside loop\n",
			"SyntaxError: 'break' outside loop (<stdin>, line 2)",
		},
		{
			"a cause", "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('told') from error",
			"File \"<stdin>\", line 2, in <module>\nZeroDivisionError: division by zero\n\nThe above exception was the direct cause of the following exception:\n\n" +
				"File \"<stdin>\", line 4, in <module>\nValueError: told\n",
			"ValueError: told",
		},
		{
			"a context", "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('told')",
			"File \"<stdin>\", line 2, in <module>\nZeroDivisionError: division by zero\n\nDuring handling of the above exception, another exception occurred:\n\n" +
				"File \"<stdin>\", line 4, in <module>\nValueError: told\n",
			"ValueError: told",
		},
		{
			"a class of its own", "class Bad(Exception): pass\nraise Bad('it is')",
			"File \"<stdin>\", line 2, in <module>\nBad: it is\n",
			"Bad: it is",
		},
		{
			"no text", "raise ValueError",
			"File \"<stdin>\", line 1, in <module>\nValueError\n",
			"ValueError",
		},
		{
			"text that cannot be had", "class Mute(Exception):\n    def __str__(self): 1 / 0\nraise Mute",
			"File \"<stdin>\", line 3, in <module>\nMute: <exception str() failed>\n",
			"Mute: <its text is not available: ZeroDivisionError>",
		},
		{
			"input", "input('name? ')",
			"File \"<stdin>\", line 1, in <module>\nEOFError: input() is not answered: a calculation runs without a terminal. Put the value into the code.\n",
			"EOFError: input() is not answered: a calculation runs without a terminal. Put the value into the code.",
		},
		{
			"in a coroutine", "import asyncio\nawait asyncio.sleep(0)\n1 / 0",
			"File \"<stdin>\", line 3, in <module>\nZeroDivisionError: division by zero\n",
			"ZeroDivisionError: division by zero",
		},
		{
			"recursion", "import sys\nsys.setrecursionlimit(100)\ndef down(): down()\ntry:\n    down()\nexcept RecursionError as error:\n    sys.setrecursionlimit(1000)\n    raise KeyError(1) from None",
			"File \"<stdin>\", line 8, in <module>\nKeyError: 1\n",
			"KeyError: 1",
		},
		{
			"an interrupt of its own", "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)",
			"File \"<stdin>\", line 2, in <module>\nKeyboardInterrupt\n",
			"KeyboardInterrupt",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != kernel.StatusError || r.ExitStatus != 1 || r.stdout != "" || r.stderr != test.stderr || r.Reason != test.reason {
				t.Errorf("status %s, exit %d, stdout %q\nreason %q\nwant   %q\nstderr %q\nwant   %q", r.Status, r.ExitStatus, r.stdout, r.Reason, test.reason, r.stderr, test.stderr)
			}
			if r.Error == nil || strings.Join(r.Error.Traceback, "\n")+"\n" != r.stderr || !strings.HasPrefix(r.Reason, r.Error.Name) {
				t.Errorf("error %+v", r.Error)
			}
		})
	}

	t.Run("a stack of Java's is told by its root cause", func(t *testing.T) {
		for _, test := range []struct{ name, text, reason string }{
			{
				"as a Spark that does not start has it",
				"Error while instantiating 'org.apache.spark.sql.internal.SessionStateBuilder':\n\nJVM stacktrace:\n" +
					"java.lang.IllegalArgumentException: Error while instantiating 'org.apache.spark.sql.internal.SessionStateBuilder':\n" +
					"\tat org.apache.spark.sql.SparkSession$.instantiateSessionState(SparkSession.scala:1237)\n" +
					"Caused by: java.lang.reflect.InvocationTargetException\n\tat Here.there(Here.java:1)\n\t... 16 more\n" +
					"Caused by: java.lang.IllegalArgumentException: spark.sql.shuffle.partitions should be int, but was abc\n" +
					"\tat org.apache.spark.internal.config.ConfigHelpers$.toNumber(ConfigBuilder.scala:35)\n\t... 21 more\n",
				"Bad: Error while instantiating 'org.apache.spark.sql.internal.SessionStateBuilder': IllegalArgumentException: spark.sql.shuffle.partitions should be int, but was abc",
			},
			{"a cause without a message", "It failed\n\nJVM stacktrace:\na.B: It failed\n\tat a.B.c\nCaused by: a.b.C$D\n\tat a.B.c\n", "Bad: It failed: C$D"},
			{"no cause", "[SOME_CLASS] It failed.\n\nJVM stacktrace:\na.B: It failed.\n\tat a.B.c\n", "Bad: [SOME_CLASS] It failed."},
			{"a cause that is told already", "Of D: x is y\n\nJVM stacktrace:\na.B: Of D: x is y\n\tat a.B.c\nCaused by: a.D: x is y\n", "Bad: Of D: x is y"},
		} {
			t.Run(test.name, func(t *testing.T) {
				r := d.run(fmt.Sprintf("class Bad(Exception): pass\nraise Bad(%q)", test.text))
				if r.Reason != test.reason || "Bad: "+r.Error.Value != test.reason {
					t.Errorf("reason %q\nwant   %q\nvalue  %q", r.Reason, test.reason, r.Error.Value)
				}
				if want := "File \"<stdin>\", line 2, in <module>\nBad: " + strings.TrimRight(test.text, "\n") + "\n"; r.stderr != want {
					t.Errorf("stderr %q\nwant   %q", r.stderr, want)
				}
			})
		}
	})

	t.Run("frames of libraries are shown with their line", func(t *testing.T) {
		r := d.run("import json\njson.loads('{')")
		lines := strings.Split(r.stderr, "\n")
		if len(lines) < 6 || lines[0] != `File "<stdin>", line 2, in <module>` ||
			!strings.HasSuffix(lines[1], ", in loads") || lines[2] != "  return _default_decoder.decode(s)" ||
			lines[len(lines)-2] != "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)" {
			t.Errorf("%s", r.stderr)
		}
	})

	t.Run("a long repetition is cut", func(t *testing.T) {
		r := d.run("def down(): down()\ndown()")
		lines := strings.Split(r.stderr, "\n")
		if len(lines) != 7 || !strings.HasPrefix(lines[4], "[Previous line repeated ") || !strings.HasPrefix(lines[5], "RecursionError: ") {
			t.Errorf("%s", r.stderr)
		}
	})

	t.Run("a child left running the kernel", func(t *testing.T) {
		r := d.run("import os, warnings\nwarnings.simplefilter('ignore', DeprecationWarning)\npid = os.fork()\nif pid == 0: 1 / 0\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])")
		if r.Status != kernel.StatusOK || r.value() != "1" || r.stderr != "File \"<stdin>\", line 4, in <module>\nZeroDivisionError: division by zero\n" {
			t.Errorf("%s %v %q", r.Status, r.shown, r.stderr)
		}
	})

	t.Run("a very long text", func(t *testing.T) {
		r := d.run("raise ValueError('x' * (8 << 20))")
		if r.Status != kernel.StatusError || len(r.Reason) > 3000 || len(r.Error.Value) > 70000 || len(r.stderr) < 8<<20 {
			t.Errorf("%s, reason of %d, value of %d, stderr of %d", r.Status, len(r.Reason), len(r.Error.Value), len(r.stderr))
		}
	})
}

func TestExit(t *testing.T) {
	d := lightDriver(t)
	for _, test := range []struct {
		code, status string
		exit         int
		stderr       string
	}{
		{"import sys; sys.exit()", kernel.StatusOK, 0, ""},
		{"sys.exit(0)", kernel.StatusOK, 0, ""},
		{"sys.exit(3)", kernel.StatusError, 3, ""},
		{"exit(4)", kernel.StatusError, 4, ""},
		{"sys.exit('no data')", kernel.StatusError, 1, "no data\n"},
		{"await asyncio.sleep(0) if 'asyncio' in globals() else sys.exit(5)", kernel.StatusError, 5, ""},
	} {
		t.Run(test.code, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != test.status || r.ExitStatus != test.exit || r.stderr != test.stderr {
				t.Errorf("%s, exit %d, stderr %q", r.Status, r.ExitStatus, r.stderr)
			}
		})
	}
}

// value is the plain text of the only thing shown.
func (r ran) value() string {
	if len(r.shown) != 1 {
		return fmt.Sprintf("%d things shown", len(r.shown))
	}
	return fmt.Sprint(r.shown[0].data["text/plain"])
}

// TestResult is about values and figures: they come as MIME bundles.
func TestResult(t *testing.T) {
	d := lightDriver(t)
	for _, test := range []struct{ name, code, value string }{
		{"the last expression", "x = 20\nx + 1", "21"},
		{"variables live on", "x", "20"},
		{"the value before", "_", "20"},
		{"a coroutine's", "import asyncio\nawait asyncio.sleep(0, 'awaited')", "'awaited'"},
		{"a task lives on", "task = asyncio.create_task(asyncio.sleep(0.01, 'done'))\nawait asyncio.sleep(0, 1)", "1"},
		{"and ends", "await task", "'done'"},
		{"the module is __main__", "import pickle\nclass Point: pass\n(__name__, pickle.loads(pickle.dumps(Point)) is Point)", "('__main__', True)"},
		{"the source of a function can be found", "def answer(): return 42\nimport inspect\ninspect.getsource(answer)", `'def answer(): return 42\n'`},
		{"and after other calculations too", "inspect.getsource(answer)", `'def answer(): return 42\n'`},
		{"a lone surrogate", `class Odd:
    def __repr__(self): return "\ud800"
Odd()`, "\ufffd"},
		{"a display", "display('shown')", "'shown'"},
		{"too large a value", "class Large:\n    def __repr__(self): return 'x' * (65 << 20)\nLarge()", "<a result of 65 MiB is not shown: the limit is 64 MiB>"},
		{"no path of the kernel's among the modules'", "import sys\nsys.path[0], sys.argv", "('', [''])"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != kernel.StatusOK || r.value() != test.value || r.stdout != "" || r.stderr != "" {
				t.Errorf("status %s (%s), value %.200s, want %s\nstdout %q, stderr %q", r.Status, r.Reason, r.value(), test.value, r.stdout, r.stderr)
			}
		})
	}

	t.Run("a semicolon hides it", func(t *testing.T) {
		if r := d.run("1;"); len(r.shown) != 0 {
			t.Errorf("%v", r.shown)
		}
	})

	t.Run("a data frame has a table", func(t *testing.T) {
		r := d.run("import pandas\npandas.DataFrame({'a': [1]})")
		if len(r.shown) != 1 || r.shown[0].kind != kernel.TypeExecuteResult || !strings.Contains(fmt.Sprint(r.shown[0].data["text/html"]), "<table") {
			t.Errorf("%s %v", r.Reason, r.shown)
		}
	})

	t.Run("a figure is a picture", func(t *testing.T) {
		r := d.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
		if len(r.shown) != 1 || r.shown[0].kind != kernel.TypeDisplayData {
			t.Fatalf("%s %v", r.Reason, r.shown)
		}
		picture, err := base64.StdEncoding.DecodeString(strings.TrimSpace(fmt.Sprint(r.shown[0].data["image/png"])))
		if err != nil || !strings.HasPrefix(string(picture), "\x89PNG") {
			t.Errorf("%v %.20q", err, picture)
		}
	})

	t.Run("several displays come in order", func(t *testing.T) {
		r := d.run("display(1)\ndisplay(2)\n3")
		if fmt.Sprint(r.shown) != "[{display_data map[text/plain:1]} {display_data map[text/plain:2]} {execute_result map[text/plain:3]}]" {
			t.Errorf("%v", r.shown)
		}
	})

	t.Run("what JSON does not have", func(t *testing.T) {
		r := d.run("display({'application/json': {1: float('nan'), 'b': b'bytes', 'o': object}}, raw=True)")
		if r.Status != kernel.StatusOK || fmt.Sprint(r.shown) != "[{display_data map[application/json:map[1:<nil> b:Ynl0ZXM= o:<class 'object'>]]}]" {
			t.Errorf("%s %v", r.Reason, r.shown)
		}
	})

	t.Run("a value that cannot be shown", func(t *testing.T) {
		r := d.run("class Mute:\n    def __repr__(self): 1 / 0\nMute()")
		if r.stderr != "File \"<stdin>\", line 2, in __repr__\nZeroDivisionError: division by zero\n" {
			t.Errorf("%q", r.stderr)
		}
	})

	t.Run("progress is never empty", func(t *testing.T) {
		if done, broken := d.run("1").Progress, d.run("1 / 0").Progress; done != "100% (no Spark tasks)" || broken != "0% (no Spark tasks)" {
			t.Errorf("%q, %q", done, broken)
		}
	})
}

// soon tells that code is where it is to be interrupted: in what comes after.
const soon = `
import threading
def soon(): threading.Timer(0.1, print, ["on"]).start()
`

// TestCancel is about code that runs in Python alone.
func TestCancel(t *testing.T) {
	d := lightDriver(t)
	d.run(soon + "import asyncio, os, signal, subprocess, sys, time")
	for _, test := range []struct{ name, code string }{
		{"a sleep", "soon()\ntime.sleep(600)"},
		{"a busy loop", "soon()\nwhile True: pass"},
		{"a loop that swallows every exception", "soon()\nwhile True:\n    try: time.sleep(0.001)\n    except BaseException: pass"},
		{"such loops around each other", `
def stubborn():
    while True:
        try:
            while True:
                try: time.sleep(0.001)
                except BaseException: pass
        except BaseException: pass
soon()
while True:
    try: stubborn()
    except BaseException: pass
`},
		{"a loop that starts again from finally", "soon()\nwhile True:\n    try:\n        while True: pass\n    finally: continue"},
		{"a lock that nobody opens", "lock = threading.Lock()\nlock.acquire()\nsoon()\nlock.acquire()"},
		{"a thread that does not end", "thread = threading.Thread(target=time.sleep, args=[600], daemon=True)\nthread.start()\nsoon()\nthread.join()"},
		{"printing without end", "while True: print('on')"},
		{"showing without end", "print('on')\nwhile True: display('x' * 1000)"},
		{"a subprocess", "soon()\nsubprocess.run(['sleep', '600'])"},
		{"a subprocess that hides from signals", "soon()\nos.system('sleep 600')"},
		{"an await", "soon()\nawait asyncio.sleep(600)"},
		{"an await that swallows every exception", "soon()\nwhile True:\n    try: await asyncio.sleep(600)\n    except BaseException: pass"},
		{"a busy coroutine", "await asyncio.sleep(0)\nsoon()\nwhile True: pass"},
		{"a busy task beside an await", "async def busy():\n    soon()\n    while True: pass\nrunning = asyncio.create_task(busy())\nawait asyncio.sleep(600)"},
		{"code that ignores SIGINT", "signal.signal(signal.SIGINT, signal.SIG_IGN)\nsoon()\ntime.sleep(600)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.cancel(test.code)
			if r.Status != kernel.StatusCanceled || r.ExitStatus != 130 || r.Reason != "The calculation was canceled." {
				t.Errorf("%s, exit %d, %q\n%s", r.Status, r.ExitStatus, r.Reason, r.stderr)
			}
			// The interrupts of one are not felt by the next.
			next := d.run("for _ in range(100000): pass\nprint('whole')")
			if next.Status != kernel.StatusOK || next.stdout != "whole\n" {
				t.Errorf("after it: %s, %q, %q", next.Status, next.stdout, next.stderr)
			}
		})
	}

	t.Run("the error shows where", func(t *testing.T) {
		r := d.cancel("soon(); time.sleep(600)")
		if r.stderr != "File \"<stdin>\", line 1, in <module>\nKeyboardInterrupt\n" {
			t.Errorf("%q", r.stderr)
		}
	})

	t.Run("a command after ! ends, and what follows does not run", func(t *testing.T) {
		r := d.cancel("soon()\n!sleep 600\nprint('not run')")
		if r.Status != kernel.StatusCanceled || r.stdout != "on\n" {
			t.Errorf("%s %q", r.Status, r.stdout)
		}
	})

	t.Run("clean-up code runs", func(t *testing.T) {
		r := d.cancel("try:\n    print('on')\n    time.sleep(600)\nfinally:\n    print('cleaned')")
		if r.stdout != "on\ncleaned\n" {
			t.Errorf("%q", r.stdout)
		}
	})

	t.Run("one that waits for its turn does not run", func(t *testing.T) {
		first, second := d.submit("print('on')\ntime.sleep(600)"), d.submit("print('not run')")
		d.stdout.await("on\n")
		d.send(kernel.Interrupt(second))
		d.send(kernel.Interrupt(first))
		if r := d.finish(first); r.Status != kernel.StatusCanceled {
			t.Errorf("the first: %s", r.Status)
		}
		if r := d.finish(second); r.Status != kernel.StatusCanceled || r.stdout != "" {
			t.Errorf("the second: %s %q", r.Status, r.stdout)
		}
	})

	t.Run("one that is over stays what it was", func(t *testing.T) {
		id := d.submit("1")
		if r := d.finish(id); r.Status != kernel.StatusOK {
			t.Fatal(r.Status)
		}
		d.send(kernel.Interrupt(id))
		d.send(kernel.Interrupt("never heard of"))
		if r := d.run("for _ in range(100000): pass"); r.Status != kernel.StatusOK {
			t.Errorf("%s %s", r.Status, r.Reason)
		}
	})
}

func TestControl(t *testing.T) {
	t.Run("pings are answered while code runs", func(t *testing.T) {
		d := lightDriver(t)
		id := d.submit("while True: pass")
		for m := d.receive(); m.Type != kernel.TypeStarted; m = d.receive() {
		}
		d.send(kernel.Ping(kernel.ProcessKernel, 7))
		if m := d.receive(); m.Type != kernel.TypePong || m.N != 7 {
			t.Errorf("%+v", m)
		}
		d.send(kernel.Interrupt(id))
		d.finish(id)
	})

	t.Run("that memory is given back is nothing that code sees", func(t *testing.T) {
		d := lightDriver(t)
		d.send(kernel.Trim())
		if r := d.run("import threading\nfor thread in threading.enumerate():\n    if thread.name == 'hearth-trim': thread.join()\n1 + 1"); r.value() != "2" || r.stdout+r.stderr != "" {
			t.Errorf("%s %s%s", r.value(), r.stdout, r.stderr)
		}
	})

	t.Run("a question that it has no answer to gets the reason", func(t *testing.T) {
		d := lightDriver(t)
		for _, question := range []kernel.Command{kernel.Connect(), kernel.UI()} {
			d.send(question)
			if m := d.receive(); m.Type != question.Type || m.Address != "" || m.Reason != "there is no SparkContext" {
				t.Errorf("%+v", m)
			}
		}
	})

	t.Run("subprocesses do not get the channel", func(t *testing.T) {
		d := lightDriver(t)
		r := d.run("import subprocess\nsubprocess.run('readlink /proc/self/fd/*', shell=True, close_fds=False);")
		if r.Status != kernel.StatusOK || strings.Contains(r.stdout, "socket:") {
			t.Errorf("%s", r.stdout)
		}
	})

	t.Run("end ends it", func(t *testing.T) {
		d := lightDriver(t)
		d.run("import atexit, threading, time\natexit.register(print, 'at exit')\nthreading.Thread(target=time.sleep, args=[600]).start()")
		d.send(kernel.End())
		if err := d.cmd.Wait(); err != nil {
			t.Error(err)
		}
		if out := d.stdout.take(); out != "at exit\n" {
			t.Errorf("%q", out)
		}
	})

	t.Run("end stops what runs first", func(t *testing.T) {
		d := lightDriver(t)
		id := d.submit("import time\nprint('on')\ntime.sleep(600)")
		d.stdout.await("on\n")
		d.send(kernel.End())
		if r := d.finish(id); r.Status != kernel.StatusCanceled {
			t.Errorf("%s", r.Status)
		}
		if err := d.cmd.Wait(); err != nil {
			t.Error(err)
		}
	})

	t.Run("without a shim it ends with its children", func(t *testing.T) {
		d := lightDriver(t)
		r := d.run("import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nchild.pid")
		if _, err := strconv.Atoi(r.value()); err != nil {
			t.Fatal(err)
		}
		if err := d.control.Close(); err != nil {
			t.Fatal(err)
		}
		err, ok := d.cmd.Wait().(*exec.ExitError)
		if !ok || err.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("%v", err)
		}
	})

	t.Run("code that ends the process ends the process", func(t *testing.T) {
		d := lightDriver(t)
		d.submit("import os\nos._exit(7)")
		for m := d.receive(); m.Type != ""; m = d.receive() {
		}
		err, ok := d.cmd.Wait().(*exec.ExitError)
		if !ok || err.ExitCode() != 7 {
			t.Errorf("%v", err)
		}
	})
}
