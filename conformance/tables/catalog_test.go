package tables

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// catalog has two sessions share databases and tables, kills one of them and
// the server, restores a backup, and asks after each.
func catalog(t *testing.T, c *conformance.Client) {
	c = c.Serve("")
	folder := t.TempDir()
	first := c.Launch()
	second := c.StartSession()
	c.AwaitSession(first, types.SessionStateIdle)
	// Both make what the first sessions of a server make, at the same time.
	both := []string{c.Begin(first, `spark.sql("create database if not exists sales")`), c.Begin(second, `spark.sql("create database if not exists sales")`)}
	for _, id := range both {
		conformance.Same(t, "State", c.Ended(id).Status.State, types.CalculationExecutionStateCompleted)
	}

	conformance.Same(t, "what the first made", c.Run(first, fmt.Sprintf("folder = %q", "file:"+folder)+`
spark.range(10).write.mode("overwrite").saveAsTable("sales.own")
for _ in range(2):
    spark.range(4).write.mode("overwrite").option("path", folder + "/placed").saveAsTable("sales.placed")
spark.sql("create table sales.days (n int) partitioned by (day string)")
spark.sql("insert into sales.days values (1, '2024-01-01'), (2, '2024-01-02')")
spark.range(6).selectExpr("id", "id % 3 k").write.partitionBy("k").parquet(folder + "/found")
spark.sql(f"create table sales.found (id bigint, k bigint) using parquet partitioned by (k) location '{folder}/found'")
spark.sql("create view sales.few as select id from sales.own where id < 3")
spark.sql("create function sales.louder as 'org.apache.hadoop.hive.ql.udf.generic.GenericUDFUpper'")
spark.range(1).createOrReplaceTempView("private")
print([r.tableName for r in spark.sql("show tables in sales").collect()])
`), "['days', 'few', 'found', 'own', 'placed', 'private']\n")

	t.Run("is seen by another session while it is alive", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(second, `
print([r.tableName for r in spark.sql("show tables in sales").collect()])
print(spark.table("sales.own").count(), spark.table("sales.placed").count(), spark.table("sales.few").count())
print(spark.sql("select n from sales.days where day = '2024-01-02'").collect())
print(spark.sql("select sales.louder('a')").first()[0])
print(spark.table("sales.found").count(), end=" ")
spark.sql("msck repair table sales.found")
print(spark.table("sales.found").where("k = 1").count())
`), "['days', 'few', 'found', 'own', 'placed']\n10 4 3\n[Row(n=2)]\nA\n0 2\n")
		conformance.Same(t, "the first again", c.Run(first, `print(spark.table("sales.found").count(), len(spark.sql("show partitions sales.found").collect()))`), "6 3\n")
	})
	t.Run("is described as Spark does it", func(t *testing.T) {
		c := c.In(t)
		out := c.Run(second, `
for row in spark.sql("describe formatted sales.placed").collect():
    if row.col_name in ("Type", "Location"): print(row.col_name, row.data_type)
print(spark.sql("show create table sales.days").first()[0])
print(spark.sql("describe database sales").collect()[3][1])
`)
		for _, part := range []string{"Type EXTERNAL\n", "Location file:" + folder + "/placed\n", "PARTITIONED BY (day)", "file:" + filepath.Join(c.Home, "warehouse/sales.db") + "\n"} {
			if !strings.Contains(out, part) {
				t.Errorf("%q is not in\n%s", part, out)
			}
		}
	})
	t.Run("moves and goes with its files", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(second, `
spark.sql("alter table sales.days rename to sales.daily")
spark.sql("alter table sales.daily drop partition (day = '2024-01-01')")
print(spark.table("sales.daily").count())
spark.sql("drop table sales.placed")
spark.sql("create table sales.gone using parquet as select 1 one")
spark.sql("drop table sales.gone")
try:
    spark.sql("drop database sales")
except Exception as error:
    print("NOT_EMPTY" in str(error))
`), "1\nTrue\n")
		conformance.Same(t, "the first", c.Run(first, `print(spark.table("sales.daily").count(), spark.catalog.tableExists("sales.gone"))`), "1 False\n")
		for path, want := range map[string]bool{"days": false, "daily/day=2024-01-02": true, "daily/day=2024-01-01": false, "gone": false} {
			if _, err := os.Stat(filepath.Join(c.Home, "warehouse/sales.db", path)); (err == nil) != want {
				t.Errorf("%s: %v", path, err)
			}
		}
		if _, err := os.Stat(filepath.Join(folder, "placed")); err != nil {
			t.Errorf("the files of a table with a place of its own: %v", err)
		}
	})

	archive := filepath.Join(t.TempDir(), "hearth.tar.gz")
	conformance.Succeed(t, c.Command("backup", archive))
	t.Run("goes on when a driver is killed in the middle of a change, and the server is away", func(t *testing.T) {
		c := c.In(t)
		c.Begin(first, `for i in range(100_000): spark.sql(f"create or replace view sales.v{i} as select {i}")`)
		gate := conformance.NewGate(t)
		calculation := c.Begin(second, `while not spark.catalog.tableExists("sales.v1"): pass`+gate.Code()+`
spark.sql("create table sales.after using parquet as select 7 seven")
print(spark.table("sales.after").first()[0], spark.table("sales.v1").first()[0])
`)
		gate.Reached()
		conformance.Kill(t, testenv.Driver(t, c.Home, first).PID)
		c.Kill()
		gate.Open()
		c.Start()
		got := c.Ended(calculation)
		conformance.Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "7 1\n")
		c.Failed(first, "")
	})
	t.Run("is there for the next session", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(c.StartSession(), `print(spark.table("sales.after").count(), spark.table("sales.daily").count())`), "1 1\n")
	})
	t.Run("is in a backup", func(t *testing.T) {
		home := filepath.Join(t.TempDir(), "restored")
		conformance.Succeed(t, c.Command("restore", archive, "--data", home))
		conformance.Succeed(t, c.Command("doctor", "--data", home))
		if _, err := os.Stat(filepath.Join(home, "warehouse/sales.db/own/_SUCCESS")); err != nil {
			t.Error(err)
		}
	})
}
