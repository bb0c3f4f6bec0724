package testenv

import (
	"testing"

	"hearth"
	"hearth/internal/config"
	"hearth/internal/spark"
)

// Engine is the Spark engine that the product itself uses, installed there
// when it is not yet: the first test of a machine takes as long as its first
// `hearth run`. Test processes that need it at once wait for one another.
func Engine(t testing.TB) *spark.Engine {
	t.Helper()
	return install(t, spark.DefaultVersion)
}

// Spark41 is Engine for workgroups that have chosen Spark 4.1.
func Spark41(t testing.TB) *spark.Engine {
	t.Helper()
	return install(t, spark.VersionOf(hearth.EngineSpark41))
}

func install(t testing.TB, version string) *spark.Engine {
	t.Helper()
	engine, err := spark.Engines{Dir: config.Default().Engines}.Install(t.Context(), version, func(r spark.Report) {
		if r.Doing == "" && r.Name != "" {
			t.Logf("installing Spark %s: %s", version, r.Name)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// Python is the engine's Python: it has IPython, pandas, matplotlib and
// pyspark.
func Python(t testing.TB) string {
	t.Helper()
	return Engine(t).Python.Program
}

// TableFormats brings an engine all table formats, once.
func TableFormats(t testing.TB, engine *spark.Engine) {
	t.Helper()
	err := spark.Engines{Dir: config.Default().Engines}.InstallFormats(t.Context(), engine.Version, hearth.TableFormats(), nil)
	if err != nil {
		t.Fatal(err)
	}
}
