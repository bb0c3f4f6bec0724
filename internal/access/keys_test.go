package access_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"hearth"
	"hearth/internal/access"
)

func open(t *testing.T, dir string) *access.Keys {
	t.Helper()
	keys, err := access.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestOpen(t *testing.T) {
	t.Run("makes a root key in AWS's form", func(t *testing.T) {
		key := open(t, t.TempDir()).Root()
		if !regexp.MustCompile(`^HEARTH[A-Z2-7]{14}$`).MatchString(key.AccessKeyID) {
			t.Errorf("access key id %q", key.AccessKeyID)
		}
		if !regexp.MustCompile(`^[A-Z2-7]{40}$`).MatchString(key.SecretAccessKey) {
			t.Errorf("secret of %d characters is not in the form of one", len(key.SecretAccessKey))
		}
		if key.CreatedAt.IsZero() {
			t.Error("it has no time")
		}
	})
	t.Run("keeps the key to its owner", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "new", "directory")
		open(t, dir)
		for name, want := range map[string]os.FileMode{"": 0o700, "keys.json": 0o600} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%q has mode %v, %v", name, info.Mode(), err)
			}
		}
	})
	t.Run("finds the same key again", func(t *testing.T) {
		dir := t.TempDir()
		if first, second := open(t, dir).Root(), open(t, dir).Root(); first != second {
			t.Errorf("first %s, then %s", first.AccessKeyID, second.AccessKeyID)
		}
	})
	t.Run("gives all that start at once the same key, and leaves one file", func(t *testing.T) {
		dir := t.TempDir()
		keys := make([]access.Key, 16)
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for i := range keys {
			wg.Go(func() {
				<-begin
				k, err := access.Open(dir)
				if err != nil {
					t.Error(err)
					return
				}
				keys[i] = k.Root()
			})
		}
		close(begin)
		wg.Wait()
		for _, key := range keys {
			if key != keys[0] {
				t.Errorf("keys %s and %s", keys[0].AccessKeyID, key.AccessKeyID)
			}
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("files %v", entries)
		}
	})

	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"others may read":  {`{"keys":[{"access_key_id":"A","secret_access_key":"S"}]}`, 0o644, "chmod 600"},
		"the group may":    {`{"keys":[{"access_key_id":"A","secret_access_key":"S"}]}`, 0o640, "chmod 600"},
		"is not JSON":      {`keys`, 0o600, "is broken"},
		"is empty":         {``, 0o600, "is broken"},
		"has no key":       {`{}`, 0o600, "has no key"},
		"lacks the secret": {`{"keys":[{"access_key_id":"A"}]}`, 0o600, "lacks its id or secret"},
	} {
		t.Run("refuses a file that "+name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "keys.json")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := access.Open(dir)
			if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), c.want) || !strings.Contains(hearth.MessageOf(err), path) {
				t.Errorf("error %v", err)
			}
			if text, _ := os.ReadFile(path); string(text) != c.text {
				t.Error("the file has changed")
			}
		})
	}
	t.Run("says why the directory cannot be made", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := access.Open(filepath.Join(file, "below"))
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), "not a directory") {
			t.Errorf("error %v", err)
		}
	})
}

func TestKeys_Secret(t *testing.T) {
	keys := open(t, t.TempDir())
	t.Run("of a key", func(t *testing.T) {
		secret, err := keys.Secret(t.Context(), keys.Root().AccessKeyID)
		if err != nil || secret != keys.Root().SecretAccessKey {
			t.Errorf("another secret, %v", err)
		}
	})
	for _, id := range []string{"", "HEARTHAAAAAAAAAAAAAA", strings.ToLower(keys.Root().AccessKeyID)} {
		t.Run("of nobody's "+id, func(t *testing.T) {
			_, err := keys.Secret(t.Context(), id)
			if hearth.KindOf(err) != hearth.KindNotFound {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestPrincipal(t *testing.T) {
	keys := open(t, t.TempDir())
	t.Run("acts in a context", func(t *testing.T) {
		want := keys.Principal(keys.Root().AccessKeyID, "123456789012")
		got, ok := access.PrincipalFrom(access.WithPrincipal(t.Context(), want))
		if !ok || got != want || got.ARN != "arn:aws:iam::123456789012:root" {
			t.Errorf("principal %+v, %t", got, ok)
		}
	})
	t.Run("is nobody in another", func(t *testing.T) {
		if p, ok := access.PrincipalFrom(t.Context()); ok {
			t.Errorf("principal %+v", p)
		}
	})
}
