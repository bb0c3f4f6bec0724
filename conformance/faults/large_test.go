package faults

import (
	"crypto/sha256"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth/conformance"
	"hearth/internal/testenv"
)

var outputMiB = flag.Int("output", 256, "how many `MiB` the story of a large output prints")

// light is the setting of a server whose drivers are light.
const light = "light_drivers = true\n"

// largeOutput prints and displays more than the server, the shim and the kernel may have in
// memory, and reads it back.
func largeOutput(t *testing.T, c *conformance.Client) {
	c = c.Serve(light)
	id := c.StartSession()
	lines := *outputMiB << 10
	began := time.Now()
	got := c.Ended(c.Begin(id, fmt.Sprintf("for i in range(%d): print(f'{i:01023}')", lines)))
	conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
	t.Logf("%d MiB were printed and published in %v", *outputMiB, time.Since(began).Round(time.Millisecond))

	bucket, key, _ := strings.Cut(strings.TrimPrefix(aws.ToString(got.Result.StdOutS3Uri), "s3://"), "/")
	object := conformance.Must(c.S3.GetObject(c.Ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key}))(t)
	defer object.Body.Close()
	read, want := sha256.New(), sha256.New()
	conformance.Must(io.Copy(read, object.Body))(t)
	for i := range lines {
		fmt.Fprintf(want, "%01023d\n", i)
	}
	conformance.Same(t, "stdout's digest", fmt.Sprintf("%x", read.Sum(nil)), fmt.Sprintf("%x", want.Sum(nil)))

	shown := *outputMiB / 2
	began = time.Now()
	got = c.Ended(c.Begin(id, fmt.Sprintf("from IPython.display import display\nfor i in range(%d): display({'text/plain': 'x' * (1 << 20)}, raw=True)", shown)))
	conformance.Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
	t.Logf("%d MiB were displayed and published in %v", shown, time.Since(began).Round(time.Millisecond))

	driver := testenv.Driver(t, c.Home, id)
	for name, pid := range map[string]int{"server": c.PID(), "shim": driver.PID, "kernel": driver.KernelPID} {
		most := conformance.MostMemory(t, pid)
		t.Logf("the %s took %d MiB at the most", name, most)
		if most > conformance.MostMiB {
			t.Errorf("that is more than %d MiB", conformance.MostMiB)
		}
	}
}

// manyRecords starts a server that has many sessions on record, each with a
// calculation and its events, and uses it.
func manyRecords(t *testing.T, c *conformance.Client) {
	c = c.Serve(light)
	id := c.StartSession()
	conformance.Same(t, "stdout", c.Run(id, "print(1)"), "1\n")
	conformance.Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
	c.AwaitSession(id, types.SessionStateTerminated)

	copies := 1
	for _, n := range []int{10_000, 100_000} {
		c.Stop()
		multiply(t, filepath.Join(c.Home, "hearth.db"), id, copies, n)
		copies = n
		began := time.Now()
		c.Start()
		ready := time.Since(began)
		page := conformance.Must(c.Athena.ListSessions(c.Ctx, &athena.ListSessionsInput{WorkGroup: aws.String("primary"), MaxResults: aws.Int32(50)}))(t)
		t.Logf("with %d sessions it was ready after %v, and had answered ListSessions after %v", n, ready.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		conformance.Same(t, "the page's length", len(page.Sessions), 50)
		conformance.Same(t, "State", c.Session(aws.ToString(page.Sessions[0].SessionId)).Status.State, types.SessionStateTerminated)
	}
	conformance.Same(t, "stdout of a new session", c.Run(c.StartSession(), "print(2)"), "2\n")
}

// multiply copies the records of a session until there are n of it.
func multiply(t *testing.T, database, id string, from, n int) {
	t.Helper()
	db := conformance.Must(sql.Open("sqlite", database))(t)
	defer db.Close()
	for _, table := range []struct{ name, of string }{{"sessions", "id"}, {"calculations", "session_id"}, {"events", "session_id"}} {
		rows := conformance.Must(db.Query("SELECT name FROM pragma_table_info(?) WHERE pk = 0", table.name))(t)
		var columns, values []string
		for rows.Next() {
			var column string
			if err := rows.Scan(&column); err != nil {
				t.Fatal(err)
			}
			value := column
			if column == "id" || strings.HasSuffix(column, "_id") {
				value = fmt.Sprintf("printf('%%08d', n) || substr(%s, 9)", column) // NULL stays NULL
			}
			columns, values = append(columns, column), append(values, value)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		conformance.Must(db.Exec(fmt.Sprintf(`WITH RECURSIVE copies (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM copies WHERE n + 1 < ?2)
			INSERT INTO %s (%s) SELECT %s FROM copies, %[1]s WHERE %[4]s = ?3`,
			table.name, strings.Join(columns, ", "), strings.Join(values, ", "), table.of), from, n, id))(t)
	}
}
