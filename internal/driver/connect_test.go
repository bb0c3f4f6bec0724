package driver_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/shim"
	"hearth/internal/spark"
	"hearth/internal/testenv"
)

// get asks for one of Spark's pages.
func get(t *testing.T, ui hearth.Endpoint, path string) (status int, page string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ui.Address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(hearth.PageSecretHeader, ui.Secret)
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestDriver_Connect has Spark's own client speak to a real driver.
func TestDriver_Connect(t *testing.T) {
	engine := testenv.Engine(t)
	b := newBench(t, func(c *driver.Config) {
		c.Prepare = func(_ context.Context, launch hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
			launch.Master = "local[2]"
			return engine.Processes(launch, bundle, spark.Store{})
		}
	})
	d, story := b.launch(hearth.Launch{SessionID: "one"})
	endpoint, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := connectClient{python: testenv.ConnectClient(t), url: "sc://" + endpoint.Address + "/;" + hearth.ConnectSecretKey + "=" + endpoint.Secret}

	t.Run("is the same when it is asked for again", func(t *testing.T) {
		if again, err := d.Connect(t.Context()); err != nil || again != endpoint {
			t.Errorf("it is at %+v, and then at %+v (%v)", endpoint, again, err)
		}
	})
	t.Run("shares what calculations made, and runs functions", func(t *testing.T) {
		if _, end := b.run(d, story, "spark.range(7).createOrReplaceGlobalTempView('made')"); end.Outcome != hearth.OutcomeOK {
			t.Fatalf("it ended with %+v", end)
		}
		got := client.says(t, `
from pyspark.sql.functions import udf
print(spark.table("global_temp.made").select(udf(lambda n: n + 1, "long")("id").alias("n")).agg({"n": "sum"}).first()[0])
print(spark.range(100_000).toPandas()["id"].sum())`)
		if want := "28\n4999950000\n"; got != want {
			t.Errorf("the client says %q, not %q", got, want)
		}
	})
	t.Run("refuses who does not have its secret", func(t *testing.T) {
		for name, url := range map[string]string{"none": "sc://" + endpoint.Address, "another": client.url + "0"} {
			stranger := client
			stranger.url = url
			if got := stranger.says(t, "try:\n    spark.range(1).count()\nexcept Exception as e:\n    print(e)"); !strings.Contains(got, "StatusCode.UNAUTHENTICATED") {
				t.Errorf("with %s it says %q", name, got)
			}
		}
	})
	t.Run("listens on the loopback address only", func(t *testing.T) {
		ui, err := d.UI(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []hearth.Endpoint{endpoint, ui} {
			if all := listening(t, e.Address); len(all) != 1 || !all[0].IsLoopback() {
				t.Errorf("%s is listened at on %v", e.Address, all)
			}
		}
	})
	t.Run("shows Spark's pages", func(t *testing.T) {
		ui, err := d.UI(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status, page := get(t, ui, "/jobs/"); status != http.StatusOK || !strings.Contains(page, "hearth-one") {
			t.Errorf("it is %d: %.200s", status, page)
		}
		if _, page := get(t, ui, "/environment/"); strings.Contains(page, ui.Secret) {
			t.Error("their secret is on them")
		}
	})
	t.Run("shows Spark's pages to nobody without their secret", func(t *testing.T) {
		ui, err := d.UI(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"", ui.Secret + "x", endpoint.Secret} {
			for _, path := range []string{"/", "/jobs/", "/static/webui.js", "/api/v1/applications", "/metrics/json/", "/nothing"} {
				if status, page := get(t, hearth.Endpoint{Address: ui.Address, Secret: secret}, path); status != http.StatusForbidden {
					t.Errorf("%s with %q is %d: %.200s", path, secret, status, page)
				}
			}
		}
	})
	t.Run("tells when operations run, and that they do when nobody is attached any more", func(t *testing.T) {
		story := b.follow(d, journalEnd(b, "one"))

		release := filepath.Join(t.TempDir(), "go")
		waiting := client.start(t, fmt.Sprintf(`
import os, time
from pyspark.sql.functions import udf
def wait(n):
    while not os.path.exists(%q):
        time.sleep(0.01)
    return n
spark.range(1).select(udf(wait, "long")("id")).collect()`, release))
		story.await(hearth.DriverOperating)
		began := time.Now()
		client.says(t, "print(spark.range(1).count())") // while it runs there is nothing more to tell
		if err := waiting.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = waiting.Wait() // it was killed
		_, end := b.run(d, b.follow(d, journalEnd(b, "one")), "1")
		if end.Outcome != hearth.OutcomeOK || !end.Operating {
			t.Errorf("a calculation beside it ended with %+v", end)
		}
		least := time.Since(began)
		if err := os.WriteFile(release, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if e := story.await(hearth.DriverRested); e.Operated <= 0 || e.Operated > time.Since(began)+patience || e.Operated+end.Ran < least {
			t.Errorf("%+v, of at least %v", e, least)
		}
		if _, end := b.run(d, story, "1"); end.Operating {
			t.Error("operations run, and have rested")
		}
		if got := countType(story.all, hearth.DriverOperating); got != 1 {
			t.Errorf("it is told %d times that operations run", got)
		}
	})
	t.Run("dies in the middle of an operation", func(t *testing.T) {
		story := b.follow(d, journalEnd(b, "one"))
		waiting := client.start(t, "import time\nfrom pyspark.sql.functions import udf\nspark.range(1).select(udf(lambda n: time.sleep(1000), 'long')('id')).collect()")
		defer func() { _ = waiting.Process.Kill(); _ = waiting.Wait() }()
		story.await(hearth.DriverOperating)
		if err := syscall.Kill(b.identity("one").JVMPID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if e := story.await(hearth.DriverExited); e.Exit != hearth.ExitFault || e.CalculationID != "" || e.Operated <= 0 {
			t.Errorf("it exited with %+v", e)
		}
		if _, err := d.Connect(t.Context()); hearth.KindOf(err) != hearth.KindUnavailable {
			t.Errorf("then it is asked where it listens: %v", err)
		}
	})
}

// TestDriver_NoConnect has drivers without Spark.
func TestDriver_NoConnect(t *testing.T) {
	b := newBench(t, nil)
	d, _ := b.launch(hearth.Launch{SessionID: "one"})
	for what, ask := range map[string]func(context.Context) (hearth.Endpoint, error){"Spark Connect": d.Connect, "the Spark UI": d.UI} {
		want := "The driver of session one does not give " + what + ": it has no Spark."
		if _, err := ask(t.Context()); hearth.KindOf(err) != hearth.KindUnavailable || hearth.MessageOf(err) != want {
			t.Errorf("it is refused with %v", err)
		}
	}
}

// connectClient is Spark's own client, a process each time.
type connectClient struct{ python, url string }

func (c connectClient) command(code string) *exec.Cmd {
	cmd := exec.Command(c.python, "-c", "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"+code)
	cmd.Env = append(os.Environ(), "SPARK_REMOTE="+c.url)
	return cmd
}

// says gives what code prints.
func (c connectClient) says(t *testing.T, code string) string {
	t.Helper()
	var failed bytes.Buffer
	cmd := c.command(code)
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the client failed: %v\n%s", err, failed.Bytes())
	}
	return string(out)
}

func (c connectClient) start(t *testing.T, code string) *exec.Cmd {
	t.Helper()
	cmd := c.command(code)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// listening lists the addresses at which an address's port is listened at.
func listening(t *testing.T, address string) (all []net.IP) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			fields := strings.Fields(line)
			host, at, _ := strings.Cut(fields[1], ":")
			const listens = "0A"
			if at != fmt.Sprintf("%04X", number) || fields[3] != listens {
				continue
			}
			ip, err := hex.DecodeString(host)
			if err != nil {
				t.Fatal(err)
			}
			for word := range slices.Chunk(ip, 4) { // each as this machine has numbers
				slices.Reverse(word)
			}
			all = append(all, ip)
		}
	}
	return all
}

// journalEnd gives the offset behind all that has happened to a driver.
func journalEnd(b *bench, id string) int64 {
	b.t.Helper()
	info, err := os.Stat(b.path(id, shim.JournalFile))
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Size()
}

func countType(events []hearth.DriverEvent, wanted hearth.DriverEventType) (n int) {
	for _, e := range events {
		if e.Type == wanted {
			n++
		}
	}
	return n
}
