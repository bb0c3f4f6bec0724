package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// backup takes one while a calculation runs, restores it beside the running
// server, and then puts its database alone in the place of a later one.
func backup(t *testing.T, c *conformance.Client) {
	c = c.Serve("")
	id := c.StartSession()
	driver := testenv.Driver(t, c.Home, id)
	done := c.Ended(c.Begin(id, "kept = 'kept'\nprint('before the backup')"))
	gate := conformance.NewGate(t)
	running := c.Begin(id, "print('so far')\n"+gate.Code()+"print('and after')")
	gate.Reached()
	archive := filepath.Join(t.TempDir(), "hearth.tar.gz")
	conformance.Succeed(t, c.Command("backup", archive))
	conformance.Same(t, "State", c.Session(id).Status.State, types.SessionStateBusy)

	t.Run("restored beside the running server", func(t *testing.T) {
		home := filepath.Join(t.TempDir(), "restored")
		conformance.Succeed(t, c.Command("restore", archive, "--data", home))
		there := c.In(t).ServeIn(home)
		there.Failed(id, "gone without a trace")
		got := there.Ended(*done.CalculationExecutionId)
		if diff := cmp.Diff(done.Status, got.Status, cmpopts.IgnoreUnexported(types.CalculationStatus{})); diff != "" {
			t.Errorf("a calculation of before differs:\n%s", diff)
		}
		conformance.Same(t, "stdout", there.Read(got.Result.StdOutS3Uri), "before the backup\n")
		lost := there.Ended(running)
		conformance.Same(t, "State", lost.Status.State, types.CalculationExecutionStateFailed)
		if text := there.Read(lost.Result.StdErrorS3Uri); !strings.Contains(text, "gone without a trace") {
			t.Errorf("stderr is %q", text)
		}
		conformance.Same(t, "State of the one that runs", c.In(t).Session(id).Status.State, types.SessionStateBusy)
	})
	gate.Open()
	conformance.Same(t, "State", c.Ended(running).Status.State, types.CalculationExecutionStateCompleted)

	t.Run("its database in the place of a later one", func(t *testing.T) {
		c := c.In(t)
		c.AwaitSession(id, types.SessionStateIdle)
		c.Stop()
		for _, path := range conformance.Must(filepath.Glob(filepath.Join(c.Home, "hearth.db*")))(t) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := c.Command("serve").CombinedOutput(); err == nil || !strings.Contains(string(out), "hearth.db is gone") {
			t.Errorf("a server without a database: %v\n%s", err, out)
		}
		conformance.Succeed(t, exec.Command("tar", "-xzf", archive, "-C", c.Home, "hearth.db"))
		c.Start()
		got := c.Ended(running) // as the driver's journal has it
		conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		conformance.Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "so far\nand after\n")
		c.AwaitSession(id, types.SessionStateIdle)
		conformance.Same(t, "stdout", c.Run(id, "print(kept)"), "kept\n")
		if diff := cmp.Diff(driver, testenv.Driver(t, c.Home, id)); diff != "" {
			t.Errorf("the driver is another one:\n%s", diff)
		}
	})
	t.Run("the home of a server has what a backup knows of", func(t *testing.T) {
		c := c.In(t)
		known := []string{
			"hearth.db", "catalog.db", "objects", "warehouse", "keys.json", "authority.pem", // in a backup
			"hearth.db-shm", "hearth.db-wal", "catalog.db-shm", "catalog.db-wal", "drivers", "server.json", "server.lock", "roots.pem", // not
		}
		for _, path := range conformance.Must(filepath.Glob(filepath.Join(c.Home, "*")))(t) {
			if name := filepath.Base(path); !slices.Contains(known, name) {
				t.Errorf("%s is new: a backup takes it unless cmd/hearth's home.go says otherwise; decide, and list it here", name)
			}
		}
	})
}
