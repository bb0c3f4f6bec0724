package connect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/conformance"
)

// mostGrown is what the server may have taken more of memory, in MiB, after much
// has passed through it: the windows of a few streams, of which each is a mebibyte
// in each direction, with what the collector has not looked at yet. What passes
// is more than ten times as much.
const mostGrown = 64

// muchData reads a gigabyte of one query's, and uploads a file and a table that
// are larger than a message may be, or nearly.
func muchData(t *testing.T, w *world) {
	for _, p := range w.pairs {
		w.begin(p, "spark.range(1).count()").says() // what is made for the first client is there by now
	}
	memory, connections := conformance.MostMemory(t, w.PID()), sockets(t, w.PID())
	for _, p := range w.pairs {
		t.Run(p.spark, func(t *testing.T) {
			w, began := w.In(t), time.Now()
			got := w.begin(p, fmt.Sprintf(`
import hashlib, pathlib, random, sys, time
import pandas as pd
from pyspark.sql.functions import udf

began = time.monotonic()
def took(what):
    global began
    began, before = time.monotonic(), began
    print(f"{what}: {began - before:.1f} s", file=sys.stderr)

count, total, size = 0, 0, 0
for row in spark.range(0, 10_000, 1, 20).selectExpr("id", "repeat(string(id %% 10), 100000) AS text").toLocalIterator():
    count, total, size = count + 1, total + row.id, size + len(row.text)
print(count, total, size)
took("collect")

path = pathlib.Path(%q, "large.bin")
path.write_bytes(random.Random(7).randbytes(128 << 20))
spark.addArtifacts(str(path), file=True)
def digest(_):
    from pyspark import SparkFiles
    with open(SparkFiles.get("large.bin"), "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
there = spark.range(1).select(udf(digest, "string")("id").alias("d")).first().d
print(there == hashlib.sha256(path.read_bytes()).hexdigest())
took("file")

frame = spark.createDataFrame(pd.DataFrame({"text": [str(i %% 10) * 100_000 for i in range(1100)]}))
print(frame.selectExpr("sum(length(text)) AS n").first().n)
took("table")
spark.stop()
`, t.TempDir()))
			conformance.Same(t, "what the client says", got.says(), "10000 49995000 1000000000\nTrue\n110000000\n")
			t.Logf("in %v:\n%s", time.Since(began).Round(time.Millisecond), got.complaint.String())
		})
	}
	t.Run("the server's memory stays", func(t *testing.T) {
		now := conformance.MostMemory(t, w.PID())
		t.Logf("the server took %d MiB at the most before, and %d MiB after", memory, now)
		if now-memory > mostGrown {
			t.Errorf("that is %d MiB more, and %d would be much", now-memory, mostGrown)
		}
	})
	t.Run("its connections are closed", func(t *testing.T) {
		deadline := time.After(conformance.Patience)
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for now := sockets(t, w.PID()); now > connections; now = sockets(t, w.PID()) {
			select {
			case <-again.C:
			case <-deadline:
				t.Fatalf("the server has %d connections, and had %d", now, connections)
			}
		}
	})
}

// sockets counts those that a process has open.
func sockets(t *testing.T, pid int) (n int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	for _, e := range conformance.Must(os.ReadDir(dir))(t) {
		what, err := os.Readlink(filepath.Join(dir, e.Name()))
		closed := err != nil // since the folder was read
		if !closed && strings.HasPrefix(what, "socket:") {
			n++
		}
	}
	return n
}
