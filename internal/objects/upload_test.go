package objects_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/objects"
)

const partSize = 5 << 20 // the least of all parts but the last

func beginUpload(t *testing.T, s *objects.Store, key string, d objects.Draft) objects.Upload {
	t.Helper()
	u, err := s.CreateUpload(t.Context(), "hearth", key, d, false)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func putPart(t *testing.T, s *objects.Store, u objects.Upload, number int, content string) objects.PartChoice {
	t.Helper()
	info, err := s.WritePart(t.Context(), "hearth", u.Key, u.ID, number, objects.Draft{}, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return objects.PartChoice{Number: number, ETag: info.ETag}
}

func complete(t *testing.T, s *objects.Store, u objects.Upload, choices ...objects.PartChoice) (objects.Info, error) {
	t.Helper()
	return s.CompleteUpload(t.Context(), "hearth", u.Key, u.ID, choices, objects.Draft{})
}

// etagOfParts is S3's ETag of an object in parts.
func etagOfParts(parts ...string) string {
	sum := md5.New()
	for _, p := range parts {
		part := md5.Sum([]byte(p))
		sum.Write(part[:])
	}
	return fmt.Sprintf("%x-%d", sum.Sum(nil), len(parts))
}

func wantFaultCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || !strings.Contains(fmt.Sprintf("%v %v", err, errors.Unwrap(err)), code) {
		t.Errorf("error %v, want %s", err, code)
	}
}

func TestStore_Upload(t *testing.T) {
	t.Parallel()

	first, last := strings.Repeat("a", partSize), "the end"
	for name, encryption := range map[string]*hearth.Encryption{"plain": nil, "encrypted": sseS3} {
		t.Run("becomes one object, "+name, func(t *testing.T) {
			s, dir := open(t)
			u := beginUpload(t, s, "a/b", objects.Draft{ContentType: "text/csv", Headers: map[string]string{"x-amz-meta-a": "b"}, Encryption: encryption})
			choices := []objects.PartChoice{putPart(t, s, u, 2, first), putPart(t, s, u, 7, last)}
			putPart(t, s, u, 5, "left out")
			wantGone(t, s, "a/b")
			s = reopen(t, dir)
			info, err := complete(t, s, u, choices...)
			if err != nil {
				t.Fatal(err)
			}
			got := stat(t, s, "a/b")
			if info.ETag != etagOfParts(first, last) || got.ETag != info.ETag || got.ContentType != "text/csv" || got.Headers["x-amz-meta-a"] != "b" ||
				got.Size != int64(len(first+last)) || len(got.Parts) != 2 || (got.Encryption != "") != (encryption != nil) {
				t.Errorf("completed %+v, and then %+v", info, got)
			}
			if get(t, s, "a/b") != first+last {
				t.Error("another content")
			}
			wantNoTemporaries(t, dir)
			if left, more, err := s.Uploads(t.Context(), "hearth", objects.UploadQuery{Limit: 10}); len(left) > 0 || more || err != nil {
				t.Errorf("uploads %+v, %v", left, err)
			}
		})
	}

	t.Run("that was completed is so again, for who has not heard", func(t *testing.T) {
		s, _ := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		part := putPart(t, s, u, 1, "x")
		first, err := complete(t, s, u, part)
		if err != nil {
			t.Fatal(err)
		}
		second, err := complete(t, s, u, part)
		if err != nil || second.ETag != first.ETag {
			t.Errorf("%+v, %v", second, err)
		}
		put(t, s, "a", "", "another")
		_, err = complete(t, s, u, part)
		wantKind(t, err, hearth.KindNotFound)
	})

	t.Run("is listed nowhere but among uploads", func(t *testing.T) {
		s, _ := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		putPart(t, s, u, 1, "x")
		listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 10})
		if err != nil || len(listing.Objects) > 0 {
			t.Errorf("%+v, %v", listing, err)
		}
		_, err = s.Read(t.Context(), "hearth", ".%uploads/"+u.ID+"/00001")
		wantKind(t, err, hearth.KindNotFound)
	})

	t.Run("refuses parts", func(t *testing.T) {
		s, _ := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		one, two := putPart(t, s, u, 1, "small"), putPart(t, s, u, 2, "end")
		for name, c := range map[string]struct {
			code    string
			choices []objects.PartChoice
		}{
			"out of order":             {"parts have to be in the order", []objects.PartChoice{two, one}},
			"twice":                    {"parts have to be in the order", []objects.PartChoice{two, two}},
			"that are too small":       {"All parts but the last need", []objects.PartChoice{one, two}},
			"that were never uploaded": {"was not uploaded", []objects.PartChoice{{Number: 3, ETag: one.ETag}}},
			"of another content":       {"was not uploaded", []objects.PartChoice{{Number: 1, ETag: two.ETag}}},
			"of another checksum":      {"was not uploaded", []objects.PartChoice{{Number: 1, ETag: one.ETag, Checksum: &objects.Checksum{Algorithm: "CRC32", Value: "AAAAAA=="}}}},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := complete(t, s, u, c.choices...)
				wantFaultCode(t, err, c.code)
				wantGone(t, s, "a")
			})
		}
		if _, err := complete(t, s, u, one); err != nil {
			t.Errorf("after all that: %v", err)
		}
	})

	t.Run("refuses a number", func(t *testing.T) {
		s, _ := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		for _, number := range []int{-1, 0, 10_001} {
			_, err := s.WritePart(t.Context(), "hearth", "a", u.ID, number, objects.Draft{}, strings.NewReader(""))
			wantKind(t, err, hearth.KindInvalid)
		}
	})

	t.Run("is not found", func(t *testing.T) {
		s, _ := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		for _, c := range [][2]string{{"b", u.ID}, {"a", ""}, {"a", "../../hearth"}, {"a", strings.Repeat("A", 26)}, {"a", u.ID + "/"}} {
			_, err := s.WritePart(t.Context(), "hearth", c[0], c[1], 1, objects.Draft{}, strings.NewReader(""))
			wantKind(t, err, hearth.KindNotFound)
			wantKind(t, s.AbortUpload(t.Context(), "hearth", c[0], c[1]), hearth.KindNotFound)
			_, err = s.CompleteUpload(t.Context(), "hearth", c[0], c[1], nil, objects.Draft{})
			wantKind(t, err, hearth.KindNotFound)
		}
	})

	t.Run("a part that breaks off leaves the one before", func(t *testing.T) {
		s, dir := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		part := putPart(t, s, u, 1, "whole")
		broken := errors.New("connection lost")
		_, err := s.WritePart(t.Context(), "hearth", "a", u.ID, 1, objects.Draft{}, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
		wantNoTemporaries(t, dir)
		if _, err := complete(t, s, u, part); err != nil {
			t.Error(err)
		}
	})

	t.Run("aborted leaves nothing", func(t *testing.T) {
		s, dir := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		part := putPart(t, s, u, 1, "x")
		// A part that arrives while the upload is aborted.
		_, err := s.WritePart(t.Context(), "hearth", "a", u.ID, 2, objects.Draft{Check: func(objects.Info) error {
			return s.AbortUpload(t.Context(), "hearth", "a", u.ID)
		}}, strings.NewReader("y"))
		wantKind(t, err, hearth.KindNotFound)
		_, err = complete(t, s, u, part)
		wantKind(t, err, hearth.KindNotFound)
		wantNoTemporaries(t, dir)
		left, err := os.ReadDir(filepath.Join(dir, "hearth", ".%uploads"))
		if err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})

	t.Run("nothing on disk has the content of an encrypted one, nor a digest of it", func(t *testing.T) {
		s, dir := open(t)
		u := beginUpload(t, s, "a", objects.Draft{Encryption: sseS3, Checksum: "SHA256"})
		info, err := s.WritePart(t.Context(), "hearth", "a", u.ID, 1, objects.Draft{}, strings.NewReader("a secret"))
		if err != nil {
			t.Fatal(err)
		}
		secrets := []string{"secret", etag("a secret"), info.Checksum.Value}
		look := func() {
			err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				text, err := os.ReadFile(path)
				for _, secret := range secrets {
					if bytes.Contains(text, []byte(secret)) {
						t.Errorf("%s has %q", path, secret)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		look()
		done, err := complete(t, s, u, objects.PartChoice{Number: 1, ETag: info.ETag, Checksum: info.Checksum})
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, done.ETag, done.Checksum.Value)
		look()
		if got := stat(t, s, "a"); *got.Checksum != *done.Checksum || got.ETag != done.ETag {
			t.Errorf("%+v, want %+v", got, done)
		}
	})

	t.Run("of two completions at once, both have made the same", func(t *testing.T) {
		s, _ := open(t)
		u := beginUpload(t, s, "a", objects.Draft{})
		part := putPart(t, s, u, 1, "x")
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				info, err := complete(t, s, u, part)
				if err != nil || info.ETag != etagOfParts("x") {
					t.Errorf("%+v, %v", info, err)
				}
			})
		}
		work.Wait()
	})
}

// asked is a context that does something when it is asked first whether it is
// over.
type asked struct {
	context.Context
	first func()
}

func (a asked) Err() error {
	a.first()
	return a.Context.Err()
}

// Who asks again because no answer came must not hear that parts are missing,
// which the other call has taken away.
func TestStore_CompleteUpload_atOnce(t *testing.T) {
	store, _ := open(t)
	u := beginUpload(t, store, "a", objects.Draft{})
	choice := putPart(t, store, u, 1, "content")
	other := sync.OnceFunc(func() {
		if _, err := complete(t, store, u, choice); err != nil {
			t.Fatal(err)
		}
	})
	info, err := store.CompleteUpload(asked{t.Context(), other}, "hearth", u.Key, u.ID, []objects.PartChoice{choice}, objects.Draft{})
	if err != nil || info.ETag != etagOfParts("content") {
		t.Errorf("%+v, %v", info, err)
	}
}

// Nor may it put the parts in place of what came after the other call.
func TestStore_CompleteUpload_late(t *testing.T) {
	store, _ := open(t)
	u := beginUpload(t, store, "a", objects.Draft{})
	choice := putPart(t, store, u, 1, "content")
	_, err := store.CompleteUpload(t.Context(), "hearth", u.Key, u.ID, []objects.PartChoice{choice}, objects.Draft{Check: func(objects.Info) error {
		if _, err := complete(t, store, u, choice); err != nil {
			t.Error(err)
		}
		put(t, store, "a", "", "newer")
		return nil
	}})
	wantFaultCode(t, err, "NoSuchUpload")
	if got := get(t, store, "a"); got != "newer" {
		t.Errorf("it holds %q", got)
	}
}

// Who makes an object only if there is none must not be refused because of the
// object that a killed process has made for him.
func TestStore_CompleteUpload_afterCrash(t *testing.T) {
	store, dir := open(t)
	put(t, store, "b", "", "other")
	for key, condition := range map[string]objects.Condition{"a": {Absent: true}, "b": {Match: etag("other")}} {
		u := beginUpload(t, store, key, objects.Draft{})
		choices := []objects.PartChoice{putPart(t, store, u, 1, "content")}
		folder, aside := filepath.Join(dir, "hearth", ".%uploads", u.ID), filepath.Join(t.TempDir(), "aside")
		if err := os.CopyFS(aside, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
		first, err := store.CompleteUpload(t.Context(), "hearth", key, u.ID, choices, objects.Draft{Condition: condition})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(folder, os.DirFS(aside)); err != nil {
			t.Fatal(err)
		}
		again, err := store.CompleteUpload(t.Context(), "hearth", key, u.ID, choices, objects.Draft{Condition: condition})
		if err != nil || again.ETag != first.ETag || !again.ModifiedAt.Equal(first.ModifiedAt) {
			t.Errorf("%+v, %v; want %+v", again, err, first)
		}
	}
	if left, _, err := store.Uploads(t.Context(), "hearth", objects.UploadQuery{Limit: 1}); len(left) > 0 || err != nil {
		t.Errorf("left %+v, %v", left, err)
	}
}

func TestStore_Parts(t *testing.T) {
	s, _ := open(t)
	u := beginUpload(t, s, "a", objects.Draft{Checksum: "CRC32"})
	for _, number := range []int{10_000, 2, 1, 30} {
		putPart(t, s, u, number, fmt.Sprint(number))
	}
	for name, c := range map[string]struct {
		after, limit int
		want         []int
		more         bool
	}{
		"all":        {0, 10, []int{1, 2, 30, 10_000}, false},
		"a page":     {0, 2, []int{1, 2}, true},
		"the rest":   {2, 2, []int{30, 10_000}, false},
		"past them":  {10_000, 2, nil, false},
		"no room":    {0, 0, nil, true},
		"just those": {0, 4, []int{1, 2, 30, 10_000}, false},
	} {
		t.Run(name, func(t *testing.T) {
			parts, more, err := s.Parts(t.Context(), "hearth", u.ID, c.after, c.limit)
			if err != nil || more != c.more || len(parts) != len(c.want) {
				t.Fatalf("%+v, %v, %v", parts, more, err)
			}
			for i, p := range parts {
				if p.Number != c.want[i] || p.ETag != etag(fmt.Sprint(p.Number)) || p.Checksum == nil || p.Checksum.Algorithm != "CRC32" {
					t.Errorf("part %+v", p)
				}
			}
		})
	}
}

func TestStore_Uploads(t *testing.T) {
	s, _ := open(t)
	var ids []string
	for _, key := range []string{"b", "a/1", "a/2", "a/2"} {
		ids = append(ids, beginUpload(t, s, key, objects.Draft{}).ID)
	}
	for name, c := range map[string]struct {
		query objects.UploadQuery
		want  string
		more  bool
	}{
		"all":              {objects.UploadQuery{Limit: 10}, "a/1 a/2 a/2 b", false},
		"of a prefix":      {objects.UploadQuery{Prefix: "a/", Limit: 10}, "a/1 a/2 a/2", false},
		"a page":           {objects.UploadQuery{Limit: 2}, "a/1 a/2", true},
		"after a key":      {objects.UploadQuery{After: "a/2", Limit: 10}, "b", false},
		"of the same key":  {objects.UploadQuery{After: "a/2", AfterID: min(ids[2], ids[3]), Limit: 10}, "a/2 b", false},
		"after the last":   {objects.UploadQuery{After: "b", AfterID: ids[0], Limit: 10}, "", false},
		"without any room": {objects.UploadQuery{}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			uploads, more, err := s.Uploads(t.Context(), "hearth", c.query)
			var keys []string
			for _, u := range uploads {
				keys = append(keys, u.Key)
			}
			if got := strings.Join(keys, " "); got != c.want || more != c.more || err != nil {
				t.Errorf("%q, %v, %v; want %q, %v", got, more, err, c.want, c.more)
			}
		})
	}
}

// Ensure that a store is a map, whatever is written, copied, uploaded in parts,
// aborted and deleted under whatever keys, and whenever it is opened again.
func TestStore_IsTheModels(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		s, dir := open(t)
		model := make(map[string]string)
		var uploads []objects.Upload
		keys := rapid.SliceOfN(keyGenerator(), 1, 4).Draw(rt, "keys")
		anyKey := rapid.SampledFrom(keys)
		serial := 0
		content := func() string { serial++; return fmt.Sprint("content ", serial) }
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				key, text := anyKey.Draw(rt, "key"), content()
				absent := rapid.Bool().Draw(rt, "create")
				_, err := s.Write(t.Context(), "hearth", key, objects.Draft{Condition: objects.Condition{Absent: absent}}, strings.NewReader(text))
				if _, there := model[key]; absent && there {
					if hearth.KindOf(err) != hearth.KindConflict {
						rt.Fatalf("created %q again: %v", key, err)
					}
					return
				}
				if err != nil {
					rt.Fatal(err)
				}
				model[key] = text
			},
			"delete": func(rt *rapid.T) {
				key := anyKey.Draw(rt, "key")
				outcomes, err := s.Delete(t.Context(), "hearth", objects.Deletion{Key: key})
				if err != nil || outcomes[0] != nil {
					rt.Fatal(err, outcomes)
				}
				delete(model, key)
			},
			"begin": func(rt *rapid.T) {
				u, err := s.CreateUpload(t.Context(), "hearth", anyKey.Draw(rt, "key"), objects.Draft{}, false)
				if err != nil {
					rt.Fatal(err)
				}
				uploads = append(uploads, u)
			},
			"end": func(rt *rapid.T) {
				if len(uploads) == 0 {
					rt.Skip("no upload")
				}
				u := uploads[0]
				uploads = uploads[1:]
				if rapid.Bool().Draw(rt, "abort") {
					if err := s.AbortUpload(t.Context(), "hearth", u.Key, u.ID); err != nil {
						rt.Fatal(err)
					}
					return
				}
				text := content()
				info, err := s.WritePart(t.Context(), "hearth", u.Key, u.ID, 1, objects.Draft{}, strings.NewReader(text))
				if err != nil {
					rt.Fatal(err)
				}
				choice := objects.PartChoice{Number: 1, ETag: info.ETag}
				if _, err := s.CompleteUpload(t.Context(), "hearth", u.Key, u.ID, []objects.PartChoice{choice}, objects.Draft{}); err != nil {
					rt.Fatal(err)
				}
				model[u.Key] = text
			},
			"open again": func(*rapid.T) {
				s.Close()
				s = reopen(t, dir)
			},
			"": func(rt *rapid.T) {
				listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 100})
				if err != nil || len(listing.Objects) != len(model) {
					rt.Fatalf("listed %+v, %v, want %q", listing, err, model)
				}
				for _, o := range listing.Objects {
					object, err := s.Read(t.Context(), "hearth", o.Key)
					if err != nil {
						rt.Fatal(err)
					}
					text, err := io.ReadAll(object)
					object.Close()
					if want, there := model[o.Key]; err != nil || !there || string(text) != want {
						rt.Fatalf("%q holds %q, %v, want %q", o.Key, text, err, want)
					}
				}
				left, _, err := s.Uploads(t.Context(), "hearth", objects.UploadQuery{Limit: 100})
				if err != nil || len(left) != len(uploads) {
					rt.Fatalf("uploads %+v, %v, want %+v", left, err, uploads)
				}
			},
		})
	})
}

// age makes an upload one that was begun, and written to last, two hours ago.
func age(t *testing.T, dir string, u objects.Upload) {
	t.Helper()
	folder, then := filepath.Join(dir, "hearth", ".%uploads", u.ID), time.Now().Add(-2*time.Hour)
	file := filepath.Join(folder, "upload")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	doc["started_at"] = then
	if text, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file, text, 0o600), os.Chtimes(folder, then, then)); err != nil {
		t.Fatal(err)
	}
}

func TestStore_AbandonUploads(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	old, young := beginUpload(t, s, "a", objects.Draft{}), beginUpload(t, s, "b", objects.Draft{})
	putPart(t, s, old, 1, "part")
	long := beginUpload(t, s, "c", objects.Draft{})
	age(t, dir, old)
	age(t, dir, long)
	choice := putPart(t, s, long, 1, "part")
	if n, err := s.AbandonUploads(t.Context(), time.Now().Add(-time.Hour)); n != 1 || err != nil {
		t.Errorf("%d uploads, %v", n, err)
	}
	left, _, err := s.Uploads(t.Context(), "hearth", objects.UploadQuery{Limit: 10})
	if err != nil || len(left) != 2 || left[0].ID != young.ID || left[1].ID != long.ID {
		t.Errorf("left %+v, %v", left, err)
	}
	_, err = complete(t, s, old)
	wantFaultCode(t, err, "NoSuchUpload")
	if _, err := complete(t, s, long, choice); err != nil {
		t.Error("one that takes long, and whose last part is new:", err)
	}
}
