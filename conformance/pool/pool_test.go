// Package pool has sessions start with drivers that were started ahead, and looks
// for what they could tell such sessions from others by.
package pool

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/conformance"
	"hearth/internal/testenv"
)

//go:embed testdata/plant.py
var plant string

//go:embed testdata/look.py
var look string

//go:embed testdata/static.py
var static string

// settings are Spark's of all sessions here: those that it takes while it runs. It
// trims what it starts with.
var settings = map[string]string{
	"spark.sql.shuffle.partitions":              " 3\t",
	"spark.sql.session.timeZone":                " Asia/Kathmandu ",
	"spark.sql.execution.arrow.pyspark.enabled": "false",
	"spark.sql.of.nobody":                       " kept\t ",
}

func TestPool(t *testing.T) {
	binary := testenv.Binary(t)
	t.Run("Spark 3.5", func(t *testing.T) {
		p := pool{conformance.Connect(t, testenv.Serve(t, binary, "--warm-drivers", "1")), 1}
		other := maps.Clone(settings)
		other["spark.of.nobody"] = "no driver waits for that"
		p.leaks(t, other)
		p.restarts(t)
		p.refuses(t)
	})
	t.Run("Spark 4.1", func(t *testing.T) {
		p := pool{conformance.Connect(t, testenv.Serve(t, binary, "--warm-drivers", "2")).OnSpark41("four"), 2} // one for each engine
		p.leaks(t, settings)
	})
}

// pool is a server that has so many drivers wait.
type pool struct {
	*conformance.Client
	size int
}

func (p pool) in(t *testing.T) pool { return pool{p.In(t), p.size} }

// start starts a session of the usual size.
func (p pool) start(settings map[string]string) string { return p.StartSession(p.with(settings)) }

func (p pool) with(settings map[string]string) func(*athena.StartSessionInput) {
	return func(r *athena.StartSessionInput) {
		r.EngineConfiguration = &types.EngineConfiguration{SparkProperties: settings}
		if p.WorkGroup != "primary" {
			r.EngineConfiguration = &types.EngineConfiguration{Classifications: []types.Classification{{Name: aws.String("spark-defaults"), Properties: settings}}}
		}
	}
}

func (p pool) stop(id string) {
	p.T.Helper()
	conformance.Must(p.Athena.TerminateSession(p.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(p.T)
	p.AwaitSession(id, types.SessionStateTerminated)
}

// leaks has a session plant things in every corner, and the next one look. What
// that finds is what a session found that had no driver waiting, because of its
// settings or because it was the first of its kind.
func (p pool) leaks(t *testing.T, cold map[string]string) {
	before := p.start(cold)
	p.waited(before, false)
	found := p.looked(before)
	p.stop(before)

	p.await()
	first := p.start(settings)
	p.waited(first, true)
	conformance.Same(t, "the end of what plants", p.Run(first, plant), "planted\n")
	p.stop(first)

	p.await()
	second := p.start(settings)
	p.waited(second, true)
	t.Run("a session finds nothing of the one before, and is like any other", func(t *testing.T) {
		now := p.in(t).looked(second)
		if diff := cmp.Diff(found, now); diff != "" {
			t.Errorf("a session without a driver that waited (-) and with one (+) differ:\n%s", diff)
		}
		for what, of := range now {
			if strings.Contains(strings.ToLower(fmt.Sprint(of)), "planted") {
				t.Errorf("%s: %v", what, of)
			}
		}
	})
	t.Run("its magics tell of itself", func(t *testing.T) {
		c := p.In(t)
		conformance.Same(t, "%session_id", c.Run(second, "%session_id"), second+"\n")
		if got := c.Run(second, "%status"); !strings.Contains(got, second) || !strings.Contains(got, "WorkGroup: "+c.WorkGroup+"\n") {
			t.Errorf("%%status prints %s", got)
		}
	})
	t.Run("its buckets are its own", func(t *testing.T) {
		c := p.In(t)
		uri := "s3://hearth/pool/" + second
		conformance.Same(t, "what was written", c.Run(second, fmt.Sprintf("spark.range(3).write.parquet(%q)\nprint(spark.read.parquet(%q).count())", uri, uri)), "3\n")
	})
	t.Run("what Spark does not take while it runs is known", func(t *testing.T) {
		var modifiable map[string]bool // by the name of a property of Spark SQL
		if err := json.Unmarshal([]byte(p.In(t).Run(second, static)), &modifiable); err != nil || len(modifiable) < 400 {
			t.Fatalf("%d, %v", len(modifiable), err)
		}
		for name, is := range modifiable {
			if hearth.RuntimeProperty(name) != (is && !strings.HasPrefix(name, "spark.sql.catalog.")) {
				t.Errorf("%s: Spark takes it while it runs: %v", name, is)
			}
		}
	})
	p.stop(second)
}

// restarts has a driver that waits outlive its server, and its session too.
func (p pool) restarts(t *testing.T) {
	t.Run("a driver that waits outlives a server that is killed", func(t *testing.T) {
		p := p.in(t)
		p.await()
		p.Kill()
		p.Start()
		p.await()
		id := p.start(settings)
		p.waited(id, true)
		conformance.Same(t, "stdout", p.Run(id, "print(spark.conf.get('spark.sql.shuffle.partitions'), spark.range(5).count())"), "3 5\n")
	})
}

// refuses has Spark refuse a property of a session that claims a driver.
func (p pool) refuses(t *testing.T) {
	t.Run("a bad value of a property is answered as Spark answers it when it starts", func(t *testing.T) {
		p := p.in(t)
		p.await()
		id := p.Launch(p.with(map[string]string{"spark.sql.session.timeZone": "Nowhere"}))
		got := p.AwaitSession(id, types.SessionStateFailed)
		conformance.Found(t, aws.ToString(got[len(got)-1].StateChangeReason), `^(The driver could not start: .*Error while instantiating .*)`)
		conformance.Found(t, p.Log(), `(a driver could not be claimed.* session=`+id+` .*Nowhere)`)
	})
}

// await waits until all drivers of the pool wait for sessions.
func (p pool) await() {
	p.T.Helper()
	all := fmt.Sprintf("\nhearth_warm_drivers %d\n", p.size)
	for deadline := time.Now().Add(conformance.Patience); ; time.Sleep(100 * time.Millisecond) {
		answer := conformance.Must(http.Get(p.URL + "/metrics"))(p.T)
		figures := string(conformance.Must(io.ReadAll(answer.Body))(p.T))
		answer.Body.Close()
		if strings.Contains(figures, all) {
			return
		}
		if time.Now().After(deadline) {
			p.T.Fatalf("there are to be %d that wait for a session:\n%s\n%s", p.size, figures, p.Log())
		}
	}
}

// waited checks whether a session's driver was there before the session.
func (p pool) waited(id string, want bool) {
	p.T.Helper()
	ready := conformance.Found(p.T, p.Log(), `("session is ready" session=`+id+` .*)`)
	conformance.Same(p.T, "the driver of session "+id+" has waited for it", strings.Contains(ready, "Name:claim"), want)
}

// looked is what a session's code finds, without what is each session's own.
func (p pool) looked(id string) map[string][]string {
	p.T.Helper()
	text := strings.ReplaceAll(p.Run(id, look), id, "ID")
	var found map[string][]string
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		p.T.Fatalf("%v in %s", err, text)
	}
	for _, of := range found {
		slices.Sort(of)
	}
	return found
}
