package spark

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hearth"
)

// deltaJar holds LogStore and Catalog, compiled.
//
//go:embed java/delta.jar
var deltaJar []byte

// format is what drivers get for the tables of a format.
type format struct {
	name       hearth.TableFormat
	title      string
	jars       []jar
	java       int               // the oldest that its classes are for
	python     bool              // the first jar has Python modules in it, too
	classes    string            // what the names of its catalogs' classes begin with
	extensions string            // what Spark's SQL gets for it
	catalog    string            // the class that is spark_catalog with it alone
	properties map[string]string // more
}

// delta and iceberg are what each format is with any Spark. There is one
// spark_catalog: with both formats it is Catalog, which has both. Delta is the
// first, so that Spark applies its rules first: one of Iceberg's fails for an
// update of a table of Delta that is still there as such.
//
// Delta's log is kept by LogStore where Delta's own would lose commits.
var (
	delta = format{
		name:       hearth.Delta,
		java:       8,
		python:     true,
		classes:    "org.apache.spark.sql.delta.",
		extensions: "io.delta.sql.DeltaSparkSessionExtension",
		catalog:    "org.apache.spark.sql.delta.catalog.DeltaCatalog",
		properties: map[string]string{
			"spark.delta.logStore.file.impl": "hearth.LogStore",
			"spark.delta.logStore.s3.impl":   "hearth.LogStore",
			"spark.delta.logStore.s3a.impl":  "hearth.LogStore",
			"spark.delta.logStore.s3n.impl":  "hearth.LogStore",
		},
	}
	iceberg = format{
		name:       hearth.Iceberg,
		java:       17,
		classes:    "org.apache.iceberg.",
		extensions: "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
		catalog:    "org.apache.iceberg.spark.SparkSessionCatalog",
		properties: map[string]string{
			// What another session commits is seen at once. Iceberg would keep a table as
			// it was read first, as long as it is read every 30 seconds.
			"spark.sql.catalog.spark_catalog.cache-enabled": "false",
		},
	}
)

// as is the format in a version, which consists of the jars.
func (f format) as(title string, jars ...jar) format {
	f.title, f.jars = title, jars
	return f
}

// tableFormats are the newest that are made for Spark 3.5.
var tableFormats = []format{
	delta.as("Delta 3.3.3",
		mavenJar("io.delta", "delta-spark_2.12", "3.3.3", 7123349, "4912bf902a1c453aba3bd838ff212dedd357155212f9bb37a6b47d97f2827ebc"),
		mavenJar("io.delta", "delta-storage", "3.3.3", 32289, "45ad193053fd30cebe6d9ab1889873cde39b223a0f210e00ebee8b6642476901"),
		ownJar("hearth-delta", deltaJar),
	),
	iceberg.as("Iceberg 1.12.0",
		mavenJar("org.apache.iceberg", "iceberg-spark-runtime-3.5_2.12", "1.12.0", 48252525, "8dd8c90e54ed1a20f2461309d047a255ee56382eb7c0a46162b27a4936fd86dc"),
	),
}

// these are the line's formats of the names, in their own order and each once.
func (l line) these(names []hearth.TableFormat) []format {
	return slices.DeleteFunc(slices.Clone(l.formats), func(f format) bool { return !slices.Contains(names, f.name) })
}

// InstallFormats loads the jars of the formats that the engine does not have,
// whole, and no others; nothing else of the engine changes. It returns
// KindUnavailable, with what to do, when the disk or the network lacks something.
func (e Engines) InstallFormats(ctx context.Context, version string, names []hearth.TableFormat, progress Progress) error {
	dir := e.jarsDir(version)
	wanted := slices.DeleteFunc(e.line(version).these(names), func(f format) bool {
		return len(lacking(dir, f.jars)) == 0 && checkSums(dir, f.jars) == ""
	})
	if len(wanted) == 0 {
		return nil
	}
	defer progress.tell(Report{End: true})
	lock, err := e.lockVersion(ctx, version, func() {
		progress.tell(Report{Name: fmt.Sprintf("Waiting for another installation of Spark %s", version)})
	})
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be written: %w.", err)
	}
	step := Report{Steps: len(wanted)}
	from := e.repository(func(doing string, done, total int64) {
		step.Doing, step.Done, step.Total = doing, done, total
		progress.tell(step)
	})
	defer from.client.CloseIdleConnections()
	for _, f := range wanted {
		step.Step, step.Name = step.Step+1, "Jars for "+f.title
		from.tell("", 0, 0)
		for _, j := range f.jars {
			if err := from.fetch(ctx, j, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// With gives the engine as drivers need it that have tables of the formats. It
// returns KindUnavailable, with what to do, for one that lacks their jars or runs
// on a Java that is too old for them.
func (e Engines) With(engine *Engine, names []hearth.TableFormat) (*Engine, error) {
	with := *engine
	with.ClassPath = slices.Clone(engine.ClassPath) // before it all that the archive was made with
	l := e.line(engine.Version)
	with.formats = l.these(names)
	if len(with.formats) > 1 && !l.both {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The setting table_formats of the session's workgroup asks for more than one format, and a session on Spark %s can have one. "+
			"Name one there and start the server again.", l.name)
	}
	for _, f := range with.formats {
		if lacks := lacking(e.jarsDir(engine.Version), f.jars); len(lacks) > 0 {
			return nil, hearth.Errorf(hearth.KindUnavailable, "The engine Spark %s lacks what the setting table_formats of the session's workgroup asks for: %s. "+
				"Get it with `hearth engines install %s --with %s`.", engine.Version, strings.Join(lacks, ", "), engine.Version, f.name)
		}
		if engine.Java.feature() < f.java {
			return nil, hearth.Errorf(hearth.KindUnavailable, "%s, which the setting table_formats of the session's workgroup asks for, needs Java %d, and the engine runs on Java %s. "+
				"Name the java program of a Java %d in the setting java, remove %s and run `hearth engines install %s --with %s`.",
				f.title, f.java, engine.Java.Version, f.java, e.dir(engine.Version), engine.Version, f.name)
		}
		for _, j := range f.jars {
			with.ClassPath = append(with.ClassPath, filepath.Join(e.jarsDir(engine.Version), j.file()))
		}
	}
	return &with, nil
}

// modules are the files that Python gets the formats' modules from.
func (e *Engine) modules() (files []string) {
	for _, f := range e.formats {
		if !f.python {
			continue
		}
		for _, file := range e.ClassPath {
			if filepath.Base(file) == f.jars[0].file() {
				files = append(files, file)
			}
		}
	}
	return files
}
