// Package archtest holds the architecture as tests: which package may import
// which, how packages are called, and what no file of the repository may say.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// module is the path of this module and of its root package.
const module = "hearth"

// A room is a package, named relative to the module, and what it may import
// outside its tests.
type room struct {
	// imports are the packages of this module that it may import.
	imports []string
	// modules are the other modules that it may import from, any of them when
	// nil. The standard library is always allowed.
	modules []string
	why     string
}

var (
	none = []string{}
	sys  = []string{"golang.org/x/sys"}
)

// everything is a wildcard for packages that join the others together.
var everything = []string{"*"}

var rooms = map[string]room{
	".": {none, none, "the vocabulary is read first and depended on by all: it depends on nothing"},

	"internal/sigv4":      {none, none, "the lock of the door is judged by itself, by reading one package"},
	"internal/kernel":     {none, sys, "an old kernel meets a new server: its protocol stands alone"},
	"internal/faultpoint": {none, none, "it names moments wherever they are, and does nothing at them"},
	"internal/shim":       {[]string{"internal/faultpoint", "internal/kernel"}, sys, "an old shim meets a new server, and outlives it: the less is in it the better"},

	"internal/sessions": {[]string{".", "internal/faultpoint"}, none, "what decides knows nouns and ports only: no SQL, HTTP, AWS types or processes"},

	"internal/driver":    {[]string{".", "internal/faultpoint", "internal/kernel", "internal/shim"}, sys, "an adapter: it speaks the shim's protocol and no front door's"},
	"internal/spark":     {[]string{".", "internal/metastore", "internal/shim"}, nil, "an adapter: it says which processes a shim runs, and where they find their catalog"},
	"internal/history":   {[]string{"."}, none, "an adapter: it runs history servers, and is told how one is started and where event logs are"},
	"internal/objects":   {[]string{".", "internal/faultpoint"}, nil, "an adapter, with a door of its own; who may come in is decided before it"},
	"internal/remote":    {[]string{"."}, nil, "an adapter: it speaks to stores of others, and is no door to them"},
	"internal/sqlite":    {[]string{".", "internal/faultpoint"}, nil, "an adapter"},
	"internal/recent":    {[]string{"."}, none, "it stands before a store, whichever that is"},
	"internal/metastore": {[]string{"."}, []string{"modernc.org/sqlite"}, "a door for drivers, which the shim opens: it knows Hive's API and a file, and no process"},

	"internal/storetest":   {[]string{"."}, nil, "one suite for every store, knowing none"},
	"internal/objectstest": {[]string{"."}, nil, "one suite for every store of objects, knowing none"},

	"internal/athena":      {[]string{".", "internal/awsjson"}, none, "a front door: it translates and decides nothing"},
	"internal/athena/gen":  {none, none, "a program that writes shapes from the model"},
	"internal/rest":        {[]string{".", "internal/awsjson"}, none, "a front door"},
	"internal/console":     {[]string{".", "internal/access"}, none, "a front door; browsers do not sign, so that it looks at their passes itself"},
	"internal/connect":     {[]string{"."}, none, "a front door, with an address of its own; it hands gRPC on and reads none of it"},
	"internal/awsjson":     {none, []string{"github.com/google/uuid"}, "a protocol, whatever API is spoken with it"},
	"internal/httpd":       {[]string{".", "internal/access", "internal/awsjson", "internal/sigv4"}, []string{"github.com/google/uuid"}, "it listens and checks who comes; the doors behind it are handed to it"},
	"internal/access":      {[]string{".", "internal/faultpoint"}, none, "keys and principals pass through every door"},
	"internal/authority":   {[]string{"."}, none, "it makes certificates, whoever serves with them"},
	"internal/certificate": {[]string{"."}, none, "it serves with certificates of the user's, whatever is served"},
	"internal/backup":      {[]string{"."}, none, "it packs files, whatever is in them"},
	"internal/throttle":    {none, []string{"golang.org/x/time"}, "it counts calls, whatever is called and whatever is answered"},
	"internal/config":      {[]string{"."}, nil, "a manual of settings that needs none of what they set"},

	"internal/testenv": {everything, nil, "tests of the whole need the whole"},
	"internal/chaos":   {everything, nil, "it breaks the whole"},
	"conformance":      {everything, nil, "it drives the whole"},
	"bench":            {everything, nil, "it measures the whole"},
	"bench/gen":        {[]string{"bench"}, none, "a program that writes results into the docs"},
	"cmd/hearth":       {everything, nil, "the only wiring"},
}

// testOnly are packages that no program may contain.
var testOnly = []string{"testing", "internal/testenv", "internal/storetest", "internal/objectstest", "conformance"}

func TestImports(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		t.Run(p.name(), func(t *testing.T) {
			if len(p.GoFiles) == 0 {
				return // tests may import what they test with
			}
			r, known := rooms[p.name()]
			if !known {
				t.Fatalf("%s has no entry in rooms: say what it may import, and why", p.name())
			}
			for _, imported := range p.Imports {
				if !p.mayImport(r, imported) {
					t.Errorf("%s imports %s, which it may not: %s", p.name(), imported, r.why)
				}
				if slices.Contains(testOnly, relative(imported)) && !slices.Contains(testOnly, p.name()) {
					t.Errorf("%s imports %s outside its tests", p.name(), imported)
				}
			}
		})
	}

	t.Run("every entry is a package", func(t *testing.T) {
		have := make(map[string]bool)
		for _, p := range packages {
			have[p.name()] = true
		}
		for _, name := range slices.Sorted(maps.Keys(rooms)) {
			if !have[name] {
				t.Errorf("rooms has %s, and there is no such package", name)
			}
		}
	})
}

// vague names say that nobody knew what the code is about.
var vague = []string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "base", "models", "types", "lib"}

func TestNames(t *testing.T) {
	for _, p := range list(t) {
		for _, part := range strings.Split(p.name(), "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: %q says nothing about what is in it", p.ImportPath, part)
			}
		}
		if p.Name != "main" && p.Name != path.Base(p.ImportPath) {
			t.Errorf("package %s is in a folder of another name, %s", p.Name, p.ImportPath)
		}
	}
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath, Name string
	GoFiles, Imports []string
}

func (p listed) name() string { return relative(p.ImportPath) }

func (p listed) mayImport(r room, imported string) bool {
	inside := imported == module || strings.HasPrefix(imported, module+"/")
	switch {
	case inside:
		return slices.Contains(r.imports, "*") || slices.Contains(r.imports, relative(imported))
	case !strings.Contains(strings.Split(imported, "/")[0], "."):
		return true // the standard library has no host name in its paths
	default:
		return r.modules == nil || slices.ContainsFunc(r.modules, func(m string) bool {
			return imported == m || strings.HasPrefix(imported, m+"/")
		})
	}
}

func relative(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func list(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Name,GoFiles,Imports", module+"/...")
	out, err := command.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
