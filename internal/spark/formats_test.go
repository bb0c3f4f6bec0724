package spark

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearth"
)

// both are the formats of a test's shop.
func (s *jarShop) both() []format {
	return []format{
		{name: hearth.Iceberg, title: "Ice 1.0", jars: []jar{shopJar("org.ice", "ice", "1.0")}, java: 17},
		{name: hearth.Delta, title: "River 2.0", jars: []jar{shopJar("org.delta", "river", "2.0")}, java: 8, python: true},
	}
}

func newFormatFactory(t *testing.T) *factory {
	t.Helper()
	f := newFactory(t)
	f.formats = f.jars.both()
	f.mustInstall(nil)
	f.jars.badly(whole)
	return f
}

func (f *factory) mustInstallFormats(names ...hearth.TableFormat) {
	f.t.Helper()
	if err := f.InstallFormats(f.t.Context(), DefaultVersion, names, nil); err != nil {
		f.t.Fatal(err)
	}
}

func (f *factory) with(names ...hearth.TableFormat) (*Engine, error) {
	f.t.Helper()
	engine, err := f.Find(DefaultVersion)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.With(engine, names)
}

func TestEngines_InstallFormats(t *testing.T) {
	t.Run("loads what is named, once, and touches nothing else", func(t *testing.T) {
		f := newFormatFactory(t)
		kept, ran := f.kept(), f.ran("python")
		f.mustInstallFormats(hearth.Iceberg)
		f.mustInstallFormats(hearth.Iceberg)
		if got := f.jars.requests(); !slices.Equal(got, []string{"ice-1.0.jar"}) {
			t.Errorf("requested %q", got)
		}
		f.mustInstallFormats(hearth.Delta, hearth.Iceberg)
		if got := f.jars.requests(); !slices.Equal(got, []string{"ice-1.0.jar", "river-2.0.jar"}) {
			t.Errorf("requested %q", got)
		}
		if f.kept() != kept || f.ran("python") != ran {
			t.Error("the engine has changed")
		}
		if engine := f.mustInstall(nil); len(engine.ClassPath) != 5 || f.ran("python") != ran {
			t.Errorf("the engine was repaired: %v", engine.ClassPath)
		}
	})
	t.Run("tells each step and the bytes", func(t *testing.T) {
		f := newFormatFactory(t)
		var reports []Report
		err := f.InstallFormats(t.Context(), DefaultVersion, hearth.TableFormats(), func(r Report) { reports = append(reports, r) })
		if err != nil {
			t.Fatal(err)
		}
		size := f.formats[0].jars[0].size
		if !slices.Contains(reports, Report{Step: 1, Steps: 2, Name: "Jars for Ice 1.0", Doing: "ice 1.0", Done: size, Total: size}) || !reports[len(reports)-1].End {
			t.Errorf("reported %+v", reports)
		}
	})
	for what, damage := range map[string]func([]byte) []byte{
		"in part":              func(content []byte) []byte { return content[:100] },
		"with another content": bytes.ToUpper,
	} {
		t.Run("loads again what is there "+what, func(t *testing.T) {
			f := newFormatFactory(t)
			f.mustInstallFormats(hearth.Iceberg)
			path := filepath.Join(f.jarsDir(DefaultVersion), "ice-1.0.jar")
			if err := os.WriteFile(path, damage(shopJars["/org/ice/ice/1.0/ice-1.0.jar"]), 0o644); err != nil {
				t.Fatal(err)
			}
			if c := f.CheckFormat(DefaultVersion, hearth.Iceberg); c.OK || !strings.Contains(c.Detail, "ice-1.0.jar") || c.Remedy == "" {
				t.Errorf("checked %+v", c)
			}
			f.mustInstallFormats(hearth.Iceberg)
			if c := f.CheckFormat(DefaultVersion, hearth.Iceberg); !c.OK {
				t.Errorf("checked %+v", c)
			}
		})
	}
	t.Run("that cannot be had leave the engine to all others", func(t *testing.T) {
		f := newFormatFactory(t)
		f.jars.badly(func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(503) })
		if err := f.InstallFormats(t.Context(), DefaultVersion, []hearth.TableFormat{hearth.Delta}, nil); hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "maven_url") {
			t.Errorf("error %v", err)
		}
		if _, err := f.with(hearth.Delta); hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "river-2.0.jar. Get it with `hearth engines install 3.5.7 --with delta`") {
			t.Errorf("error %v", err)
		}
		if c := f.CheckFormat(DefaultVersion, hearth.Delta); c.OK || !strings.Contains(c.Detail, "river-2.0.jar") || c.Remedy == "" {
			t.Errorf("checked %+v", c)
		}
		if _, err := f.with(); err != nil {
			t.Error(err)
		}
	})
}

func TestEngines_With(t *testing.T) {
	t.Run("puts the jars behind the class path of the archive", func(t *testing.T) {
		f := newFormatFactory(t)
		f.mustInstallFormats(hearth.TableFormats()...)
		plain, err := f.with()
		if err != nil {
			t.Fatal(err)
		}
		engine, err := f.with(hearth.Delta, hearth.Iceberg, hearth.Delta)
		if err != nil {
			t.Fatal(err)
		}
		dir := f.jarsDir(DefaultVersion)
		want := append(slices.Clone(plain.ClassPath), filepath.Join(dir, "ice-1.0.jar"), filepath.Join(dir, "river-2.0.jar"))
		if !slices.Equal(engine.ClassPath, want) {
			t.Errorf("class path %v", engine.ClassPath)
		}
		kernel, jvm := processes(t, engine, hearth.Launch{SessionID: "s-1", Master: "local[1]"}, t.TempDir())
		if !slices.Contains(jvm.Argv, "-XX:SharedArchiveFile="+engine.Archive.File) || !slices.Contains(jvm.Argv, strings.Join(want, ":")) {
			t.Errorf("command %q", jvm.Argv)
		}
		if !slices.Contains(kernel.Env, "PYTHONPATH="+filepath.Join(dir, "river-2.0.jar")) {
			t.Errorf("environment %q", kernel.Env)
		}
	})
	t.Run("refuses a Java that is too old, for what needs a newer one", func(t *testing.T) {
		f := newFormatFactory(t)
		f.mustInstallFormats(hearth.TableFormats()...)
		engine, err := f.Find(DefaultVersion)
		if err != nil {
			t.Fatal(err)
		}
		engine.Java.Version = "11.0.2"
		if _, err := f.With(engine, []hearth.TableFormat{hearth.Delta}); err != nil {
			t.Error(err)
		}
		_, err = f.With(engine, []hearth.TableFormat{hearth.Iceberg})
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "needs Java 17, and the engine runs on Java 11.0.2") {
			t.Errorf("error %v", err)
		}
	})
}

func TestEngines_With_Archive(t *testing.T) {
	engine := realFormats(t, hearth.TableFormats()...)
	if err := engine.maps(t.Context(), engine.Archive); err != nil {
		t.Errorf("Java does not take the engine's archive with more jars on the class path: %v", err)
	}
}

// knowing gives an engine that has formats.
func knowing(names ...hearth.TableFormat) *Engine {
	return &Engine{Version: DefaultVersion, formats: lines[0].these(names)}
}

const (
	extensions   = "spark.sql.extensions"
	sparkCatalog = "spark.sql.catalog.spark_catalog"
)

func TestEngine_FormatSettings(t *testing.T) {
	const (
		iceberg  = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
		delta    = "io.delta.sql.DeltaSparkSessionExtension"
		icebergs = "org.apache.iceberg.spark.SparkSessionCatalog"
		deltas   = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
	)
	for _, c := range []struct {
		name       string
		engine     *Engine
		properties map[string]string
		want       map[string]string // "" is none
	}{
		{"no format", knowing(), nil, map[string]string{extensions: "", sparkCatalog: ""}},
		{"Iceberg", knowing(hearth.Iceberg), nil, map[string]string{extensions: iceberg, sparkCatalog: icebergs}},
		{"Delta", knowing(hearth.Delta), nil, map[string]string{extensions: delta, sparkCatalog: deltas}},
		{"both", knowing(hearth.Iceberg, hearth.Delta), nil, map[string]string{extensions: delta + "," + iceberg, sparkCatalog: "hearth.Catalog"}},
		{
			"the session's own", knowing(hearth.Delta),
			map[string]string{extensions: "org.example.Other", sparkCatalog: "org.example.Catalog"},
			map[string]string{extensions: "org.example.Other", sparkCatalog: "org.example.Catalog"},
		},
		{
			"S3FileIO, which is S3A here", knowing(hearth.Iceberg),
			map[string]string{sparkCatalog + ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO"},
			map[string]string{sparkCatalog + ".io-impl": "org.apache.iceberg.hadoop.HadoopFileIO"},
		},
		{
			"S3FileIO of a session that brings what it needs", knowing(hearth.Iceberg),
			map[string]string{sparkCatalog + ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO", "spark.driver.extraClassPath": "/jars/aws.jar"},
			map[string]string{sparkCatalog + ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.engine.settings(hearth.Launch{SessionID: "s", Master: "local[1]", Properties: c.properties}, "/bundle", Store{})
			for property, want := range c.want {
				if got[property] != want {
					t.Errorf("%s is %q, not %q", property, got[property], want)
				}
			}
		})
	}
}

func TestEngine_CheckCatalogs(t *testing.T) {
	glue := map[string]string{
		sparkCatalog:                   "org.apache.iceberg.spark.SparkSessionCatalog",
		sparkCatalog + ".catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
	}
	and := func(properties map[string]string, name, value string) map[string]string {
		all := map[string]string{name: value}
		for name, value := range properties {
			all[name] = value
		}
		return all
	}
	for _, c := range []struct {
		name       string
		engine     *Engine
		properties map[string]string
		says       string // "" for one that is let through
	}{
		{"none", knowing(), nil, ""},
		{"of a format that there is", knowing(hearth.Iceberg), map[string]string{sparkCatalog: "org.apache.iceberg.spark.SparkSessionCatalog"}, ""},
		{"of a format that there is not", knowing(hearth.Iceberg), map[string]string{sparkCatalog: "org.apache.spark.sql.delta.catalog.DeltaCatalog"}, `Write table_formats = ["delta"] into the table of the workgroup`},
		{"of a format whose jars the session names", knowing(), and(glue, "spark.jars.packages", "a:b:1"), ""},
		{"of somebody else", knowing(), map[string]string{"spark.sql.catalog.pg": "org.example.Catalog"}, ""},
		{"Glue's", knowing(hearth.Iceberg), glue, "Leave the property out: the tables are then in this server's catalog."},
		{"Glue's, with jars that Iceberg's classes do not see", knowing(hearth.Iceberg), and(glue, "spark.jars", "/aws.jar"), "spark.driver.extraClassPath"},
		{"Glue's, with jars that they see", knowing(hearth.Iceberg), and(glue, "spark.driver.extraClassPath", "/aws.jar"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.engine.checkCatalogs(hearth.Launch{SessionID: "s", WorkGroup: "etl", Properties: c.properties})
			if c.says == "" && err != nil || c.says != "" && (hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v", err)
			}
		})
	}
}
