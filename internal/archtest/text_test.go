package archtest

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// machinePath finds absolute paths of the machines that the project happens to
// be built on. The names are in pieces so that this file is not found itself.
var machinePath = regexp.MustCompile(`(^|[^\w./>})\]-])/(` + strings.Join([]string{"wo" + "rk", "fa" + "rm", "ro" + "ot"}, "|") + `)/`)

func TestNoMachinePaths(t *testing.T) {
	root := repository(t)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case ".git", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache":
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || entry.Name() == ".git" { // a worktree has a file of that name
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(content, 0) >= 0 {
			return nil // not a text
		}
		for i, line := range bytes.Split(content, []byte("\n")) {
			if found := machinePath.Find(line); found != nil {
				t.Errorf("%s:%d names a path of one machine: %s", path, i+1, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// repository is the folder that go.mod is in.
func repository(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// What npm installs comes from the public registry, and is what it was when it
// was locked.
func TestNPMLocks(t *testing.T) {
	out, err := exec.Command("git", "-C", repository(t), "ls-files", "*package-lock.json").Output()
	if err != nil {
		t.Fatal(err)
	}
	locks := strings.Fields(string(out))
	if len(locks) == 0 {
		t.Fatal("there is no package-lock.json")
	}
	for _, lock := range locks {
		text, err := os.ReadFile(filepath.Join(repository(t), lock))
		if err != nil {
			t.Fatal(err)
		}
		var content struct {
			Packages map[string]struct{ Resolved, Integrity string }
		}
		if err := json.Unmarshal(text, &content); err != nil {
			t.Fatalf("%s: %v", lock, err)
		}
		for name, p := range content.Packages {
			if name != "" && (!strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/") || !strings.HasPrefix(p.Integrity, "sha512-")) {
				t.Errorf("%s: %s is from %q with the integrity %q", lock, name, p.Resolved, p.Integrity)
			}
		}
	}
}
