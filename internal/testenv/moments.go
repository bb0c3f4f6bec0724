package testenv

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hearth/internal/faultpoint"
)

// Moments is a directory in which processes note the moments that they come to
// (see package faultpoint), and where one of them is killed at the moment that
// was chosen.
type Moments string

const (
	crashFile   = "crash"   // has the moment to be killed at
	crashedFile = "crashed" // who was
	momentsFile = "moments" // those that came, one a line
)

// Choose chooses the moment at which whoever comes to it first is killed; ""
// is none. What was noted before is forgotten.
func (m Moments) Choose(t testing.TB, crash string) {
	t.Helper()
	err := errors.Join(
		os.RemoveAll(m.path(crashedFile)), os.RemoveAll(m.path(momentsFile)),
		os.WriteFile(m.path(crashFile), []byte(crash), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// Heed has this process, called who, note each moment, and kills it at the one
// that was chosen.
func (m Moments) Heed(who string) {
	crash, err := os.ReadFile(m.path(crashFile))
	if err != nil {
		panic(err)
	}
	faultpoint.Reached = func(thing, moment string) {
		name := thing + ", " + moment
		if name == string(crash) && m.claim(who) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		if err := AppendLine(m.path(momentsFile), name); err != nil {
			panic(err)
		}
	}
}

func (m Moments) claim(who string) bool {
	f, err := os.OpenFile(m.path(crashedFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	_, err = f.WriteString(who)
	return errors.Join(err, f.Close()) == nil
}

// AppendLine adds a line to a file that several processes write.
func AppendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

func (m Moments) path(name string) string { return filepath.Join(string(m), name) }

// Died tells who was killed; "" for nobody.
func (m Moments) Died() string {
	who, _ := os.ReadFile(m.path(crashedFile))
	return string(who)
}

// Came lists the moments that came, each once.
func (m Moments) Came() []string {
	text, _ := os.ReadFile(m.path(momentsFile))
	moments := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(moments)
	return slices.Compact(moments)
}

var momentPattern = regexp.MustCompile(`faultpoint\.At\("([^"]+)", (?:"([^"]+)")?`)

// CheckMoments checks that each moment in the code of the programs among some
// files (a pattern) is one of those that came.
func CheckMoments(t testing.TB, files string, came []string) {
	t.Helper()
	found, err := filepath.Glob(files)
	if err != nil {
		t.Fatal(err)
	}
	moments := 0
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") || filepath.Base(filepath.Dir(file)) == "testenv" {
			continue
		}
		if strings.Contains(string(text), "faultpoint.Reached") {
			t.Errorf("%s sets what only tests may", file)
		}
		for _, at := range momentPattern.FindAllSubmatch(text, -1) {
			moments++
			moment := regexp.QuoteMeta(string(at[2]))
			if moment == "" { // it is computed
				moment = ".+"
			}
			if at := regexp.MustCompile("^" + regexp.QuoteMeta(string(at[1])) + ", " + moment + "$"); !slices.ContainsFunc(came, at.MatchString) {
				t.Errorf("there is %v in the code, and it did not come", at)
			}
		}
	}
	if moments == 0 {
		t.Fatal("there is none")
	}
}
