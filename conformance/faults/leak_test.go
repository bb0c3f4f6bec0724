package faults

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/google/go-cmp/cmp"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// nothingGrows uses sessions in every way that opens something, one after the
// other, and counts what the server has open and what is in its data directory:
// after many it is what it was after one, but for what each keeps.
func nothingGrows(t *testing.T, c *conformance.Client) {
	const more = 30
	c = c.Serve(light)
	useUp(t, c)
	first := heldBy(t, c.PID())
	kept := keptAfter(t, c, 1)
	for range more {
		useUp(t, c)
	}
	eventually(t, func() string { return grown(first, heldBy(t, c.PID())) })
	eventually(t, func() string { return cmp.Diff(kept, keptIn(t, c.Home, 1+more)) })
	if found, complaint, _ := conformance.Outcome(t, c.Command("doctor")); strings.Contains(found, "leftovers") || complaint != "" {
		t.Errorf("hearth doctor finds\n%s%s", found, complaint)
	}
}

// useUp is a session with a calculation that ends, one that is stopped, two that
// follow it and are gone before its end, one that stays until then, and a question
// that nobody waits for an answer to.
func useUp(t *testing.T, c *conformance.Client) {
	t.Helper()
	id := c.StartSession()
	log := conformance.Follow(t, c.Command("sessions", "logs", id, "-f"))
	log.Await(t, "the driver's processes run")
	left := conformance.Follow(t, c.Command("sessions", "logs", id, "-f"))
	left.Await(t, "the driver's processes run")
	if got := c.Run(id, "print('a line')"); got != "a line\n" {
		t.Errorf("stdout is %q", got)
	}

	calculation := c.Begin(id, "print('begun', flush=True)\nimport time\nwhile True: time.sleep(.01)")
	output := conformance.Follow(t, c.Command("calculations", "output", "--follow", calculation))
	output.Await(t, "begun")
	asking, forget := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := c.Athena.GetSessionStatus(asking, &athena.GetSessionStatusInput{SessionId: &id}, conformance.While(types.SessionStateBusy))
		answered <- err
	}()
	for _, f := range []*conformance.Follower{left, output} {
		if err := f.Command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		f.Command.Wait() // it was killed
	}
	forget()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("the question that was taken back: %v", err)
	}
	conformance.Must(c.Athena.StopCalculationExecution(t.Context(), &athena.StopCalculationExecutionInput{CalculationExecutionId: &calculation}))(t)
	c.AwaitCalculation(calculation, types.CalculationExecutionStateCanceled)
	conformance.Must(c.Athena.TerminateSession(t.Context(), &athena.TerminateSessionInput{SessionId: aws.String(id)}))(t)
	c.AwaitSession(id, types.SessionStateTerminated)
	log.Rest(t)
	testenv.AwaitNoProcess(t, filepath.Join(c.Home, "drivers", id))
}

var (
	idPattern     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	numberPattern = regexp.MustCompile(`\[\d+\]`)
)

// heldBy counts what a process has open, by kind: a socket, a pipe, or a file by
// its name. The database's connections are as many as were ever needed at once,
// and bounded.
func heldBy(t *testing.T, pid int) map[string]int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	held := make(map[string]int)
	for _, e := range conformance.Must(os.ReadDir(dir))(t) {
		what, err := os.Readlink(filepath.Join(dir, e.Name()))
		gone := err != nil // it was closed meanwhile
		if gone || strings.Contains(what, "/hearth.db") {
			continue
		}
		held[numberPattern.ReplaceAllString(idPattern.ReplaceAllString(what, "ID"), "")]++
	}
	return held
}

// grown tells what there is more of than before.
func grown(before, now map[string]int) string {
	var more []string
	for kind, n := range now {
		if n > before[kind] {
			more = append(more, fmt.Sprintf("%s: %d, and not %d", kind, n, before[kind]))
		}
	}
	return strings.Join(more, "\n")
}

// keptAfter is keptIn when the last session has left all that is to go.
func keptAfter(t *testing.T, c *conformance.Client, sessions int) (kept map[string]string) {
	t.Helper()
	eventually(t, func() string {
		kept = keptIn(t, c.Home, sessions)
		for _, passing := range []string{"drivers/ID/socket", "drivers/ID/temporary", "drivers/ID/ballast"} {
			if n, ok := kept[passing]; ok {
				return fmt.Sprintf("%s: %s", passing, n)
			}
		}
		return ""
	})
	return kept
}

// keptIn counts the entries of a data directory by their names without ids: for
// each session, where a name has one.
func keptIn(t *testing.T, home string, sessions int) map[string]string {
	t.Helper()
	counts := make(map[string]int)
	err := filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it went meanwhile
			return nil
		}
		name, relative := filepath.Rel(home, path)
		counts[idPattern.ReplaceAllString(name, "ID")]++
		return errors.Join(err, relative)
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := make(map[string]string)
	for name, n := range counts {
		if kept[name] = fmt.Sprint(n); n%sessions == 0 && strings.Contains(name, "ID") {
			kept[name] = fmt.Sprintf("%d for each session", n/sessions)
		}
	}
	return kept
}

// eventually waits until there is nothing wrong any more.
func eventually(t *testing.T, wrong func() string) {
	t.Helper()
	deadline := time.After(time.Minute)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		what := wrong()
		if what == "" {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Errorf("it stays so: %s", what)
			return
		}
	}
}
