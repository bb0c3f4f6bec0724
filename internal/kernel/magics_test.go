package kernel_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hearth/internal/kernel"
)

// session is what the drivers of the tests know of theirs.
var session = kernel.Session{
	ID: "3ad101bc-1489-47e7-8117-fe1ddb7bc6d3", WorkGroup: "primary", Engine: "PySpark engine version 3",
	StartedAt: 1773489600.5, NotebookID: "notebook",
	Earlier: []kernel.EarlierSession{
		{ID: "2ad101bc-1489-47e7-8117-fe1ddb7bc6d3", State: "TERMINATED", StartedAt: 1773400000, EndedAt: 1773400061},
		{ID: "1ad101bc-1489-47e7-8117-fe1ddb7bc6d3", State: "FAILED", StartedAt: 1773300000, EndedAt: 1773300059},
	},
}

var logTime = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`)

// logOf gives the driver's log without the times.
func (d *driver) logOf() string {
	d.t.Helper()
	log, err := os.ReadFile(filepath.Join(d.bundle, "driver.log"))
	if err != nil {
		d.t.Fatal(err)
	}
	return logTime.ReplaceAllString(string(log), "TIME")
}

// TestMagics is about magics that print; they need no Spark.
func TestMagics(t *testing.T) {
	d := lightDriver(t)
	for _, test := range []struct{ name, code, stdout string }{
		{"status", "%status", "Session ID: " + session.ID + "\nState: BUSY\nWorkGroup: primary\nEngine version: PySpark engine version 3\nStart time: 2026-03-14 12:00:00 UTC\n"},
		{"session_id", "%session_id", session.ID + "\n"},
		{"list_sessions", "%list_sessions", "" +
			"Session ID                            State       Start time               End time\n" +
			session.ID + "  BUSY        2026-03-14 12:00:00 UTC  -\n" +
			session.Earlier[0].ID + "  TERMINATED  2026-03-13 11:06:40 UTC  2026-03-13 11:07:41 UTC\n" +
			session.Earlier[1].ID + "  FAILED      2026-03-12 07:20:00 UTC  2026-03-12 07:20:59 UTC\n"},
		{"within a program", "for _ in range(2):\n    %session_id\nprint('end')", session.ID + "\n" + session.ID + "\nend\n"},
		{"after the code has moved to another directory", "import os, tempfile\nos.chdir(tempfile.mkdtemp())\n%session_id", session.ID + "\n"},
		{"those of IPython: who", "%reset -f\nx = 1\n%who", "x\t \n"},
		{"those of IPython: env", "%env HEARTH_TEST=1\n!echo $HEARTH_TEST", "env: HEARTH_TEST=1\n1\n"},
		{"those of IPython: a command", "text = 'a'\n!printf {text}; exit 3\nprint(_exit_code)", "a3\n"},
		{"those of IPython: capture", "%%capture kept\n%session_id", ""},
		{"and what it captured", "print(repr(kept.stdout))", "'" + session.ID + `\n'` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			if r.Status != kernel.StatusOK || r.stdout != test.stdout || r.stderr != "" || len(r.shown) != 0 {
				t.Errorf("status %s (%s)\nstdout %q\nwant   %q\nstderr %q, shown %v", r.Status, r.Reason, r.stdout, test.stdout, r.stderr, r.shown)
			}
		})
	}

	t.Run("help has every magic with its description", func(t *testing.T) {
		r := d.run("%help")
		for _, name := range []string{"%%sql", "%help", "%list_sessions", "%lsmagic", "%matplot", "%plotly", "%session_id", "%set_log_level", "%status", "%table"} {
			if !strings.Contains("\n"+r.stdout, "\n"+name+" ") {
				t.Errorf("%s is missing:\n%s", name, r.stdout)
			}
		}
	})

	t.Run("lsmagic prints them, and IPython's too", func(t *testing.T) {
		r := d.run("%lsmagic")
		if !strings.HasPrefix(r.stdout, "Athena's cell magics:\n%%sql\nIPython's cell magics:\n%%!  ") || len(r.shown) != 0 {
			t.Errorf("%s %v\n%s", r.Reason, r.shown, r.stdout)
		}
		list := strings.ReplaceAll(r.stdout, "\n", " ")
		for _, name := range []string{"%%sql", "%status", "%set_log_level", "%%time", "%env", "%who"} {
			if !strings.Contains(list, " "+name+" ") {
				t.Errorf("%s is missing: %s", name, list)
			}
		}
		for line := range strings.Lines(r.stdout) {
			if len(line) > 101 {
				t.Errorf("a line of %d characters: %s", len(line), line)
			}
		}
	})

	t.Run("a question mark describes one", func(t *testing.T) {
		if r := d.run("%session_id?"); !strings.Contains(r.value(), "Print the session's id.") || r.stdout != "" {
			t.Errorf("%s %v %q", r.Reason, r.shown, r.stdout)
		}
	})

	t.Run("time and timed cells tell it", func(t *testing.T) {
		for _, code := range []string{"%time print('timed')", "%%time\nprint('timed')"} {
			if r := d.run(code); !strings.HasPrefix(r.stdout, "timed\n") || !strings.Contains(r.stdout, "Wall time: ") {
				t.Errorf("%s %q", r.Reason, r.stdout)
			}
		}
	})
}

// TestMagics_Refused is about the form of magics' errors, which is that of the
// code's.
func TestMagics_Refused(t *testing.T) {
	d := lightDriver(t)
	const levels = "%set_log_level takes one of DEBUG, ERROR, FATAL, INFO, WARN, WARNING, in upper case and without quotes; not "
	for _, test := range []struct{ name, code, line, text string }{
		{"one that is not there", "x = 1\n%nonsuch", "2", "UsageError: Line magic function `%nonsuch` not found."},
		{"SQL as a line, which Athena has not", "x = 1\n%sql SELECT 1", "2", "UsageError: Line magic function `%sql` not found (But cell magic `%%sql` exists, did you mean that instead?)."},
		{"SQL without Spark", "%%sql\nSELECT 1", "1", "UsageError: %%sql runs in the Spark session with the name spark, and there is none."},
		{"SQL with an option", "%%sql -o x\nSELECT 1", "1", "UsageError: %%sql has no options, and this is one or a statement: -o x. Write the SQL below the line with %%sql."},
		{"SQL on the line", "%%sql select 1", "1", "UsageError: %%sql has no options, and this is one or a statement: select 1. Write the SQL below the line with %%sql."},
		{"SQL on no line", "%%sql", "1", "UsageError: There is no SQL in the cell. Write the SQL below the line with %%sql."},
		{"SQL on empty lines", "%%sql\n\n \n", "1", "UsageError: There is no SQL in the cell. Write the SQL below the line with %%sql."},
		{"no body of another", "%%capture", "1", "UsageError: %%capture is a cell magic, but the cell body is empty."},
		{"no level", "%set_log_level", "1", "UsageError: " + levels + "''."},
		{"a level in lower case", "%set_log_level info", "1", "UsageError: " + levels + "'info'."},
		{"a level in quotes", `%set_log_level "INFO"`, "1", "UsageError: " + levels + `'"INFO"'.`},
		{"a level that Python knows", "%set_log_level CRITICAL", "1", "UsageError: " + levels + "'CRITICAL'."},
		{"no table", "\n%table", "2", "UsageError: Say what to show: %table df"},
		{"a table of what is none", "number = 1\n%table number", "2", "UsageError: %table takes a pandas or Spark DataFrame, and number is of type int."},
		{"a table with an option", "%table --help", "1", "UsageError: %table has no options, and this is one: --help. Say what to show: %table df"},
		{"a table of a class", "%table __import__('pandas').DataFrame", "1", "UsageError: %table takes a pandas or Spark DataFrame, and __import__('pandas').DataFrame is of type type."},
		{"a table of what has every attribute", "class Column:\n    def __getattr__(self, name): return self\n%table Column()", "3", "UsageError: %table takes a pandas or Spark DataFrame, and Column() is of type Column."},
		{"a table of what fails", "%table -'text'", "1", "TypeError: bad operand type for unary -: 'str'"},
		{"a table of a name that is not bound", "%table absent", "1", "NameError: name 'absent' is not defined"},
		{"a table of what is no Python", "%table a b", "1", "UsageError: a b is no expression of Python: invalid syntax."},
		{"a figure of what has none", "%matplot number", "1", "UsageError: %matplot takes matplotlib.pyplot, and number is of type int."},
		{"a figure that is not there", "import matplotlib.pyplot as plt\n%matplot plt", "2", "UsageError: There is no figure to show. One is shown and closed at the end of the calculation that draws it."},
		{"a figure with an option", "%matplot --help", "1", "UsageError: %matplot has no options, and this is one: --help. Say what to show: %matplot plt"},
		{"plotly where there is none", "%plotly number", "1", "UsageError: plotly is not installed in this session's Python. Install it into a folder of your own (pip install --target FOLDER plotly) and put that folder into sys.path."},
		{"pip", "%pip install six", "1", "UsageError: %pip is not available: it would change the Python of every session. Give the session modules of your own with sc.addPyFile" +
			" (a .py file, or a .zip of pure Python), or install a package into a folder of your own (pip install --target FOLDER NAME) and put that folder into sys.path."},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := d.run(test.code)
			want := "File \"<stdin>\", line " + test.line + ", in <module>\n" + test.text + "\n"
			if r.Status != kernel.StatusError || r.ExitStatus != 1 || r.stdout != "" || r.stderr != want || r.Reason != test.text || len(r.shown) != 0 {
				t.Errorf("status %s (%s), stdout %q, shown %v\nstderr %q\nwant   %q", r.Status, r.Reason, r.stdout, r.shown, r.stderr, want)
			}
		})
	}
}

func TestMagics_Table(t *testing.T) {
	d := lightDriver(t)
	d.run("import pandas as pd")
	table := func(t *testing.T, code string) (text, html string) {
		t.Helper()
		r := d.run(code)
		if r.Status != kernel.StatusOK || r.stdout != "" || len(r.shown) != 1 || r.shown[0].kind != kernel.TypeDisplayData {
			t.Fatalf("%s (%s) %q %v", r.Status, r.Reason, r.stdout, r.shown)
		}
		return fmt.Sprint(r.shown[0].data["text/plain"]), fmt.Sprint(r.shown[0].data["text/html"])
	}
	t.Run("of pandas", func(t *testing.T) {
		text, html := table(t, "df = pd.DataFrame({'a': [1, 2], 'b': ['x', '<y>']})\n%table df\n3;")
		if text != "   a    b\n0  1    x\n1  2  <y>" || !strings.Contains(html, "<table") || !strings.Contains(html, "<td>&lt;y&gt;</td>") {
			t.Errorf("%s\n%s", text, html)
		}
	})
	t.Run("of an expression, with braces of its own", func(t *testing.T) {
		if text, _ := table(t, "a = 1\n%table pd.DataFrame({'a': [5]})"); text != "   a\n0  5" {
			t.Errorf("%s", text)
		}
	})
	for _, test := range []struct {
		rows int
		last string
	}{{100, "99  99"}, {101, "The first 100 rows; there are 101."}} {
		t.Run(fmt.Sprintf("of %d rows", test.rows), func(t *testing.T) {
			text, html := table(t, fmt.Sprintf("%%table pd.DataFrame({'a': range(%d)})", test.rows))
			if lines := strings.Split(text, "\n"); lines[len(lines)-1] != test.last || lines[100] != "99  99" {
				t.Errorf("%s", text)
			}
			if rows := strings.Count(html, "<tr>"); rows != 100 || strings.Contains(html, "<p>The first 100 rows; there are 101.</p>") != (test.rows > 100) {
				t.Errorf("%d rows: %s", rows, html[len(html)-100:])
			}
		})
	}
}

func TestMagics_Figures(t *testing.T) {
	d := lightDriver(t)
	t.Run("matplot shows one and closes it", func(t *testing.T) {
		r := d.run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\n%matplot plt\nplt.get_fignums()")
		if r.Status != kernel.StatusOK || len(r.shown) != 2 || r.shown[0].kind != kernel.TypeDisplayData || r.shown[1].data["text/plain"] != "[]" {
			t.Fatalf("%s (%s) %v", r.Status, r.Reason, r.shown)
		}
		picture, err := base64.StdEncoding.DecodeString(strings.TrimSpace(fmt.Sprint(r.shown[0].data["image/png"])))
		if err != nil || !strings.HasPrefix(string(picture), "\x89PNG") {
			t.Errorf("%v %.20q", err, picture)
		}
	})
	t.Run("without the notebook's backend too", func(t *testing.T) {
		d := lightDriver(t)
		d.run("import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);")
		r := d.run("%matplot plt")
		if len(r.shown) != 1 || r.shown[0].data["image/png"] == nil {
			t.Errorf("%s (%s) %v", r.Status, r.Reason, r.shown)
		}
	})
	t.Run("plotly's, with a library of plotly's form", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.Mkdir(filepath.Join(folder, "plotly"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"__init__.py": "",
			"io.py": "def to_json(figure): return '{\"data\": []}'\n" +
				"def to_html(figure, include_plotlyjs, full_html): return f'<div>{include_plotlyjs} {full_html}</div>'\n",
		} {
			if err := os.WriteFile(filepath.Join(folder, "plotly", name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d.run(fmt.Sprintf("import sys\nsys.path.insert(0, %q)\nclass Figure:\n    def to_plotly_json(self): pass\nfig = Figure()", folder))
		r := d.run("%plotly fig")
		want := "[{display_data map[application/vnd.plotly.v1+json:map[data:[]] text/html:<div>cdn False</div> text/plain:<Figure of plotly>]}]"
		if fmt.Sprint(r.shown) != want || r.stdout != "" {
			t.Errorf("%s %v, want %s", r.Reason, r.shown, want)
		}
		if r := d.run("%plotly 1"); r.Reason != "UsageError: %plotly takes a figure of plotly, and 1 is of type int." {
			t.Errorf("%s", r.Reason)
		}
	})
}

// TestLoggers is about Athena's two loggers: their lines are in the driver's
// log and nowhere else.
func TestLoggers(t *testing.T) {
	d := lightDriver(t)
	const line = "AthenaForApacheSpark: TIME "
	for _, test := range []struct{ name, code, log string }{
		{"each word", "athena_user_logger.info('Hello world.')\nathena_shared_logger.info('%d of %s', 1, 2)", line + "INFO builtins: Hello world.\n" + line + "INFO builtins: 1 of 2\n"},
		{"words of Log4j", "for word in 'warn', 'warning', 'error', 'fatal': getattr(athena_user_logger, word)(word)", line + "WARN builtins: warn\n" + line + "WARN builtins: warning\n" + line + "ERROR builtins: error\n" + line + "FATAL builtins: fatal\n"},
		{"debug is below the level", "athena_user_logger.debug('no')", ""},
		{"until it is set", "%set_log_level DEBUG\nathena_user_logger.debug('yes')\nathena_shared_logger.debug('too')", line + "DEBUG builtins: yes\n" + line + "DEBUG builtins: too\n"},
		{"and others are below the next", "%set_log_level ERROR\nathena_user_logger.warning('no')\nathena_user_logger.error('yes')\n%set_log_level INFO", line + "ERROR builtins: yes\n"},
		{"any value, and any text", "athena_user_logger.info([1])\nathena_user_logger.info('\\ud800 é')", line + "INFO builtins: [1]\n" + line + "INFO builtins: \\ud800 é\n"},
		{"a logger of one's own beneath", "athena_user_logger.getChild('mine').info('child')", line + "INFO builtins.mine: child\n"},
		{"though the root logger writes elsewhere", "import logging, io\nkept = io.StringIO()\nlogging.basicConfig(stream=kept, level=0)\nathena_user_logger.info('once')\nassert kept.getvalue() == ''", line + "INFO builtins: once\n"},
		{"from a thread", "import threading\nthread = threading.Thread(target=athena_user_logger.info, args=['beside'])\nthread.start()\nthread.join()", line + "INFO builtins: beside\n"},
		{"after %reset", "%reset -f\nathena_user_logger.info('again')", line + "INFO builtins: again\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := ""
			if _, err := os.Stat(filepath.Join(d.bundle, "driver.log")); err == nil {
				before = d.logOf()
			}
			r := d.run(test.code)
			if r.Status != kernel.StatusOK || r.stdout != "" || r.stderr != "" || len(r.shown) != 0 {
				t.Errorf("%s, stdout %q, stderr %q", r.Status, r.stdout, r.stderr)
			}
			if log := strings.TrimPrefix(d.logOf(), before); log != test.log {
				t.Errorf("log %q\nwant %q", log, test.log)
			}
		})
	}

	t.Run("an exception is in one piece", func(t *testing.T) {
		before := d.logOf()
		d.run("try: 1 / 0\nexcept ZeroDivisionError: athena_user_logger.exception('bad')")
		log := strings.TrimPrefix(d.logOf(), before)
		if !strings.HasPrefix(log, line+"ERROR builtins: bad\nTraceback ") || !strings.HasSuffix(log, "\nZeroDivisionError: division by zero\n") {
			t.Errorf("log %q", log)
		}
	})

	t.Run("a line that cannot be made is told", func(t *testing.T) {
		r := d.run("athena_user_logger.info('a', 'b')\nprint('on')")
		if r.stdout != "on\n" || r.stderr != "'a' is not in the log: TypeError: not all arguments converted during string formatting\n" {
			t.Errorf("%q, %q", r.stdout, r.stderr)
		}
	})

	t.Run("their names may be bound to something else", func(t *testing.T) {
		d.run("kept = athena_user_logger\nathena_user_logger = athena_shared_logger = None")
		before := d.logOf()
		r := d.run("%set_log_level WARN\nkept.warning('still')\nkept.info('no')")
		if log := strings.TrimPrefix(d.logOf(), before); r.stderr != "" || log != line+"WARN builtins: still\n" {
			t.Errorf("%q, log %q", r.stderr, log)
		}
	})
}
