package driver_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
	"hearth/internal/spark"
	"hearth/internal/testenv"
)

// TestDriver_Spark has real Spark's Java process beside the kernel.
func TestDriver_Spark(t *testing.T) {
	engine := testenv.Engine(t)
	withSpark := func(c *driver.Config) {
		c.Prepare = func(_ context.Context, launch hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
			launch.Master = "local[1]"
			return engine.Processes(launch, bundle, spark.Store{})
		}
	}

	t.Run("runs, and is killed", func(t *testing.T) {
		b := newBench(t, withSpark)
		d, story := b.launch(hearth.Launch{SessionID: "one"})
		id, end := b.run(d, story, "spark.range(10).count()\nspark.range(3).show()")
		if end.Outcome != hearth.OutcomeOK {
			t.Errorf("it ended with %+v", end)
		}
		if got, want := b.output(d, id, hearth.Stdout), "+---+\n| id|\n+---+\n|  0|\n|  1|\n|  2|\n+---+\n\n"; got != want {
			t.Errorf("stdout is %q", got)
		}
		if err := syscall.Kill(b.identity("one").JVMPID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e := story.await(hearth.DriverExited)
		if e.Exit != hearth.ExitFault || e.Reason != "The driver's Java process was killed by signal 9 (SIGKILL)" {
			t.Errorf("it exited with %+v", e)
		}
	})
	t.Run("goes on after its heap was full, and has enough beside it", func(t *testing.T) {
		b := newBench(t, func(c *driver.Config) {
			withSpark(c)
			c.LimitMemory = true
		})
		const heap, overhead = 512 << 20, 1 << 30 // less of one makes Spark refuse to start; the other is the default
		d, story := b.launch(hearth.Launch{SessionID: "one", Memory: heap + overhead, Properties: map[string]string{"spark.driver.memory": "512m"}})
		for where, code := range map[string]string{
			"in the driver": "spark._jvm.java.nio.ByteBuffer.allocate(1000000000)",
			"in a task":     "spark.range(1).selectExpr(\"length(repeat('x', int(id) + 1000000000))\").collect()",
		} {
			_, end := b.run(d, story, code)
			if end.Outcome != hearth.OutcomeError || !strings.Contains(end.Reason, "java.lang.OutOfMemoryError: Java heap space") {
				t.Errorf("%s, it ended with %+v", where, end)
			}
		}
		if _, end := b.run(d, story, "spark.range(3).rdd.map(lambda row: row.id).count()"); end.Outcome != hearth.OutcomeOK {
			t.Errorf("after that, it ended with %+v", end)
		}
	})
	t.Run("does not start with a property that cannot be", func(t *testing.T) {
		b := newBench(t, withSpark)
		d, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one", Properties: map[string]string{"spark.serializer": "none.Such"}})
		if err != nil {
			t.Fatal(err)
		}
		if e := b.exit(d); e.Exit != hearth.ExitFault || !strings.HasSuffix(e.Reason, "ClassNotFoundException: none.Such") {
			t.Errorf("it exited with %+v", e)
		}
	})
}
