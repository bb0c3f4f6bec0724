package spark

import (
	"crypto/rand"
	_ "embed"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"hearth"
	"hearth/internal/shim"
)

//go:embed java/pages.jar
var pages []byte

//go:embed java/jakarta-pages.jar
var jakartaPages []byte

// These hold Pages, compiled: for the servlets of Spark 3, and for those of
// Spark 4, which are Jakarta's.
var (
	pagesJar        = ownJar("hearth-pages", pages)
	jakartaPagesJar = ownJar("hearth-pages", jakartaPages)
)

// Names that Pages is known by, and where Spark hands it its secret. Spark shows
// no value of a property with that word in it.
const (
	pagesClass  = "hearth.Pages"
	pagesSecret = "spark." + pagesClass + ".param.secret"
)

// knowsPages reports whether the engine has Pages, as knowsS3 does for S3.
func (e *Engine) knowsPages() bool {
	return slices.ContainsFunc(e.ClassPath, func(file string) bool {
		name := filepath.Base(file)
		return name == pagesJar.file() || name == jakartaPagesJar.file()
	})
}

// pages are the properties of Spark's pages and of the event log that they are
// made of later. The log is compressed: it is text that repeats itself.
func (e *Engine) pages(bundle string) map[string]string {
	p := make(map[string]string)
	if e.knowsPages() {
		p["spark.ui.filters"] = pagesClass
		p[pagesSecret] = rand.Text()
	} else {
		p["spark.ui.enabled"] = "false" // it would show them to every user of the machine
	}
	if e.eventLogs {
		p["spark.eventLog.enabled"] = "true"
		p["spark.eventLog.dir"] = (&url.URL{Scheme: "file", Path: filepath.Join(bundle, shim.EventsDir)}).String()
		p["spark.eventLog.compress"] = "true"
	}
	return p
}

// historyMemory is the heap of a history server: what Spark gives its daemons.
const historyMemory = "1g"

// History is the command of Spark's history server for the event logs in a
// directory. It reads a secret from the first line of its standard input, writes
// its address to its standard output when it has read the logs, and ends with its
// input. It returns KindUnavailable for an engine that cannot show its pages
// guarded.
func (e *Engine) History(events string) (*exec.Cmd, error) {
	if !e.knowsPages() || !executable(e.Java.Program) {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The engine Spark %s lacks its Java or a part of Hearth. Repair it with %s.", e.Version, installCommand(e.Version))
	}
	args := []string{"-XX:+IgnoreUnrecognizedVMOptions"}
	if e.Java.feature() > 8 {
		args = append(args, e.line().options...)
	}
	args = append(args, memoryOptions(historyMemory, "local")...)
	if e.Archive.whole() && e.Java.unchanged() {
		args = append(args, archiveOptions(e.Archive.File)...)
	}
	args = append(args, "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData",
		"-cp", strings.Join(e.ClassPath, string(filepath.ListSeparator)), pagesClass,
		"file:"+events) // as it is: here Spark decodes nothing
	cmd := exec.Command(e.Java.Program, args...)
	cmd.Dir = events
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SPARK_LOCAL_IP=127.0.0.1"} // it listens nowhere else
	return cmd, nil
}
