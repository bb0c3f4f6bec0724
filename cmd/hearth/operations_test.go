package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hearth/internal/config"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The unit does to the server what TestHearth/restart in package conformance
// proves to leave sessions alone: SIGTERM, to the server's process only.
func TestUnit(t *testing.T) {
	unit := readText(t, "../../examples/hearth.service")
	settings := map[string]string{}
	for line := range strings.Lines(unit) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && name[0] != '#' {
			settings[name] = value
		}
	}
	for name, want := range map[string]string{
		"KillMode":         "process",
		"KillSignal":       "SIGTERM",
		"OOMPolicy":        "continue",
		"Delegate":         "memory",
		"DelegateSubgroup": "hearth-server",
		"Restart":          "on-failure",
		"ExecStart":        "/usr/local/bin/hearth serve",
		"Environment":      "HEARTH_HOME=/var/lib/hearth",
	} {
		if settings[name] != want {
			t.Errorf("%s is %q, not %q", name, settings[name], want)
		}
	}
	for _, name := range []string{"PrivateTmp", "MemoryMax", "DynamicUser", "ExecStop", "SendSIGHUP"} {
		if value, there := settings[name]; there {
			t.Errorf("%s=%s would reach sessions", name, value)
		}
	}
	t.Run("is printed in the documentation", func(t *testing.T) {
		if !strings.Contains(readText(t, "../../docs/operations.md"), "```ini\n"+unit+"```\n") {
			t.Error("docs/operations.md has another unit than examples/hearth.service")
		}
	})
	t.Run("leaves the server longer than that takes to leave", func(t *testing.T) {
		if settings["TimeoutStopSec"] != "60" || leavePatience+endPatience >= 60e9 {
			t.Errorf("%s seconds, and the server may take %v", settings["TimeoutStopSec"], leavePatience+endPatience)
		}
	})
}

// The page names settings and commands that there are.
func TestOperationsPage(t *testing.T) {
	page := readText(t, "../../docs/operations.md")
	var settings []string
	for field := range reflect.TypeFor[config.Config]().Fields() {
		settings = append(settings, field.Tag.Get("toml"))
	}
	for _, found := range regexp.MustCompile("`((?:keep|limit|max|driver)_[a-z_]+)`").FindAllStringSubmatch(page, -1) {
		if !slices.Contains(settings, found[1]) {
			t.Errorf("%s is no setting", found[1])
		}
	}
	commands := strings.ToLower(readText(t, "commands.go"))
	for _, found := range regexp.MustCompile("(?m)(?:^    |`)hearth ([a-z]+)").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(commands, "\t"+found[1]+" ") {
			t.Errorf("hearth %s is no command", found[1])
		}
	}
}
