package spark

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realEngine is the one that the product uses; it is installed when it is not
// there.
func realEngine(t testing.TB) *Engine {
	t.Helper()
	return realEngineOf(t, DefaultVersion)
}

func realEngineOf(t testing.TB, version string) *Engine {
	t.Helper()
	engine, err := realEngines().Install(t.Context(), version, TerminalProgress(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func realEngines() Engines { return Engines{Dir: config.Default().Engines} }

// realFormats is the real engine with table formats, whose jars are loaded when
// they are not there.
func realFormats(t testing.TB, names ...hearth.TableFormat) *Engine {
	t.Helper()
	plain := realEngine(t)
	if err := realEngines().InstallFormats(t.Context(), DefaultVersion, names, TerminalProgress(os.Stderr)); err != nil {
		t.Fatal(err)
	}
	engine, err := realEngines().With(plain, names)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}
