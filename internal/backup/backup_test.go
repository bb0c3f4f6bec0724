package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456789, time.UTC)

var facts = Facts{Format: Format, Version: "v1", Schema: "0003.sql", TakenAt: noon, Account: "123456789012", Region: "us-east-1", Results: true}

// folder makes files of their texts, all of one time.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		err := errors.Join(
			os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, []byte(text), 0o644),
			os.Chtimes(path, noon, noon),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func archive(t testing.TB, f Facts, dir string, except ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(context.Background(), &out, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Add("kept", dir, except...), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func wanted(Facts) error { return nil }

func extract(t testing.TB, content []byte) (string, Facts, error) {
	t.Helper()
	dir := t.TempDir()
	f, err := Extract(context.Background(), bytes.NewReader(content), dir, wanted)
	return dir, f, err
}

// textsOf reads a folder back.
func textsOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		text, err := os.ReadFile(path)
		texts[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestExtract(t *testing.T) {
	files := map[string]string{
		"one":                                "text",
		"empty":                              "",
		"folder+/.stdout%meta":               "{}",
		"folder+/stdout":                     strings.Repeat("long ", 100_000),
		"folder+/a \\ b\nc\rd é":             "odd",
		strings.Repeat("deep/", 40) + "down": "there",
	}
	dir := folder(t, files)
	if err := os.MkdirAll(filepath.Join(dir, "nothing", "in it"), 0o755); err != nil {
		t.Fatal(err)
	}

	t.Run("gives everything back, its owner's alone and of its time", func(t *testing.T) {
		got, f, err := extract(t, archive(t, facts, dir))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(facts, f); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(files, textsOf(t, filepath.Join(got, "kept"))); diff != "" {
			t.Error(diff)
		}
		info, err := os.Stat(filepath.Join(got, "kept", "folder+", "stdout"))
		if err != nil || info.Mode().Perm() != 0o600 || !info.ModTime().Equal(noon) {
			t.Errorf("%v of %v, %v", info.Mode(), info.ModTime(), err)
		}
		info, err = os.Stat(filepath.Join(got, "kept", "nothing", "in it"))
		if err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("leaves out what was not to be in it", func(t *testing.T) {
		got, _, err := extract(t, archive(t, facts, dir, "folder+", "deep"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"kept/one": "text", "kept/empty": ""}, textsOf(t, got)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("does not follow links, and does not mind what is gone", func(t *testing.T) {
		dir := folder(t, map[string]string{"one": "text"})
		if err := errors.Join(os.Symlink("/etc", filepath.Join(dir, "link")), os.Symlink("nowhere", filepath.Join(dir, "broken"))); err != nil {
			t.Fatal(err)
		}
		got, _, err := extract(t, archive(t, facts, dir))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"kept/one": "text"}, textsOf(t, got)); diff != "" {
			t.Error(diff)
		}
		w, err := NewWriter(t.Context(), io.Discard, facts)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add("gone", filepath.Join(dir, "gone")); err != nil || w.Files != 0 {
			t.Errorf("%d files, %v", w.Files, err)
		}
	})
	t.Run("asks before it writes", func(t *testing.T) {
		no := errors.New("not wanted")
		dir := t.TempDir()
		_, err := Extract(t.Context(), bytes.NewReader(archive(t, facts, folder(t, files))), dir, func(f Facts) error {
			if f != facts {
				t.Errorf("the facts are %+v", f)
			}
			return no
		})
		if !errors.Is(err, no) || len(textsOf(t, dir)) > 0 {
			t.Errorf("%v, and %v is there", err, textsOf(t, dir))
		}
	})
	t.Run("stops when it is to", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		_, err := Extract(ctx, bytes.NewReader(archive(t, facts, dir)), t.TempDir(), func(Facts) error { stop(); return nil })
		// What the decompression has read ahead may be all there is.
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		w, err := NewWriter(ctx, io.Discard, facts)
		if err == nil {
			err = w.Add("kept", dir)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("writing: %v", err)
		}
	})
	t.Run("refuses a directory that is not empty", func(t *testing.T) {
		_, err := Extract(t.Context(), bytes.NewReader(archive(t, facts, dir)), folder(t, map[string]string{"kept/one": "mine"}), wanted)
		if hearth.KindOf(err) != hearth.KindUnavailable {
			t.Error(err)
		}
	})
}

// wantRefused checks that an error tells a user what is wrong and what to do.
func wantRefused(t testing.TB, err error, words ...string) {
	t.Helper()
	if hearth.KindOf(err) != hearth.KindInvalid {
		t.Errorf("error %v", err)
		return
	}
	for _, word := range words {
		if !strings.Contains(hearth.MessageOf(err), word) {
			t.Errorf("%q does not have %q", hearth.MessageOf(err), word)
		}
	}
}

// packed makes an archive by hand. An entry whose name ends in a slash is a
// folder.
func packed(t testing.TB, entries ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, e := range entries {
		if err := w.WriteHeader(&tar.Header{Name: e[0], Size: int64(len(e[1])), Mode: 0o600, Format: tar.FormatPAX}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpacked(t testing.TB, content []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	all, _ := io.ReadAll(z) // as far as it goes
	return all
}

func TestExtract_Damaged(t *testing.T) {
	const text = "The backup is damaged: "
	whole := archive(t, facts, folder(t, map[string]string{"one": strings.Repeat("text", 1000), "two": "2"}))

	t.Run("cut off anywhere", func(t *testing.T) {
		for n := range len(whole) {
			if _, _, err := extract(t, whole[:n]); hearth.KindOf(err) != hearth.KindInvalid {
				t.Errorf("its first %d bytes of %d: %v", n, len(whole), err)
			}
		}
	})
	t.Run("changed anywhere", func(t *testing.T) {
		want := unpacked(t, whole)
		// The header of gzip has a time and the like, which are nobody's.
		for n := 10; n < len(whole); n++ {
			changed := bytes.Clone(whole)
			changed[n] ^= 1 << (n % 8)
			_, _, err := extract(t, changed)
			// A compression may have several forms: a run of zeros repeats what
			// is one byte back, or two.
			if hearth.KindOf(err) != hearth.KindInvalid && !bytes.Equal(unpacked(t, changed), want) {
				t.Errorf("with another byte at %d of %d: %v", n, len(whole), err)
			}
		}
	})
	is := [2]string{FactsFile, `{"format": 1, "version": "v1"}`}
	const isSum = "2b8f7a4a" // of nothing that is here
	for name, c := range map[string]struct {
		content []byte
		words   []string
	}{
		"nothing":                  {nil, []string{"not a backup of Hearth", "hearth backup"}},
		"something else":           {[]byte("PK\x03\x04 something else, and long enough"), []string{"not a backup of Hearth"}},
		"another archive":          {packed(t, [2]string{"README", "text"}), []string{"not a backup of Hearth"}},
		"facts that are none":      {packed(t, [2]string{FactsFile, "text"}), []string{"not a backup of Hearth"}},
		"a newer form":             {packed(t, [2]string{FactsFile, `{"format": 2, "version": "v9"}`}), []string{"form 2", "reads 1", "Hearth v9"}},
		"no checksums":             {packed(t, is, [2]string{"one", "1"}), []string{text, "end is missing"}},
		"a file without a sum":     {packed(t, is, [2]string{"one", "1"}, [2]string{SumsFile, ""}), []string{text, "no checksum"}},
		"a sum without a file":     {packed(t, is, [2]string{SumsFile, isSum + "  one\n"}), []string{text, "one is missing"}},
		"another file than summed": {packed(t, is, [2]string{"one", "1"}, [2]string{SumsFile, isSum + "  one\n"}), []string{text, "one is not what was saved"}},
		"a way out":                {packed(t, is, [2]string{"../one", "1"}), []string{text, "leads out"}},
		"an absolute way out":      {packed(t, is, [2]string{"/tmp/one", "1"}), []string{text, "leads out"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := extract(t, c.content)
			wantRefused(t, err, c.words...)
		})
	}
	t.Run("a link", func(t *testing.T) {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		w := tar.NewWriter(z)
		err := w.WriteHeader(&tar.Header{Name: is[0], Size: int64(len(is[1]))})
		_, writing := w.Write([]byte(is[1]))
		err = errors.Join(err, writing, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "one", Linkname: "/etc"}), w.Close(), z.Close())
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = extract(t, out.Bytes())
		wantRefused(t, err, text, "neither a file nor a folder")
	})
}

// An object may be larger than the machine's memory.
func TestBoundedMemory(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	if _, err := io.Copy(f, io.LimitReader(rand.NewChaCha8([32]byte{}), size)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		w, err := NewWriter(t.Context(), writer, facts)
		if err == nil {
			err = errors.Join(w.Add("kept", dir), w.Close())
		}
		written <- errors.Join(err, writer.Close())
	}()
	if _, err := Extract(t.Context(), reader, into, wanted); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > size/4 {
		t.Errorf("%d bytes were allocated for %d", allocated, size)
	}
	if info, err := os.Stat(filepath.Join(into, "kept", "large")); err != nil || info.Size() != size {
		t.Errorf("%v, %v", info, err)
	}
}

// Whatever an archive has, it is extracted or refused, and nothing is written
// outside.
func FuzzExtract(f *testing.F) {
	f.Add(archive(f, facts, folder(f, map[string]string{"one": "text"})))
	f.Add(packed(f, [2]string{FactsFile, `{"format": 1}`}, [2]string{"a/../b", ""}, [2]string{SumsFile, "\\\n"}))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := filepath.Join(t.TempDir(), "in", "here")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := Extract(t.Context(), io.LimitReader(bytes.NewReader(content), 1<<20), dir, wanted)
		if kind := hearth.KindOf(err); err != nil && kind != hearth.KindInvalid && kind != hearth.KindUnavailable {
			t.Error(err)
		}
		if above, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(above) != 1 {
			t.Errorf("%v, %v", above, err)
		}
	})
}
