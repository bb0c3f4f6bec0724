package spark

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth"
)

func fakeJava(t testing.TB, home, version string) string {
	t.Helper()
	return script(t, filepath.Join(home, "bin", "java"), fmt.Sprintf("echo '    java.home = %s' >&2; echo '    java.version = %s' >&2", home, version))
}

func TestLine_FindJava(t *testing.T) {
	eight, seventeen, twentyOne := t.TempDir(), t.TempDir(), t.TempDir()
	java8, java17, java21 := fakeJava(t, eight, "1.8.0_402"), fakeJava(t, seventeen, "17.0.9"), fakeJava(t, twentyOne, "21.0.1")
	broken := script(t, filepath.Join(t.TempDir(), "java"), "echo cannot find libjvm.so >&2; exit 1")

	for name, test := range map[string]struct {
		programs []string
		want     string
	}{
		"17 before 8":                  {[]string{java8, java17}, seventeen},
		"17 though 21 comes first":     {[]string{java21, java17}, seventeen},
		"8 when there is nothing else": {[]string{java21, broken, java8}, eight},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, ok, err := lines[0].findJava(t.Context(), "", test.programs)
			if err != nil || !ok || got.Home != test.want {
				t.Fatalf("found %+v, %v, %v", got, ok, err)
			}
		})
	}

	t.Run("tells what was found instead", func(t *testing.T) {
		_, refused, ok, err := lines[0].findJava(t.Context(), "", []string{java21, broken, filepath.Join(t.TempDir(), "java")})
		if ok || err != nil {
			t.Fatal(ok, err)
		}
		if all := strings.Join(refused, "\n"); !strings.Contains(all, "is Java 21.0.1, and Spark 3.5 needs 17") || !strings.Contains(all, "cannot find libjvm.so") {
			t.Error(all)
		}
	})

	t.Run("refuses a wanted one that Spark does not run on", func(t *testing.T) {
		_, _, _, err := lines[0].findJava(t.Context(), java21, []string{java17})
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "openjdk-17-jre-headless") {
			t.Error(err)
		}
	})

	t.Run("knows another build", func(t *testing.T) {
		program := fakeJava(t, t.TempDir(), "17.0.9")
		java, err := probeJava(t.Context(), program)
		if err != nil || !java.unchanged() {
			t.Fatalf("%+v, %v", java, err)
		}
		fakeJava(t, filepath.Dir(filepath.Dir(program)), "17.0.10-ea")
		if java.unchanged() {
			t.Error("an update was not seen")
		}
		if err := os.Remove(program); err != nil {
			t.Fatal(err)
		}
		if java.unchanged() {
			t.Error("a removal was not seen")
		}
	})
}

func TestJava_Feature(t *testing.T) {
	for version, want := range map[string]int{"17.0.9": 17, "1.8.0_402": 8, "21": 21, "17-ea": 17, "": 0} {
		if got := (Java{Version: version}).feature(); got != want {
			t.Errorf("%q is %d, not %d", version, got, want)
		}
	}
}
