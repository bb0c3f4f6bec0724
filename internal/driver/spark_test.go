package driver_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
)

// TestDriver_Spark has real Spark's Java process beside the kernel.
func TestDriver_Spark(t *testing.T) {
	python := testPython(t)
	out, err := exec.Command(python, "-c", "import os, pyspark; print(os.path.dirname(pyspark.__file__), end='')").Output()
	if err != nil {
		t.Fatal(err)
	}
	spark := string(out)
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatal(err)
	}
	withSpark := func(properties string) func(*driver.Config) {
		return func(c *driver.Config) {
			c.Prepare = func(_ context.Context, _ hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
				gateway, file := filepath.Join(bundle, shim.GatewayFile), filepath.Join(bundle, "spark.properties")
				properties := "spark.master=local[1]\nspark.app.name=test\nspark.ui.enabled=false\nspark.driver.host=127.0.0.1\nspark.driver.bindAddress=127.0.0.1\n" + properties
				env := []string{"HOME=" + bundle, "PATH=" + os.Getenv("PATH"), "SPARK_HOME=" + spark, "SPARK_LOCAL_IP=127.0.0.1"}
				kernel := shim.Process{
					Argv: []string{python, filepath.Join(bundle, driver.KernelFile)},
					Env:  append([]string{"HEARTH_GATEWAY=" + gateway}, env...),
				}
				jvm := shim.Process{
					Argv: []string{
						java, "-Xmx512m", "-XX:+UseSerialGC", "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
						"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED", "-cp", filepath.Join(spark, "jars", "*"),
						"org.apache.spark.deploy.SparkSubmit", "--properties-file", file, "pyspark-shell",
					},
					Env: append([]string{"_PYSPARK_DRIVER_CONN_INFO_PATH=" + gateway}, env...),
				}
				return kernel, &jvm, os.WriteFile(file, []byte(properties), 0o600)
			}
		}
	}

	t.Run("runs, and is killed", func(t *testing.T) {
		b := newBench(t, withSpark(""))
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
	t.Run("does not start with a property that cannot be", func(t *testing.T) {
		b := newBench(t, withSpark("spark.driver.memory=much"))
		d, err := b.Launch(t.Context(), hearth.Launch{SessionID: "one"})
		if err != nil {
			t.Fatal(err)
		}
		if e := b.exit(d); e.Exit != hearth.ExitFault || !strings.HasSuffix(e.Reason, "SparkException: Driver memory must be a positive number") {
			t.Errorf("it exited with %+v", e)
		}
	})
}
