package spark

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth"
)

// script makes an executable shell script.
func script(t testing.TB, path, body string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// fakePython answers the probe.
func fakePython(t testing.TB, path, version string, missing ...string) string {
	t.Helper()
	list := "[]"
	if len(missing) > 0 {
		list = `["` + strings.Join(missing, `", "`) + `"]`
	}
	return script(t, path, fmt.Sprintf(`echo '{"program": "%s", "version": "%s", "missing": %s}'`, path, version, list))
}

func TestLine_FindPython(t *testing.T) {
	find := func(t *testing.T, wanted string, dirs ...string) (Python, error) {
		t.Helper()
		return lines[0].findPython(t.Context(), wanted, dirs)
	}

	t.Run("takes 3.11 before all others, wherever it is", func(t *testing.T) {
		a, b := t.TempDir(), t.TempDir()
		fakePython(t, filepath.Join(a, "python3"), "3.12.1")
		fakePython(t, filepath.Join(a, "python3.10"), "3.10.2")
		want := fakePython(t, filepath.Join(b, "python3.11"), "3.11.7")
		got, err := find(t, "", a, b)
		if err != nil || got != (Python{want, "3.11.7"}) {
			t.Fatalf("found %v, %v", got, err)
		}
	})

	t.Run("goes by what it runs, not by its name", func(t *testing.T) {
		dir := t.TempDir()
		fakePython(t, filepath.Join(dir, "python3.11"), "3.13.0")
		script(t, filepath.Join(dir, "python3.10"), "echo no version is selected >&2; exit 127")
		want := fakePython(t, filepath.Join(dir, "python3"), "3.9.18")
		got, err := find(t, "", dir)
		if err != nil || got.Program != want {
			t.Fatalf("found %v, %v", got, err)
		}
	})

	for name, test := range map[string]struct {
		version string
		missing []string
		want    string
	}{
		"a version that Spark does not run on":  {"3.13.0", nil, "is Python 3.13.0, and Spark 3.5 needs 3.11 (or 3.10, or 3.9, or 3.12)"},
		"a Python without the means for a venv": {"3.11.2", []string{"ensurepip"}, "(Python 3.11.2) lacks the module ensurepip"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			dir := t.TempDir()
			program := fakePython(t, filepath.Join(dir, "python3"), test.version, test.missing...)
			for _, wanted := range []string{"", program} {
				_, err := find(t, wanted, dir)
				if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "apt install python3 python3-venv") {
					t.Errorf("wanted %q: %v", wanted, err)
				}
			}
		})
	}

	t.Run("says so when there is none", func(t *testing.T) {
		_, err := find(t, "", t.TempDir())
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "none was found") {
			t.Error(err)
		}
	})
}
