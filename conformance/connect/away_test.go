package connect

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"hearth"
	"hearth/conformance"
)

// expiry has a client's token expire while the client reads and while it waits,
// which the record is made to say: the least that a token may be set to live is
// long. What is read comes in many pieces, and most are asked for with a token that
// has expired; and so are the settings that a frame's times and structs need.
func expiry(t *testing.T, w *world) {
	for _, p := range w.pairs {
		t.Run(p.spark, func(t *testing.T) {
			w, gate, remote := w.In(t), conformance.NewGate(t), w.endpoint(p.session)
			client := w.start(p.python, "-c", connected(remote, tried+`
from pyspark.sql.functions import expr, udf
stub, again = spark.client._stub, []
reattach = stub.ReattachExecute
def counted(*args, **more):
    again.append(args)
    return reattach(*args, **more)
stub.ReattachExecute = counted

rows = spark.range(0, 1000, 1, 4).selectExpr("id", "repeat('x', 100000) AS text").toLocalIterator()
first = next(rows)
def wait(n):`+strings.ReplaceAll(gate.Code(), "\n", "\n    ")+`
    return n
frame = spark.range(0, 1, 1, 1).select(udf(wait, "long")("id"), expr("timestamp'2026-01-02 03:04:05' AS at"), expr("named_struct('a', id) AS s")).toPandas()
print(frame["at"][0], frame["s"][0])

before, count, total, size = len(again), 1, first.id, len(first.text)
for row in rows:
    count, total, size = count + 1, total + row.id, size + len(row.text)
print(count, total, size, len(again) > before)
tried(spark)
`))
			gate.Reached()
			expire(t, w, p.session, remote)
			gate.Open()
			said := strings.SplitN(client.says(), "\n", 3)
			conformance.Same(t, "the frame", said[0], "2026-01-02 03:04:05 {'a': 0}")
			conformance.Same(t, "what was read", said[1], "1000 499500 100000000 True")
			if !strings.HasPrefix(said[2], "True ") || !strings.Contains(said[2], "The token for session "+p.session+" has expired. Ask for a new one: GetSessionEndpoint, or hearth connect.") {
				t.Errorf("of what it began then the client says %s", said[2])
			}
		})
	}
}

// expire ends the life of the token in an address. A server that makes another one
// forgets what it has in memory of those that it made.
func expire(t *testing.T, w *world, session, remote string) {
	t.Helper()
	db := conformance.Must(sql.Open("sqlite", "file:"+filepath.Join(w.Home, "hearth.db")+"?_pragma=busy_timeout(5000)"))(t)
	defer db.Close()
	digest := hearth.DigestOf(remote[strings.LastIndex(remote, "=")+1:])
	changed := conformance.Must(db.Exec("UPDATE connect_tokens SET expires_at = created_at WHERE digest = ?", digest))(t)
	conformance.Same(t, "the number of tokens", conformance.Must(changed.RowsAffected())(t), 1)
	w.endpoint(session)
}

// restart has clients read rows while the server is killed, and once more while
// it is stopped: they go on where they were. Others do nothing meanwhile, and go
// on with their session after it.
func restart(t *testing.T, w *world) {
	for name, end := range map[string]func(){"killed": w.Kill, "stopped": w.Stop} {
		t.Run(name, func(t *testing.T) {
			w := w.In(t)
			const rows = 200_000
			var gates []conformance.Gate
			reading, idle := make([]*client, len(w.pairs)), make([]*client, len(w.pairs))
			for i, p := range w.pairs {
				read, rest := conformance.NewGate(t), conformance.NewGate(t)
				gates = append(gates, read, rest)
				reading[i] = w.begin(p, fmt.Sprintf(`
rows = spark.range(0, %d, 1, 4).selectExpr("id", "repeat('x', 1000) AS text").toLocalIterator()
first = next(rows)
%s
count, total = 1, first.id
for row in rows:
    count, total = count + 1, total + row.id
print(count, total)
print(spark.range(4).count())
`, rows, read.Code()))
				idle[i] = w.begin(p, `
spark.conf.set("spark.sql.shuffle.partitions", "7")
spark.range(3).createOrReplaceTempView("mine")
`+rest.Code()+`
print(spark.table("mine").count(), spark.conf.get("spark.sql.shuffle.partitions"))
`)
			}
			for _, gate := range gates {
				gate.Reached()
			}
			end()
			for _, gate := range gates {
				gate.Open()
			}
			w.Start()
			for i, p := range w.pairs {
				t.Run("a client that reads, "+p.spark, func(t *testing.T) {
					conformance.Same(t, "what it says", reading[i].says(), fmt.Sprintf("%d %d\n4\n", rows, rows*(rows-1)/2))
				})
				t.Run("a client that does nothing, "+p.spark, func(t *testing.T) {
					conformance.Same(t, "what it says", idle[i].says(), "3 7\n")
				})
			}
		})
	}
}
