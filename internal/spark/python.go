package spark

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"hearth"
)

// Python is a Python interpreter.
type Python struct {
	Program string `json:"program"`
	Version string `json:"version"` // 3.11.7
}

// minor is the version that packages are built for: 3.11.
func (p Python) minor() string {
	parts := strings.SplitN(p.Version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

const pythonRemedy = "Install Python 3.11 with its venv module (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.11), " +
	"or name one in the setting python"

// pythonProbe tells of an interpreter what decides whether an environment can be
// made with it. Debian ships ensurepip in a package of its own.
const pythonProbe = `
import json, platform, sys
missing = []
for module in "venv", "ensurepip", "ctypes", "ssl", "zlib":
    try:
        __import__(module)
    except ImportError:
        missing.append(module)
print(json.dumps({"program": sys.executable, "version": platform.python_version(), "missing": missing}))
`

type pythonFound struct {
	Python
	Missing []string
}

// probePython runs the program: a name on the PATH may be a version manager's
// stand-in with nothing behind it.
func probePython(ctx context.Context, program string) (pythonFound, error) {
	cmd := exec.CommandContext(ctx, program, "-c", pythonProbe)
	cmd.Env = without(os.Environ(), "PYTHONHOME", "PYTHONPATH")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var found pythonFound
	if err != nil {
		return found, fmt.Errorf("%w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	return found, json.Unmarshal(out, &found)
}

func (l line) checkPython(f pythonFound) error {
	switch {
	case !slices.Contains(l.pythons, f.minor()):
		return fmt.Errorf("%s is Python %s, and Spark %s needs %s", f.Program, f.Version, l.name, oneOf(l.pythons))
	case len(f.Missing) > 0:
		return fmt.Errorf("%s (Python %s) lacks the module %s", f.Program, f.Version, strings.Join(f.Missing, ", "))
	}
	return nil
}

// findPython takes the wanted program, or looks for the best one in dirs. It
// returns KindUnavailable with what was found instead.
func (l line) findPython(ctx context.Context, wanted string, dirs []string) (Python, error) {
	if wanted != "" {
		found, err := probePython(ctx, wanted)
		if err == nil {
			err = l.checkPython(found)
		}
		if err != nil {
			return Python{}, hearth.Errorf(hearth.KindUnavailable, "The Python that is set cannot be used: %v. %s.", err, pythonRemedy)
		}
		return found.Python, nil
	}
	var best Python
	var refused []string
	tried := make(map[string]bool)
	for _, name := range append(l.pythonNames(), "python3", "python") {
		for _, dir := range dirs {
			program := filepath.Join(dir, name)
			if !executable(program) {
				continue
			}
			found, err := probePython(ctx, program)
			if err != nil || tried[found.Program] {
				continue
			}
			tried[found.Program] = true
			if err := l.checkPython(found); err != nil {
				refused = append(refused, err.Error())
				continue
			}
			if best.Program == "" || slices.Index(l.pythons, found.minor()) < slices.Index(l.pythons, best.minor()) {
				best = found.Python
			}
			if best.minor() == l.pythons[0] {
				return best, nil
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return Python{}, err
	}
	if best.Program == "" {
		why := "none was found"
		if len(refused) > 0 {
			why = strings.Join(refused, "; ")
		}
		return Python{}, hearth.Errorf(hearth.KindUnavailable, "There is no Python that Spark can run on: %s. %s.", why, pythonRemedy)
	}
	return best, nil
}

func (l line) pythonNames() (names []string) {
	for _, version := range l.pythons {
		names = append(names, "python"+version)
	}
	return names
}

// pythonDirs are where interpreters are looked for.
func pythonDirs() []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	dirs = append(dirs, "/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
	if home, err := os.UserHomeDir(); err == nil {
		for _, pattern := range []string{".pyenv/versions/*/bin", ".local/share/uv/python/*/bin", ".local/bin"} {
			found, _ := filepath.Glob(filepath.Join(home, pattern)) // the pattern is well formed
			dirs = append(dirs, found...)
		}
	}
	return dirs
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// without leaves out some variables of an environment.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}
