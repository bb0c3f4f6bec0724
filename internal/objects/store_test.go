package objects_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/objects"
)

// open opens a new store with the bucket "hearth".
func open(t *testing.T) (*objects.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "objects")
	return reopen(t, dir), dir
}

func reopen(t *testing.T, dir string) *objects.Store {
	t.Helper()
	s, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.CreateBucket(t.Context(), "hearth"); err != nil && hearth.KindOf(err) != hearth.KindExists {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *objects.Store, key, contentType, content string) {
	t.Helper()
	if err := s.Put(t.Context(), hearth.Object{URI: "s3://hearth/" + key, ContentType: contentType}, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *objects.Store, key string) string {
	t.Helper()
	r, err := s.Open(t.Context(), "s3://hearth/"+key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func stat(t *testing.T, s *objects.Store, key string) objects.Info {
	t.Helper()
	info, err := s.Stat(t.Context(), "hearth", key)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func etag(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

func wantKind(t *testing.T, err error, want hearth.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want kind %s", want)
	}
	if got := hearth.KindOf(err); got != want {
		t.Fatalf("kind %s, want %s: %v", got, want, err)
	}
}

func TestStore(t *testing.T) {
	t.Run("gives back what was put", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "session/calculation/stdout", "text/plain", "hello\n")
		s = reopen(t, dir)
		if got := get(t, s, "session/calculation/stdout"); got != "hello\n" {
			t.Errorf("content %q", got)
		}
		info := stat(t, s, "session/calculation/stdout")
		if info.Size != 6 || info.ETag != etag("hello\n") || info.ContentType != "text/plain" || info.ModifiedAt.IsZero() {
			t.Errorf("info %+v", info)
		}
	})

	t.Run("content is a file of the key's name", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "session/calculation/stdout", "text/plain", "hello\n")
		content, err := os.ReadFile(filepath.Join(dir, "hearth", "session+", "calculation+", "stdout"))
		if err != nil || string(content) != "hello\n" {
			t.Errorf("file holds %q, %v", content, err)
		}
	})

	t.Run("replaces an object and its description", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a", "text/plain", "1")
		before := stat(t, s, "a")
		put(t, s, "a", "text/csv", "2") // as long as the first, and at once
		after := stat(t, s, "a")
		if get(t, s, "a") != "2" || after.ETag != etag("2") || after.ContentType != "text/csv" {
			t.Errorf("info %+v", after)
		}
		if !after.ModifiedAt.After(before.ModifiedAt) {
			t.Errorf("modified %s, then %s", before.ModifiedAt, after.ModifiedAt)
		}
	})

	t.Run("an open object stays what it is", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a", "", "old")
		r, err := s.Open(t.Context(), "s3://hearth/a")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		put(t, s, "a", "", "new")
		if content, _ := io.ReadAll(r); string(content) != "old" {
			t.Errorf("read %q", content)
		}
	})

	t.Run("keys are not paths", func(t *testing.T) {
		s, _ := open(t)
		keys := []string{"a", "a/", "a/b", "a//b", "a/b/", "/", "//", "/a", "a+", "a+/b", "a%", "a%2B", "A"}
		for _, key := range keys {
			put(t, s, key, "", "content of "+key)
		}
		for _, key := range keys {
			if got := get(t, s, key); got != "content of "+key {
				t.Errorf("key %q holds %q", key, got)
			}
		}
	})
}

func TestStore_HostileKeys(t *testing.T) {
	t.Parallel()

	keys := map[string]string{
		"parent":             "../escaped",
		"parents":            "../../../../../../tmp/escaped",
		"parent inside":      "a/../../escaped",
		"parent at the end":  "a/..",
		"dots":               ".",
		"only parent":        "..",
		"absolute":           "/etc/passwd",
		"encoded":            "..%2f..%2fescaped",
		"NUL":                "a\x00b",
		"line breaks":        "a\nb\r",
		"backslashes":        `..\..\escaped`,
		"the store's own":    ".%bucket",
		"a description":      ".a%meta",
		"an empty name":      "%empty",
		"temporary":          "../.new/a",
		"long part":          strings.Repeat("x", 1024),
		"long part of marks": strings.Repeat("+", 1024),
		"long and escaped":   strings.Repeat("\x00", 1024),
		"long folder":        strings.Repeat("é", 500) + "/a",
		"deep":               strings.Repeat("a/", 512),
		"long before a dot":  strings.Repeat("x", 240) + ".",
		"long before dots":   strings.Repeat("x", 240) + "../..",
		"long before a plus": strings.Repeat("x", 240) + "+/+",
		"only slashes":       strings.Repeat("/", 1024),
		"unicode":            "Привет/мир/🔥",
		"decomposed":         "e\u0301",
		"composed":           "\u00e9",
		"spaces":             " a / b ",
	}
	s, dir := open(t)
	for _, key := range keys {
		put(t, s, key, "", "content of "+key)
	}
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			if got := get(t, s, key); got != "content of "+key {
				t.Errorf("key %q holds %q", key, got)
			}
		})
	}
	t.Run("nothing is outside of the bucket", func(t *testing.T) {
		for folder, want := range map[string][]string{filepath.Dir(dir): {"objects"}, dir: {".new", "hearth"}} {
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if strings.Join(names, " ") != strings.Join(want, " ") {
				t.Errorf("%s holds %q, want %q", folder, names, want)
			}
		}
	})
	t.Run("all are listed", func(t *testing.T) {
		listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(listing.Objects) != len(keys) {
			t.Errorf("%d of %d keys are listed", len(listing.Objects), len(keys))
		}
	})

	for name, key := range map[string]string{
		"too long":    strings.Repeat("x", 1025),
		"no UTF-8":    "a\xff",
		"empty":       "",
		"half a rune": "\xc3",
	} {
		t.Run("refuses a key that is "+name, func(t *testing.T) {
			err := s.Put(t.Context(), hearth.Object{URI: "s3://hearth/" + key}, strings.NewReader(""))
			wantKind(t, err, hearth.KindInvalid)
			_, err = s.Open(t.Context(), "s3://hearth/"+key)
			wantKind(t, err, hearth.KindInvalid)
		})
	}

	t.Run("a link out of the store is not followed", func(t *testing.T) {
		outside := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "hearth", "link")); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Open(t.Context(), "s3://hearth/link"); err == nil {
			r.Close()
			t.Error("the link was followed")
		}
	})
}

func TestStore_Put(t *testing.T) {
	t.Parallel()

	t.Run("a broken source changes nothing", func(t *testing.T) {
		s, dir := open(t)
		put(t, s, "a", "text/plain", "old")
		broken := errors.New("connection lost")
		err := s.Put(t.Context(), hearth.Object{URI: "s3://hearth/a", ContentType: "text/csv"}, io.MultiReader(strings.NewReader("new"), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
		if get(t, s, "a") != "old" || stat(t, s, "a").ContentType != "text/plain" {
			t.Error("the object has changed")
		}
		wantNoTemporaries(t, dir)
	})

	t.Run("a context that is done changes nothing", func(t *testing.T) {
		s, dir := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.Put(ctx, hearth.Object{URI: "s3://hearth/a"}, strings.NewReader("new"))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		_, err = s.Stat(t.Context(), "hearth", "a")
		wantKind(t, err, hearth.KindNotFound)
		wantNoTemporaries(t, dir)
	})

	// The description is replaced before the content. Ensure that a crash
	// between the two leaves the old object whole.
	t.Run("a crash before the commit leaves the old object", func(t *testing.T) {
		s, dir := open(t)
		file := filepath.Join(dir, "hearth", "a")
		put(t, s, "a", "text/plain", "1")
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, "a", "text/csv", "2")
		if err := os.WriteFile(file, []byte("1"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		if got := stat(t, s, "a"); got.ETag != etag("1") || got.ContentType != "text/plain" {
			t.Errorf("info %+v", got)
		}
	})

	t.Run("what a killed process left is removed", func(t *testing.T) {
		s, dir := open(t)
		s.Close()
		if err := os.WriteFile(filepath.Join(dir, ".new", "half"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		reopen(t, dir)
		wantNoTemporaries(t, dir)
	})

	t.Run("readers see one whole object while it is replaced", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a", "", "")
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				for range 10 {
					put(t, s, "a", "", strings.Repeat("x", 1000*i))
				}
			})
		}
		done := make(chan struct{})
		go func() { writers.Wait(); close(done) }()
		for {
			o, err := s.Read(t.Context(), "hearth", "a")
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(o)
			o.Close()
			if err != nil || o.ETag != etag(string(content)) || o.Size != int64(len(content)) {
				t.Fatalf("%d bytes with description %+v, %v", len(content), o.Info, err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})

	t.Run("refuses a bucket that does not exist", func(t *testing.T) {
		s, _ := open(t)
		wantKind(t, s.Put(t.Context(), hearth.Object{URI: "s3://elsewhere/a"}, strings.NewReader("")), hearth.KindNotFound)
	})

	for _, uri := range []string{"", "hearth/a", "s3://hearth", "s3://hearth/", "s3:///a", "https://hearth/a", "s3://UPPER/a", "s3://../a", "s3://.new/a"} {
		t.Run("refuses "+uri, func(t *testing.T) {
			s, _ := open(t)
			wantKind(t, s.Put(t.Context(), hearth.Object{URI: uri}, strings.NewReader("")), hearth.KindInvalid)
		})
	}
}

func wantNoTemporaries(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(dir, ".new"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestStore_ForeignFile(t *testing.T) {
	s, dir := open(t)
	if err := os.WriteFile(filepath.Join(dir, "hearth", "data.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("is an object", func(t *testing.T) {
		if got := get(t, s, "data.json"); got != "{}" {
			t.Errorf("content %q", got)
		}
		if got := stat(t, s, "data.json"); got.ETag != etag("{}") || got.ContentType != "application/json" {
			t.Errorf("info %+v", got)
		}
	})
	t.Run("is listed", func(t *testing.T) {
		listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 10})
		if err != nil || len(listing.Objects) != 1 || listing.Objects[0].Key != "data.json" {
			t.Errorf("listing %+v, %v", listing, err)
		}
	})
	t.Run("makes its description stale by a change", func(t *testing.T) {
		put(t, s, "edited.txt", "text/csv", "before")
		if err := os.WriteFile(filepath.Join(dir, "hearth", "edited.txt"), []byte("and after"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := stat(t, s, "edited.txt"); got.ETag != etag("and after") || got.Size != 9 {
			t.Errorf("info %+v", got)
		}
	})
	t.Run("that is a pipe is none, and keeps nobody", func(t *testing.T) {
		if err := syscall.Mkfifo(filepath.Join(dir, "hearth", "pipe"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), "hearth", "pipe"); hearth.KindOf(err) != hearth.KindNotFound {
			t.Error(err)
		}
	})
	t.Run("of a name that no key has is none", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(dir, "hearth", "half%2"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		listing, err := s.List(t.Context(), "hearth", objects.Query{Prefix: "half", Limit: 10})
		if err != nil || len(listing.Objects) != 0 {
			t.Errorf("listing %+v, %v", listing, err)
		}
	})
}

func TestStore_Files(t *testing.T) {
	s, dir := open(t)
	put(t, s, "a/b/c", "", "x")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may use %s: %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Ensure that a store is a map: any sequence of writes under any keys reads
// back as a map would.
func TestStore_IsAMap(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		s, _ := open(t)
		model := make(map[string]string)
		for i, key := range rapid.SliceOfN(keyGenerator(), 1, 8).Draw(rt, "keys") {
			content := strings.Repeat("x", i)
			if _, err := s.Write(t.Context(), "hearth", key, objects.Draft{}, strings.NewReader(content)); err != nil {
				rt.Fatalf("key %q: %v", key, err)
			}
			model[key] = content
		}
		for key, want := range model {
			o, err := s.Read(t.Context(), "hearth", key)
			if err != nil {
				rt.Fatalf("key %q: %v", key, err)
			}
			var got bytes.Buffer
			got.ReadFrom(o)
			o.Close()
			if got.String() != want {
				rt.Fatalf("key %q holds %q, want %q", key, got.String(), want)
			}
		}
	})
}
