package objects_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/faultpoint"
	"hearth/internal/objects"
)

// The test binary is also a process that changes a store and is killed at a
// moment of that, as by a loss of power.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "crash" {
		moment, err := strconv.Atoi(os.Args[3])
		if err == nil {
			err = crash(os.Args[2], moment)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A step changes a store. Done again it changes nothing more.
type step struct {
	name string
	do   func(ctx context.Context, s *objects.Store) error
	// then changes what keys hold, in the way that do changes the store.
	then func(held map[string]string)
}

func writeStep(key, content string, e *hearth.Encryption) step {
	return step{
		"write " + key + " " + content,
		func(ctx context.Context, s *objects.Store) error {
			_, err := s.Write(ctx, "hearth", key, objects.Draft{Encryption: e}, strings.NewReader(content))
			return err
		},
		func(held map[string]string) { held[key] = content },
	}
}

func deleteStep(keys ...string) step {
	return step{
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

func tagStep(key, value string) step {
	return step{
		"tag " + key + " " + value,
		func(ctx context.Context, s *objects.Store) error {
			return s.Tag(ctx, "hearth", key, map[string]string{"tag": value})
		},
		func(held map[string]string) { held[key] += " tagged " + value },
	}
}

func uploadStep(key, content string) step {
	return step{
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
			_, err = s.CompleteUpload(ctx, "hearth", key, u.ID, []objects.PartChoice{{Number: 1, ETag: part.ETag}}, objects.Draft{})
			return err
		},
		func(held map[string]string) { held[key] = content },
	}
}

var story = []step{
	writeStep("a", "1", nil),
	writeStep("a", "2", nil),
	writeStep("b/c/d", "3", sseS3),
	writeStep("b/c/d", "4", sseS3),
	tagStep("b/c/d", "x"),
	tagStep("a", "y"),
	uploadStep("b/e", "5"),
	uploadStep("a", "6"),
	deleteStep("b/c/d"),
	deleteStep("a", "b/e"),
	writeStep("b/c/d", "7", nil),
}

// crash takes the steps of the story and kills the process at a moment. Steps
// that are over are noted beside the store.
func crash(dir string, moment int) error {
	ctx := context.Background()
	s, err := objects.Open(dir)
	if err != nil {
		return err
	}
	if err := s.CreateBucket(ctx, "hearth"); err != nil {
		return err
	}
	seen := 0
	faultpoint.Reached = func(string, string) {
		if seen++; seen == moment {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	for i, step := range story {
		if err := step.do(ctx, s); err != nil {
			return err
		}
		if err := os.WriteFile(dir+".over", []byte(strconv.Itoa(i+1)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Ensure that, whenever the process is killed, each change that was answered is
// there, the one that was not is there as a whole or not at all, and the story
// can go on.
func TestStore_Crash(t *testing.T) {
	t.Parallel()

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for moment := 1; ; moment++ {
		dir := filepath.Join(t.TempDir(), "objects")
		process := exec.Command(self, "crash", dir, strconv.Itoa(moment))
		process.Stderr = t.Output()
		err := process.Run()
		if err == nil {
			if moment < 2*len(story) {
				t.Errorf("the story has only %d moments", moment-1)
			}
			return
		}
		if killed, ok := process.ProcessState.Sys().(syscall.WaitStatus); !ok || !killed.Signaled() {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(moment), func(t *testing.T) {
			over, err := os.ReadFile(dir + ".over")
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			done, _ := strconv.Atoi(string(over)) // 0 when no step is over
			before := make(map[string]string)
			for _, step := range story[:done] {
				step.then(before)
			}
			after := maps.Clone(before)
			story[done].then(after)

			s := reopen(t, dir)
			wantNoTemporaries(t, dir)
			for key, held := range heldBy(t, s) {
				if held != before[key] && held != after[key] {
					t.Errorf("%q holds %q in the middle of %q", key, held, story[done].name)
				}
			}
			for key := range before {
				if _, kept := after[key]; kept && stat(t, s, key).Key == "" {
					t.Errorf("%q is lost", key)
				}
			}
			for _, step := range story[done:] {
				if err := step.do(t.Context(), s); err != nil {
					t.Fatalf("%s, after the crash: %v", step.name, err)
				}
			}
			want := make(map[string]string)
			for _, step := range story {
				step.then(want)
			}
			if diff := cmp.Diff(want, heldBy(t, s)); diff != "" {
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
