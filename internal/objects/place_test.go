package objects

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hearth"
)

const placedURI = "s3://hearth/session/calculation/stdout"

const placedKey = "session/calculation/stdout"

func mustPlace(t *testing.T, s *Store, e *hearth.Encryption, content string) hearth.Unsynced {
	t.Helper()
	u, err := s.Place(t.Context(), hearth.Object{URI: placedURI, ContentType: "text/plain", Encryption: e}, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mustSync(t *testing.T, s *Store, placed ...hearth.Unsynced) {
	t.Helper()
	if err := s.Sync(t.Context(), placed); err != nil {
		t.Fatal(err)
	}
}

// inspected is an object and its content.
func inspected(t *testing.T, s *Store, key string) (Info, string) {
	t.Helper()
	o, err := s.Read(t.Context(), "hearth", key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	content, err := io.ReadAll(o)
	if err != nil {
		t.Fatal(err)
	}
	return o.Info, string(content)
}

// What a loss of power can leave of an object that is not synced.
func TestPlace_LossOfPower(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, file string){
		"nothing": func(t *testing.T, file string) {
			must(t, os.RemoveAll(filepath.Join(filepath.Dir(filepath.Dir(file)))))
		},
		"no content":           func(t *testing.T, file string) { must(t, os.Truncate(file, 0)) },
		"a part":               func(t *testing.T, file string) { must(t, os.Truncate(file, 3)) },
		"zeros":                func(t *testing.T, file string) { must(t, os.WriteFile(file, make([]byte, 7), 0o600)) },
		"no description":       func(t *testing.T, file string) { must(t, os.Remove(metaOf(file))) },
		"a broken description": func(t *testing.T, file string) { must(t, os.Truncate(metaOf(file), 5)) },
		"all of it":            func(*testing.T, string) {},
	} {
		for _, e := range []*hearth.Encryption{nil, {Option: hearth.SSES3}} {
			encrypted := ""
			if e != nil {
				encrypted = ", encrypted"
			}
			t.Run(name+encrypted, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "objects")
				s := openIn(t, dir)
				u := mustPlace(t, s, e, "content")
				was, _ := inspected(t, s, placedKey)
				must(t, s.Close())
				lose(t, filepath.Join(dir, "hearth", filepath.FromSlash(filePath(placedKey))))

				s = openIn(t, dir)
				defer s.Close()
				mustSync(t, s, u)
				now, content := inspected(t, s, placedKey)
				if diff := cmp.Diff(was, now, cmp.AllowUnexported(Info{})); diff != "" || content != "content" {
					t.Errorf("there is %q, and (-was +is):\n%s", content, diff)
				}
				if encrypted := strings.Contains(string(u.Kept), "content"+"\n") || strings.HasSuffix(string(u.Kept), "content"); encrypted != (e == nil) {
					t.Errorf("kept is %q", u.Kept)
				}
			})
		}
	}

	t.Run("what was kept is damaged", func(t *testing.T) {
		s := openIn(t, filepath.Join(t.TempDir(), "objects"))
		defer s.Close()
		for _, kept := range []string{"", "\n", `{"size":3}` + "\nab", "[]\n"} {
			err := s.Sync(t.Context(), []hearth.Unsynced{{ID: "1", URI: placedURI, Kept: []byte(kept)}})
			if hearth.KindOf(err) != hearth.KindInvalid {
				t.Errorf("%q: %v", kept, err)
			}
		}
	})

	t.Run("the bucket is gone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "objects")
		s := openIn(t, dir)
		u := mustPlace(t, s, nil, "content")
		must(t, s.Close())
		must(t, os.RemoveAll(filepath.Join(dir, "hearth")))
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Sync(t.Context(), []hearth.Unsynced{u}); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("error %v", err)
		}
	})
}

func metaOf(file string) string {
	return filepath.Join(filepath.Dir(file), filepath.Base(metaPath(filepath.Base(file))))
}

func openIn(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(t.Context(), "hearth"); err != nil && hearth.KindOf(err) != hearth.KindExists {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever would change a placed object waits: what is kept of it would undo the
// change after a crash.
func TestPlace_OthersWait(t *testing.T) {
	for name, change := range map[string]func(ctx context.Context, s *Store) error{
		"write": func(ctx context.Context, s *Store) error {
			_, err := s.Write(ctx, "hearth", placedKey, Draft{}, strings.NewReader("other"))
			return err
		},
		"put": func(ctx context.Context, s *Store) error {
			return s.Put(ctx, hearth.Object{URI: placedURI}, strings.NewReader("other"))
		},
		"copy": func(ctx context.Context, s *Store) error {
			from, err := s.Read(ctx, "hearth", "source")
			if err != nil {
				return err
			}
			defer from.Close()
			_, err = s.Copy(ctx, from, "hearth", placedKey, Draft{})
			return err
		},
		"delete": func(ctx context.Context, s *Store) error {
			outcomes, err := s.Delete(ctx, "hearth", Deletion{Key: placedKey})
			if err == nil {
				err = outcomes[0]
			}
			return err
		},
		"tag": func(ctx context.Context, s *Store) error {
			return s.Tag(ctx, "hearth", placedKey, map[string]string{"a": "b"})
		},
		"complete an upload": func(ctx context.Context, s *Store) error {
			u, err := s.CreateUpload(ctx, "hearth", placedKey, Draft{}, false)
			if err != nil {
				return err
			}
			part, err := s.WritePart(ctx, "hearth", placedKey, u.ID, 1, Draft{}, strings.NewReader("other"))
			if err != nil {
				return err
			}
			_, err = s.CompleteUpload(ctx, "hearth", placedKey, u.ID, []PartChoice{{Number: 1, ETag: part.ETag}}, Draft{})
			return err
		},
	} {
		open := func(t *testing.T) *Store {
			s := openIn(t, filepath.Join(t.TempDir(), "objects"))
			t.Cleanup(func() { s.Close() })
			_, err := s.Write(t.Context(), "hearth", "source", Draft{}, strings.NewReader("other"))
			must(t, err)
			return s
		}
		t.Run(name+" after the release", func(t *testing.T) {
			s := open(t)
			synctest.Test(t, func(t *testing.T) {
				u := mustPlace(t, s, nil, "content")
				changed := make(chan error, 1)
				go func() { changed <- change(t.Context(), s) }()
				synctest.Wait()
				mustSync(t, s, u)
				synctest.Wait()
				if _, content := inspected(t, s, placedKey); content != "content" || len(changed) > 0 {
					t.Errorf("it was changed to %q", content)
				}
				s.Release([]hearth.Unsynced{u})
				must(t, <-changed)
			})
			if o, err := s.Read(t.Context(), "hearth", placedKey); err == nil {
				defer o.Close()
				if content, _ := io.ReadAll(o); string(content) == "content" && len(o.Tags) == 0 {
					t.Error("it was not changed")
				}
			}
		})
		t.Run(name+" has patience", func(t *testing.T) {
			s := open(t)
			synctest.Test(t, func(t *testing.T) {
				mustPlace(t, s, nil, "content")
				if err := change(t.Context(), s); hearth.KindOf(err) != hearth.KindUnavailable {
					t.Errorf("error %v", err)
				}
				if info, content := inspected(t, s, placedKey); content != "content" || len(info.Tags) > 0 {
					t.Errorf("it was changed to %q", content)
				}
			})
		})
	}

	t.Run("a bucket with a placed object is not empty", func(t *testing.T) {
		s := openIn(t, filepath.Join(t.TempDir(), "objects"))
		defer s.Close()
		mustPlace(t, s, nil, "content")
		if err := s.DeleteBucket(t.Context(), "hearth"); hearth.KindOf(err) != hearth.KindConflict {
			t.Errorf("error %v", err)
		}
	})

	t.Run("nobody waits for a placing that failed", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "objects")
		s := openIn(t, dir)
		defer s.Close()
		file := filepath.Join(dir, "hearth", filepath.FromSlash(filePath(placedKey)))
		must(t, os.MkdirAll(filepath.Join(file, "in the way"), 0o700))
		if _, err := s.Place(t.Context(), hearth.Object{URI: placedURI}, []byte("content")); err == nil {
			t.Fatal("it was placed")
		}
		must(t, os.RemoveAll(file))
		_, err := s.Write(t.Context(), "hearth", placedKey, Draft{}, strings.NewReader("other"))
		must(t, err)
	})
}

// A placed object that somebody has removed by hand, or whose folders are gone,
// keeps nobody from syncing others.
func TestSync_RemovedByHand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "objects")
	s := openIn(t, dir)
	defer s.Close()
	u := mustPlace(t, s, nil, "content")
	must(t, os.RemoveAll(filepath.Join(dir, "hearth", "session+")))
	mustSync(t, s, u)
	s.Release([]hearth.Unsynced{u})
	if _, err := s.Read(t.Context(), "hearth", placedKey); hearth.KindOf(err) != hearth.KindNotFound {
		t.Errorf("error %v", err)
	}
}

// What cannot be synced is written again: who asks the system once more may hear
// that all is well.
func TestSync_Refused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "objects")
	s := openIn(t, dir)
	defer s.Close()
	u := mustPlace(t, s, nil, "content")
	was, _ := inspected(t, s, placedKey)
	file := filepath.Join(dir, "hearth", filepath.FromSlash(filePath(placedKey)))
	must(t, os.Remove(file))
	must(t, syscall.Mkfifo(file, 0o600)) // cannot be synced
	mustSync(t, s, u)
	now, content := inspected(t, s, placedKey)
	if diff := cmp.Diff(was, now, cmp.AllowUnexported(Info{})); diff != "" || content != "content" {
		t.Errorf("there is %q, and (-was +is):\n%s", content, diff)
	}
	must(t, os.WriteFile(file, nil, 0o600)) // as if the system had lost it
	mustSync(t, s, u)
	if _, content := inspected(t, s, placedKey); content != "content" {
		t.Errorf("there is %q the next time", content)
	}
}

// What is written again does not take the place of what was placed after it.
func TestSync_Refused_Replaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "objects")
	s := openIn(t, dir)
	defer s.Close()
	first, second := mustPlace(t, s, nil, "first"), mustPlace(t, s, nil, "second")
	file := filepath.Join(dir, "hearth", filepath.FromSlash(filePath(placedKey)))
	must(t, os.Remove(file))
	must(t, syscall.Mkfifo(file, 0o600)) // cannot be synced
	mustSync(t, s, first)
	mustSync(t, s, second)
	if _, content := inspected(t, s, placedKey); content != "second" {
		t.Errorf("there is %q", content)
	}
	must(t, os.WriteFile(file, nil, 0o600)) // as if the system had lost it
	mustSync(t, s, second, first)
	if _, content := inspected(t, s, placedKey); content != "second" {
		t.Errorf("there is %q the next time", content)
	}
}
