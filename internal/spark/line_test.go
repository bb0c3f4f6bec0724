package spark

import (
	"strings"
	"testing"

	"hearth"
)

func TestVersionOf(t *testing.T) {
	t.Run("every engine for sessions has a version, and its line is known", func(t *testing.T) {
		want := map[string]string{hearth.EnginePySpark3: "3.5.7", hearth.EngineSpark35: "3.5.7", hearth.EngineSpark41: "4.1.2"}
		for _, engine := range hearth.EngineVersions() {
			version := VersionOf(engine.Effective)
			if version != want[engine.Effective] {
				t.Errorf("%s runs on Spark %s", engine.Effective, version)
			}
			if l, err := lineOf(version); err != nil || l.version != version {
				t.Errorf("Spark %s is of the line %s, %v", version, l.name, err)
			}
		}
	})
}

func TestLineOf(t *testing.T) {
	for version, want := range map[string]string{"3.5.7": "3.5", "3.5.12": "3.5", "4.1.0": "4.1"} {
		if l, err := lineOf(version); err != nil || l.name != want {
			t.Errorf("%s is of the line %q, %v", version, l.name, err)
		}
	}
	for _, version := range []string{"4.10.0", "4.1", "4.1.2.3", "4.0.0", "13.5.7", "3.5.x"} {
		_, err := lineOf(version)
		if hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(err.Error(), "those of Spark 3.5 and 4.1, like 3.5.7 and 4.1.2") {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// TestLine_Jars is about what installing finds out late: jars whose files have
// one name, and checksums that are none.
func TestLine_Jars(t *testing.T) {
	for _, l := range lines {
		files := make(map[string]bool)
		all := l.jars
		for _, f := range l.formats {
			all = append(all[:len(all):len(all)], f.jars...)
		}
		for _, j := range all {
			if files[j.file()] {
				t.Errorf("Spark %s has two of %s", l.name, j.file())
			}
			files[j.file()] = true
			if len(j.sum) != 64 || j.size <= 0 {
				t.Errorf("Spark %s: %s has %d bytes and the checksum %q", l.name, j.file(), j.size, j.sum)
			}
		}
	}
}
