package spark

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hearth"
)

// DefaultVersion is the Spark that both of Athena's engine names run on here. It
// is always installed.
const DefaultVersion = "3.5.7"

// line is a line of Spark's versions, and what an engine of it consists of.
type line struct {
	name     string   // 3.5
	version  string   // the one that workgroups get
	engines  []string // the names that a workgroup chooses it by
	pythons  []string // that it and the packages beside it run on, the best first
	packages []string // that go with it on each of them
	javas    []int    // that it runs on, the best first
	options  []string // of the JVM, as its own launcher gives them
	jars     []jar    // that it does not bring along
	formats  []format // in the order in which Spark gets their extensions
	both     bool     // whether a session can have all of them: Catalog fits
	space    uint64   // the most that its installation has on disk at a time, measured, and a fifth more
}

// lines are those that Hearth knows.
var lines = []line{
	{
		name:    "3.5",
		version: DefaultVersion,
		engines: []string{hearth.EnginePySpark3, hearth.EngineSpark35},
		pythons: []string{"3.11", "3.10", "3.9", "3.12"}, // 3.11 is the newest that it is tested with
		// The newest lines of numpy and pandas changed what pyspark 3.5 calls.
		packages: []string{"ipython>=8.18,<10", "numpy>=1.26,<2", "pandas>=2.2,<3", "pyarrow>=17,<20", "matplotlib>=3.9,<4"},
		javas:    []int{17, 11, 8}, // newer ones lack what it reaches into
		options:  moduleOptions,
		jars:     slices.Concat([]jar{commitJar}, s3Jars, connectJars, []jar{pagesJar}),
		formats:  tableFormats,
		both:     true,
		space:    2000 << 20,
	},
	spark41,
}

// Versions are those that workgroups get, the default one first.
func Versions() (versions []string) {
	for _, l := range lines {
		versions = append(versions, l.version)
	}
	return versions
}

// VersionOf gives the version of Spark that sessions of an engine run on.
func VersionOf(engine string) string {
	for _, l := range lines {
		if slices.Contains(l.engines, engine) {
			return l.version
		}
	}
	return DefaultVersion
}

var patch = regexp.MustCompile(`^\.[0-9]+$`)

// lineOf gives the line of a version. It returns KindInvalid for a version that
// Hearth does not know.
func lineOf(version string) (line, error) {
	var names, examples []string
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(version, l.name); ok && patch.MatchString(rest) {
			return l, nil
		}
		names, examples = append(names, l.name), append(examples, l.version)
	}
	return line{}, hearth.Errorf(hearth.KindInvalid, "Spark %s is not supported: the engines are those of Spark %s, like %s.",
		version, strings.Join(names, " and "), strings.Join(examples, " and "))
}

// line is that of an engine's version.
func (e Engines) line(version string) line {
	l, _ := lineOf(version) // engines of other lines are not made
	if e.pinned != nil {
		l.jars = append([]jar{commitJar}, e.pinned...)
	}
	if e.formats != nil {
		l.formats = e.formats
	}
	return l
}

// line is the engine's.
func (e *Engine) line() line {
	l, _ := lineOf(e.Version) // likewise
	return l
}

// installCommand is what installs a version, and repairs it.
func installCommand(version string) string {
	if version == DefaultVersion {
		return "`hearth engines install`"
	}
	return "`hearth engines install " + version + "`"
}

// oneOf names the best and the others: 17 (or 11, or 8).
func oneOf[T any](best []T) string {
	text := fmt.Sprint(best[0])
	for i, other := range best[1:] {
		if i == 0 {
			text += " ("
		} else {
			text += ", "
		}
		text += "or " + fmt.Sprint(other)
	}
	if len(best) > 1 {
		text += ")"
	}
	return text
}
