package objects_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/objects"
)

var sseS3 = &hearth.Encryption{Option: hearth.SSES3}

// putEncrypted puts an object and gives its file.
func putEncrypted(t testing.TB, s *objects.Store, dir, key, content string) string {
	t.Helper()
	if err := s.Put(t.Context(), hearth.Object{URI: "s3://hearth/" + key, ContentType: "text/plain", Encryption: sseS3}, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(objects.Folder(dir, "s3://hearth"), filepath.FromSlash(key))
}

// keyFile is where the key of the store in dir is.
func keyFile(dir string) string { return dir + ".key" }

// chunk is how much of an age file is authenticated together.
const chunk = 64 << 10

func TestEncryption(t *testing.T) {
	t.Parallel()

	t.Run("nothing on disk has the content, nor a digest of it", func(t *testing.T) {
		s, dir := open(t)
		putEncrypted(t, s, dir, "stdout", "a secret\n")
		files := 0
		err := filepath.WalkDir(filepath.Dir(dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			files++
			text, err := os.ReadFile(path)
			for _, secret := range []string{"secret", etag("a secret\n")} {
				if bytes.Contains(text, []byte(secret)) {
					t.Errorf("%s has %q", path, secret)
				}
			}
			return err
		})
		if err != nil || files < 4 {
			t.Errorf("%d files, %v", files, err)
		}
	})
	t.Run("is told, and reads as what was put, also by a new process", func(t *testing.T) {
		s, dir := open(t)
		putEncrypted(t, s, dir, "stdout", "a secret\n")
		put(t, s, "plain", "", "nothing secret")
		for range 2 {
			info := stat(t, s, "stdout")
			if info.Size != 9 || info.ETag != etag("a secret\n") || info.ContentType != "text/plain" || info.Encryption != "SSE_S3" {
				t.Errorf("info %+v", info)
			}
			if got := get(t, s, "stdout"); got != "a secret\n" {
				t.Errorf("content %q", got)
			}
			if got := stat(t, s, "plain"); got.Encryption != "" || get(t, s, "plain") != "nothing secret" {
				t.Errorf("info %+v of an object that is not encrypted", got)
			}
			listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 2})
			if err != nil || len(listing.Objects) != 2 || !reflect.DeepEqual(listing.Objects[1], info) {
				t.Errorf("listed %+v, %v, want %+v", listing, err, info)
			}
			s.Close()
			s = reopen(t, dir)
		}
	})
	t.Run("goes and comes with the next content", func(t *testing.T) {
		s, dir := open(t)
		for range 2 {
			putEncrypted(t, s, dir, "a", "x")
			if stat(t, s, "a").Encryption == "" || get(t, s, "a") != "x" {
				t.Error("it is not encrypted")
			}
			put(t, s, "a", "", "y")
			if stat(t, s, "a").Encryption != "" || get(t, s, "a") != "y" {
				t.Error("it is encrypted")
			}
		}
	})
	t.Run("does without the description", func(t *testing.T) {
		s, dir := open(t)
		file := putEncrypted(t, s, dir, "a.json", "{}")
		if err := os.Remove(filepath.Join(filepath.Dir(file), ".a.json%meta")); err != nil {
			t.Fatal(err)
		}
		info := stat(t, s, "a.json")
		if info.Size != 2 || info.ETag != etag("{}") || info.ContentType != "application/json" || info.Encryption != "SSE_S3" || get(t, s, "a.json") != "{}" {
			t.Errorf("info %+v", info)
		}
	})
	t.Run("a broken source changes nothing", func(t *testing.T) {
		s, dir := open(t)
		putEncrypted(t, s, dir, "a", "old")
		broken := errors.New("connection lost")
		source := io.MultiReader(strings.NewReader("new"), brokenReader{broken})
		err := s.Put(t.Context(), hearth.Object{URI: "s3://hearth/a", Encryption: sseS3}, source)
		if !errors.Is(err, broken) || get(t, s, "a") != "old" {
			t.Errorf("error %v", err)
		}
		wantNoTemporaries(t, dir)
	})
	t.Run("first objects at once have one key", func(t *testing.T) {
		s, dir := open(t)
		keys := []string{"a", "b", "c", "d"}
		var writers sync.WaitGroup
		for _, key := range keys {
			writers.Go(func() {
				if err := s.Put(t.Context(), hearth.Object{URI: "s3://hearth/" + key, Encryption: sseS3}, strings.NewReader(key)); err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		s.Close()
		s = reopen(t, dir)
		for _, key := range keys {
			if got := get(t, s, key); got != key {
				t.Errorf("%s reads as %q", key, got)
			}
		}
	})
	for _, option := range []string{hearth.SSEKMS, hearth.CSEKMS} {
		t.Run("refuses "+option, func(t *testing.T) {
			s, dir := open(t)
			o := hearth.Object{URI: "s3://hearth/a", Encryption: &hearth.Encryption{Option: option, KMSKey: "alias/k"}}
			for _, err := range []error{s.Check(t.Context(), o), s.Put(t.Context(), o, strings.NewReader("x"))} {
				wantKind(t, err, hearth.KindInvalid)
				if !strings.Contains(err.Error(), option) || !strings.Contains(err.Error(), "SSE_S3") {
					t.Error(err)
				}
			}
			_, err := s.Stat(t.Context(), "hearth", "a")
			wantKind(t, err, hearth.KindNotFound)
			if _, err := os.Stat(keyFile(dir)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it has made a key: %v", err)
			}
		})
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestStore_Check(t *testing.T) {
	s, _ := open(t)
	check := func(uri string, e *hearth.Encryption) error {
		return s.Check(t.Context(), hearth.Object{URI: uri, Encryption: e})
	}
	if err := check("s3://hearth/a/b", nil); err != nil {
		t.Error(err)
	}
	if err := check("s3://hearth/a/b", sseS3); err != nil {
		t.Error(err)
	}
	wantKind(t, check("s3://elsewhere/a", sseS3), hearth.KindNotFound)
	wantKind(t, check("s3://hearth", nil), hearth.KindInvalid)
	wantKind(t, check("s3://hearth/"+strings.Repeat("x", 1025), nil), hearth.KindInvalid)
	wantKind(t, check("s3://hearth/a", &hearth.Encryption{Option: hearth.SSES3, KMSKey: "alias/k"}), hearth.KindInvalid)
	if listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 1}); err != nil || len(listing.Objects) != 0 {
		t.Errorf("checking has put %+v, %v", listing, err)
	}
	t.Run("tells that the key is of no use", func(t *testing.T) {
		s, dir := open(t)
		if err := os.WriteFile(keyFile(dir), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Check(t.Context(), hearth.Object{URI: "s3://hearth/a", Encryption: sseS3}), hearth.KindUnavailable)
	})
}

// Ensure that any part of an encrypted object reads as of the same bytes in
// memory, wherever the chunks of its file begin and end.
func TestEncryption_ReadsAnyPart(t *testing.T) {
	t.Parallel()

	s, dir := open(t)
	random := make([]byte, 3*chunk+2)
	for i := range random {
		random[i] = byte(i * i >> 7)
	}
	nearBorder := rapid.Custom(func(rt *rapid.T) int {
		n := rapid.IntRange(0, 3).Draw(rt, "chunks")*chunk + rapid.IntRange(-2, 2).Draw(rt, "beside")
		return max(0, n)
	})
	rapid.Check(t, func(rt *rapid.T) {
		content := random[:nearBorder.Draw(rt, "length")]
		putEncrypted(t, s, dir, "a", string(content))
		o, err := s.Read(t.Context(), "hearth", "a")
		if err != nil {
			rt.Fatal(err)
		}
		defer o.Close()
		if o.Size != int64(len(content)) || o.ETag != etag(string(content)) {
			rt.Fatalf("info %+v of %d bytes", o.Info, len(content))
		}
		if all, err := io.ReadAll(o); err != nil || !bytes.Equal(all, content) {
			rt.Fatalf("%d bytes of %d, %v", len(all), len(content), err)
		}
		for range 5 {
			from, to := nearBorder.Draw(rt, "from"), nearBorder.Draw(rt, "to")
			if from > to || to > len(content) {
				continue
			}
			if _, err := o.Seek(int64(from), io.SeekStart); err != nil {
				rt.Fatal(err)
			}
			part := make([]byte, to-from)
			if _, err := io.ReadFull(o, part); err != nil || !bytes.Equal(part, content[from:to]) {
				rt.Fatalf("bytes %d to %d of %d are others, %v", from, to, len(content), err)
			}
		}
	})
}

// Ensure that no change of an encrypted file goes unnoticed: what is read before
// the error is what was put.
func TestEncryption_NoticesAnyDamage(t *testing.T) {
	t.Parallel()

	s, dir := open(t)
	content := strings.Repeat("0123456789", chunk)[:2*chunk]
	file := putEncrypted(t, s, dir, "a", content)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	header := len(whole) - 2*(chunk+16)
	place := rapid.OneOf(rapid.IntRange(0, header), rapid.IntRange(0, len(whole)-1),
		rapid.SampledFrom([]int{header + chunk + 15, header + chunk + 16, header + chunk + 17, len(whole) - 1}))

	rapid.Check(t, func(rt *rapid.T) {
		damaged := bytes.Clone(whole)
		switch at := place.Draw(rt, "at"); rapid.SampledFrom([]string{"flip", "cut", "append", "leave out"}).Draw(rt, "damage") {
		case "flip":
			damaged[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		case "cut":
			damaged = damaged[:at]
		case "append":
			damaged = append(damaged, damaged[at:]...)
		case "leave out":
			damaged = append(damaged[:at], damaged[at+1:]...)
		}
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			rt.Fatal(err)
		}
		if rapid.Bool().Draw(rt, "its time is the old one") {
			if err := os.Chtimes(file, before.ModTime(), before.ModTime()); err != nil {
				rt.Fatal(err)
			}
		}
		var got []byte
		r, err := s.Open(t.Context(), "s3://hearth/a")
		if err == nil {
			got, err = io.ReadAll(r)
			r.Close()
		}
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), "s3://hearth/a") {
			rt.Fatalf("error %v", err)
		}
		if !strings.HasPrefix(content, string(got)) {
			rt.Fatal("wrong bytes were read")
		}
	})
}

func TestEncryption_Unreadable(t *testing.T) {
	t.Parallel()

	t.Run("a file in another's place", func(t *testing.T) {
		s, dir := open(t)
		a, b := putEncrypted(t, s, dir, "a", "of a"), putEncrypted(t, s, dir, "b", "of b")
		for _, names := range [][2]string{{a, b}, {meta(a), meta(b)}} {
			text, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(names[1], text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Open(t.Context(), "s3://hearth/b")
		wantKind(t, err, hearth.KindUnavailable)
	})
	t.Run("hides no other object, and can be replaced", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "before", "", "x")
		file := putEncrypted(t, s, dir, "damaged", "a secret")
		put(t, s, "later", "", "y")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 10})
		if err != nil || len(listing.Objects) != 3 || listing.Objects[1].Key != "damaged" {
			t.Errorf("listing %+v, %v", listing, err)
		}
		putEncrypted(t, s, dir, "damaged", "mended")
		if got := get(t, s, "damaged"); got != "mended" {
			t.Errorf("content %q", got)
		}
	})
	t.Run("an object of another store's key", func(t *testing.T) {
		s, dir := open(t)
		file := putEncrypted(t, s, dir, "a", "x")
		other, otherDir := open(t)
		put(t, other, "a", "", "y")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(otherDir, "hearth", "a"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = other.Open(t.Context(), "s3://hearth/a")
		wantKind(t, err, hearth.KindUnavailable)
		if !strings.Contains(err.Error(), "there is no key") {
			t.Error(err)
		}
		putEncrypted(t, other, otherDir, "b", "z")
		_, err = other.Open(t.Context(), "s3://hearth/a")
		wantKind(t, err, hearth.KindUnavailable)
		if !strings.Contains(err.Error(), keyID(t, dir)) || !strings.Contains(err.Error(), keyID(t, otherDir)) {
			t.Error(err)
		}
	})
}

// meta is the file of an object's description.
func meta(file string) string {
	return filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+"%meta")
}

func keyID(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(keyFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ ID string }
	if err := json.Unmarshal(text, &d); err != nil || d.ID == "" {
		t.Fatal(err)
	}
	return d.ID
}

func TestKey(t *testing.T) {
	t.Parallel()

	used := func(t *testing.T) string {
		s, dir := open(t)
		putEncrypted(t, s, dir, "a", "x")
		s.Close()
		return dir
	}
	refused := func(t *testing.T, dir string, words ...string) {
		t.Helper()
		s, err := objects.Open(dir)
		if err == nil {
			s.Close()
		}
		wantKind(t, err, hearth.KindUnavailable)
		for _, word := range append(words, keyFile(dir)) {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error does not say %q: %v", word, err)
			}
		}
	}
	t.Run("is made when it is needed, for its owner alone", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "a", "", "x")
		if _, err := os.Stat(keyFile(dir)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is there before: %v", err)
		}
		putEncrypted(t, s, dir, "b", "x")
		if stat, err := os.Stat(keyFile(dir)); err != nil || stat.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", stat, err)
		}
	})
	t.Run("is missing", func(t *testing.T) {
		dir := used(t)
		id := keyID(t, dir)
		if err := os.Rename(keyFile(dir), keyFile(dir)+".copy"); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "is missing", id)
		if _, err := os.Stat(keyFile(dir)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("another one was made: %v", err)
		}
		if err := os.Rename(keyFile(dir)+".copy", keyFile(dir)); err != nil {
			t.Fatal(err)
		}
		if got := get(t, reopen(t, dir), "a"); got != "x" {
			t.Errorf("after it was restored, content is %q", got)
		}
	})
	t.Run("is missing, and given up", func(t *testing.T) {
		dir := used(t)
		if err := errors.Join(os.Remove(keyFile(dir)), os.Remove(filepath.Join(dir, ".encrypted"))); err != nil {
			t.Fatal(err)
		}
		s := reopen(t, dir)
		putEncrypted(t, s, dir, "b", "y")
		if got := get(t, s, "b"); got != "y" {
			t.Errorf("content %q", got)
		}
		_, err := s.Open(t.Context(), "s3://hearth/a")
		wantKind(t, err, hearth.KindUnavailable)
	})
	t.Run("is another one", func(t *testing.T) {
		dir, other := used(t), used(t)
		id := keyID(t, dir)
		if err := os.Rename(keyFile(other), keyFile(dir)); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "is not the one", id)
	})
	t.Run("may be read by others", func(t *testing.T) {
		dir := used(t)
		if err := os.Chmod(keyFile(dir), 0o640); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "chmod 600")
	})
	t.Run("is broken", func(t *testing.T) {
		dir := used(t)
		text, err := os.ReadFile(keyFile(dir))
		if err != nil {
			t.Fatal(err)
		}
		// One letter of the secret, so that it looks like a key as before.
		at := bytes.Index(text, []byte(`"key": "`)) + len(`"key": "`)
		text[at] ^= 'A' ^ 'B'
		for _, text := range [][]byte{nil, []byte("{}"), text} {
			if err := os.WriteFile(keyFile(dir), text, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, "is broken")
		}
	})
}

// Ensure that what an earlier release encrypted stays readable.
func TestEncryption_OfEarlierReleases(t *testing.T) {
	const recorded = "testdata/encrypted-1"
	dir := filepath.Join(t.TempDir(), "objects")
	s := reopen(t, dir)
	s.Close()
	for from, to := range map[string]string{"objects.key": keyFile(dir), "encrypted": filepath.Join(dir, ".encrypted"), "stdout": filepath.Join(dir, "hearth", "stdout")} {
		text, err := os.ReadFile(filepath.Join(recorded, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, reopen(t, dir), "stdout"); got != "written by an earlier release\n" {
		t.Errorf("content %q", got)
	}
}
