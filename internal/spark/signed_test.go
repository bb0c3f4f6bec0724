package spark

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// makeJar makes a jar of files, which each say their own name.
func makeJar(t testing.TB, path string, files ...string) string {
	t.Helper()
	f, err := os.Create(path)
	w := zip.NewWriter(f)
	for _, file := range files {
		content, added := w.Create(file)
		_, written := io.WriteString(content, "content of "+file)
		err = errors.Join(err, added, written)
	}
	if err = errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnsigned(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	jar := func(name string, files ...string) string { return makeJar(t, filepath.Join(from, name), files...) }
	plain := jar("plain.jar", "META-INF/MANIFEST.MF", "a/SIGNED.SF")
	signed := jar("signed.jar", "META-INF/MANIFEST.MF", "META-INF/KEY.SF", "META-INF/KEY.RSA", "a/B.class", "META-INF/versions/9/OLD.SF")
	broken := filepath.Join(from, "broken.jar")
	if err := os.WriteFile(broken, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, again := range []string{"", ", again"} {
		t.Run("a class path"+again, func(t *testing.T) {
			got, err := unsigned([]string{plain, signed, broken}, to)
			want := []string{plain, filepath.Join(to, "signed.jar"), broken}
			if err != nil || !cmp.Equal(got, want) {
				t.Fatalf("%v, %v", got, err)
			}
			r, err := zip.OpenReader(want[1])
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var has []string
			for _, f := range r.File {
				content, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(content); err != nil || string(text) != "content of "+f.Name {
					t.Errorf("%s: %q, %v", f.Name, text, err)
				}
				has = append(has, f.Name)
			}
			if want := []string{"META-INF/MANIFEST.MF", "a/B.class", "META-INF/versions/9/OLD.SF"}; !cmp.Equal(has, want) {
				t.Errorf("it has %v", has)
			}
			if left, _ := filepath.Glob(filepath.Join(to, "*.new")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
	t.Run("there is no room", func(t *testing.T) {
		if got, err := unsigned([]string{plain, signed}, filepath.Join(to, "nowhere")); err == nil {
			t.Errorf("it gives %v", got)
		}
	})
}
