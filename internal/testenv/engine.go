package testenv

import (
	"os"
	"path/filepath"
	"testing"

	"hearth/internal/spark"
)

// Engine is the Spark engine that the product itself uses, installed there
// when it is not yet: the first test of a machine takes as long as its first
// `hearth run`. Test processes that need it at once wait for one another.
func Engine(t testing.TB) *spark.Engine {
	t.Helper()
	dir, err := enginesDir()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := spark.Engines{Dir: dir}.Install(t.Context(), spark.DefaultVersion, func(r spark.Report) {
		if r.Doing == "" && r.Name != "" {
			t.Logf("installing Spark %s: %s", spark.DefaultVersion, r.Name)
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

// enginesDir is where `hearth` keeps engines.
func enginesDir() (string, error) {
	if dir := os.Getenv("HEARTH_ENGINES"); dir != "" {
		return filepath.Abs(dir)
	}
	if home := os.Getenv("HEARTH_HOME"); home != "" {
		return filepath.Abs(filepath.Join(home, "engines"))
	}
	user, err := os.UserHomeDir()
	return filepath.Join(user, ".hearth", "engines"), err
}
