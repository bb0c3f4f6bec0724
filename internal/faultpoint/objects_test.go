package faultpoint_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/faultpoint"
	"hearth/internal/objects"
)

// A change of a store. Made again, it changes nothing more.
type change struct {
	name string
	do   func(ctx context.Context, s *objects.Store) error
	// then changes what keys hold, in the way that do changes the store.
	then func(held map[string]string)
}

func written(key, content string, e *hearth.Encryption) change {
	return change{
		"write " + key + " " + content,
		func(ctx context.Context, s *objects.Store) error {
			_, err := s.Write(ctx, "hearth", key, objects.Draft{Encryption: e}, strings.NewReader(content))
			return err
		},
		func(held map[string]string) { held[key] = content },
	}
}

func placed(key, content string, e *hearth.Encryption) change {
	return change{
		"place " + key + " " + content,
		func(ctx context.Context, s *objects.Store) error {
			u, err := s.Place(ctx, hearth.Object{URI: "s3://hearth/" + key, Encryption: e}, []byte(content))
			if err != nil {
				return err
			}
			defer s.Release([]hearth.Unsynced{u})
			return s.Sync(ctx, []hearth.Unsynced{u})
		},
		func(held map[string]string) { held[key] = content },
	}
}

func deleted(keys ...string) change {
	return change{
		"delete " + strings.Join(keys, " "),
		func(ctx context.Context, s *objects.Store) error {
			var deletions []objects.Deletion
			for _, key := range keys {
				deletions = append(deletions, objects.Deletion{Key: key})
			}
			outcomes, err := s.Delete(ctx, "hearth", deletions...)
			return errors.Join(append(outcomes, err)...)
		},
		func(held map[string]string) {
			for _, key := range keys {
				delete(held, key)
			}
		},
	}
}

func tagged(key, value string) change {
	return change{
		"tag " + key + " " + value,
		func(ctx context.Context, s *objects.Store) error {
			return s.Tag(ctx, "hearth", key, map[string]string{"tag": value})
		},
		func(held map[string]string) { held[key] += " tagged " + value },
	}
}

func uploaded(key, content string, c objects.Condition) change {
	return change{
		"upload " + key,
		func(ctx context.Context, s *objects.Store) error {
			// Who has lost the answer goes on with the upload that is there.
			left, _, err := s.Uploads(ctx, "hearth", objects.UploadQuery{Prefix: key, Limit: 1})
			if err != nil {
				return err
			}
			var u objects.Upload
			if len(left) > 0 {
				u = left[0]
			} else if u, err = s.CreateUpload(ctx, "hearth", key, objects.Draft{}, false); err != nil {
				return err
			}
			part, err := s.WritePart(ctx, "hearth", key, u.ID, 1, objects.Draft{}, strings.NewReader(content))
			if err != nil {
				return err
			}
			_, err = s.CompleteUpload(ctx, "hearth", key, u.ID, []objects.PartChoice{{Number: 1, ETag: part.ETag}}, objects.Draft{Condition: c})
			return err
		},
		func(held map[string]string) { held[key] = content },
	}
}

var encrypted = &hearth.Encryption{Option: hearth.SSES3}

var changes = []change{
	written("a", "1", nil),
	written("a", "2", nil),
	written("b/c/d", "3", encrypted),
	written("b/c/d", "4", encrypted),
	tagged("b/c/d", "x"),
	tagged("a", "y"),
	uploaded("b/e", "5", objects.Condition{Absent: true}),
	uploaded("a", "6", objects.Condition{}),
	deleted("b/c/d"),
	deleted("a", "b/e"),
	written("b/c/d", "7", nil),
	placed("b/f/g", "8", encrypted),
	placed("b/c/d", "9", nil),
	written("b/f/g", "10", nil),
}

// overFile has, in the directory of the changes, how many are over.
const overFile = "over"

// changeObjects makes the changes, and kills its process when it comes to the
// moment of that number.
func changeObjects(home string, moment int) error {
	ctx := context.Background()
	s, err := objects.Open(filepath.Join(home, "objects"))
	if err != nil {
		return err
	}
	if err := s.CreateBucket(ctx, "hearth"); err != nil {
		return err
	}
	seen, heed := 0, faultpoint.Reached
	faultpoint.Reached = func(thing, name string) {
		heed(thing, name)
		if seen++; seen == moment {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	for i, c := range changes {
		if err := c.do(ctx, s); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(home, overFile), []byte(strconv.Itoa(i+1)), 0o600); err != nil {
			return err
		}
	}
	return s.Close()
}

// changed makes the changes in a process of their own, up to a moment, and tells
// whether it came to the end; 0 is no moment.
func changed(t *testing.T, moment int) (s *story, whole bool) {
	t.Helper()
	s = newStory(t)
	s.Choose(t, "")
	return s, s.live("change objects", strconv.Itoa(moment))
}

// TestObjects kills who changes objects at each moment of that. Each change that
// was answered is there, the one that was not is there as a whole or not at all,
// and all can go on.
func TestObjects(t *testing.T) {
	for moment := 1; ; moment++ {
		s, whole := changed(t, moment)
		if whole {
			if moment < 2*len(changes) {
				t.Errorf("the changes have only %d moments", moment-1)
			}
			return
		}
		t.Run(strconv.Itoa(moment), func(t *testing.T) {
			t.Parallel()
			over, err := os.ReadFile(s.path(overFile))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			done, _ := strconv.Atoi(string(over)) // 0 when none is over
			before := make(map[string]string)
			for _, c := range changes[:done] {
				c.then(before)
			}
			after := maps.Clone(before)
			changes[done].then(after)

			store, err := objects.Open(s.path("objects"))
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			held := heldBy(t, store)
			for _, key := range slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)), slices.Collect(maps.Keys(held))) {
				if held[key] != before[key] && held[key] != after[key] {
					t.Errorf("%q holds %q in the middle of %q", key, held[key], changes[done].name)
				}
			}
			for _, c := range changes[done:] {
				if err := c.do(t.Context(), store); err != nil {
					t.Fatalf("%s, after the crash: %v", c.name, err)
				}
			}
			want := make(map[string]string)
			for _, c := range changes {
				c.then(want)
			}
			if diff := cmp.Diff(want, heldBy(t, store)); diff != "" {
				t.Errorf("at the end (-want +got):\n%s", diff)
			}
		})
	}
}

// heldBy is what all keys hold.
func heldBy(t *testing.T, s *objects.Store) map[string]string {
	t.Helper()
	listing, err := s.List(t.Context(), "hearth", objects.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	held := make(map[string]string)
	for _, info := range listing.Objects {
		o, err := s.Read(t.Context(), "hearth", info.Key)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(o)
		o.Close()
		if err != nil {
			t.Fatal(err)
		}
		held[info.Key] = string(content)
		if tag := o.Tags["tag"]; tag != "" {
			held[info.Key] += " tagged " + tag
		}
	}
	return held
}
