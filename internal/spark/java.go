package spark

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hearth"
)

// Java is a Java runtime.
type Java struct {
	Program string `json:"program"`
	Home    string `json:"home"`
	Version string `json:"version"` // 17.0.9
	Build   string `json:"build"`   // tells one build of the runtime from the next: an archive fits only its own
	Brought bool   `json:"brought"` // came with the engine
}

const javaRemedy = "Install Java 17 (Debian and Ubuntu: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17), " +
	"or name its java program in the setting java"

// feature is the first number of the version; Java 8 calls itself 1.8.
func (j Java) feature() int {
	parts := strings.FieldsFunc(j.Version, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) > 1 && parts[0] == "1" {
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(parts[0]) // digits only
	return n
}

func (l line) checkJava(j Java) error {
	if !slices.Contains(l.javas, j.feature()) {
		return fmt.Errorf("%s is Java %s, and Spark %s needs %s", j.Program, j.Version, l.name, oneOf(l.javas))
	}
	return nil
}

// unchanged reports whether the runtime is still there and the same build.
func (j Java) unchanged() bool { return j.Build != "" && buildOf(j.Program) == j.Build }

// buildOf tells builds of a runtime apart by its launcher, "" when it is gone.
func buildOf(program string) string {
	target, err := filepath.EvalSymlinks(program)
	if err != nil {
		return ""
	}
	info, err := os.Stat(target)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d", target, info.Size(), info.ModTime().Unix())
}

// probeJava runs the program and reads what it says of itself.
func probeJava(ctx context.Context, program string) (Java, error) {
	cmd := exec.CommandContext(ctx, program, "-XshowSettings:properties", "-version")
	cmd.Env = without(os.Environ(), "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Java{}, fmt.Errorf("%s cannot be run: %w: %s", program, err, lastLines(string(out), 2))
	}
	java := Java{Program: program, Build: buildOf(program)}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(name) {
		case "java.home":
			java.Home = strings.TrimSpace(value)
		case "java.version":
			java.Version = strings.TrimSpace(value)
		}
	}
	if java.Home == "" || java.Version == "" {
		return Java{}, fmt.Errorf("%s does not say which Java it is", program)
	}
	return java, nil
}

// findJava takes the wanted program, or looks for the best of some. ok is false
// when there is none; refused says what was found instead.
func (l line) findJava(ctx context.Context, wanted string, programs []string) (java Java, refused []string, ok bool, err error) {
	if wanted != "" {
		java, err = probeJava(ctx, wanted)
		if err == nil {
			err = l.checkJava(java)
		}
		if err != nil {
			return Java{}, nil, false, hearth.Errorf(hearth.KindUnavailable, "The Java that is set cannot be used: %v. %s.", err, javaRemedy)
		}
		return java, nil, true, nil
	}
	tried := make(map[string]bool)
	for _, program := range programs {
		target, err := filepath.EvalSymlinks(program)
		if err != nil || tried[target] || !executable(program) {
			continue
		}
		tried[target] = true
		found, err := probeJava(ctx, program)
		if err != nil {
			refused = append(refused, err.Error())
			continue
		}
		if err := l.checkJava(found); err != nil {
			refused = append(refused, err.Error())
			continue
		}
		if !ok || slices.Index(l.javas, found.feature()) < slices.Index(l.javas, java.feature()) {
			java, ok = found, true
		}
		if java.feature() == l.javas[0] {
			break
		}
	}
	return java, refused, ok, ctx.Err()
}

// javaPrograms are where a runtime is looked for.
func javaPrograms() []string {
	var programs []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		programs = append(programs, filepath.Join(home, "bin", "java"))
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		programs = append(programs, filepath.Join(dir, "java"))
	}
	homes := []string{"/usr/lib/jvm/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home", "/opt/homebrew/opt/openjdk@*", "/usr/local/opt/openjdk@*"}
	if home, err := os.UserHomeDir(); err == nil {
		homes = append(homes, filepath.Join(home, ".sdkman/candidates/java/*"), filepath.Join(home, "Library/Java/JavaVirtualMachines/*/Contents/Home"))
	}
	for _, pattern := range homes {
		found, _ := filepath.Glob(filepath.Join(pattern, "bin", "java")) // the pattern is well formed
		programs = append(programs, found...)
	}
	return programs
}

// lastLines gives the last n lines that are not empty, as one.
func lastLines(text string, n int) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}
