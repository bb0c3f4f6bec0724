package bench

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestVersionIn(t *testing.T) {
	for name, c := range map[string]struct {
		installed []string
		want      map[string]string
	}{
		"one, and what goes with it": {[]string{"moto", "moto-5.2.1.dist-info", "moto_ext-7.dist-info"}, map[string]string{"moto": "5.2.1"}},
		"none":                       {[]string{"jinja2-3.1.dist-info"}, map[string]string{}},
		"who knows which":            {[]string{"moto-5.2.0.dist-info", "moto-5.2.1.dist-info"}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, directory := range c.installed {
				if err := os.MkdirAll(filepath.Join(root, "python3.12", directory), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			b := &bench{report: &Report{Versions: map[string]string{}}}
			b.versionIn("moto", filepath.Join(root, "python3*"), ".dist-info")
			if got := b.report.Versions; !maps.Equal(got, c.want) {
				t.Errorf("the report has %v, want %v", got, c.want)
			}
		})
	}
}
