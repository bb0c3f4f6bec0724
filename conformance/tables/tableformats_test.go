package tables

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth"
	"hearth/conformance"
	"hearth/internal/testenv"
)

// tableFormats has two sessions of a workgroup with both formats, and one with
// the properties that Athena documents for Iceberg, share tables.
func tableFormats(t *testing.T, c *conformance.Client) {
	testenv.TableFormats(t, testenv.Engine(t))
	c = c.Serve(`
		[workgroups.primary]
		table_formats = ["iceberg", "delta"]
	`)
	bucket := "lake"
	conformance.Must(c.S3.CreateBucket(c.Ctx, &s3.CreateBucketInput{Bucket: &bucket}))(t)
	documented := map[string]string{
		"spark.sql.extensions":                    "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
		"spark.sql.catalog.spark_catalog":         "org.apache.iceberg.spark.SparkSessionCatalog",
		"spark.sql.catalog.spark_catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
	}
	first, second := c.Launch(), c.Launch()
	c.AwaitSession(first, types.SessionStateIdle)
	c.AwaitSession(second, types.SessionStateIdle)
	c.Run(first, `spark.sql("create database trade")`)
	for _, id := range []string{first, second} {
		c.Run(id, `
spark.conf.set("spark.sql.shuffle.partitions", 2)
spark.conf.set("spark.databricks.delta.snapshotPartitions", 2)

def rows(query):
    print([tuple(row) for row in spark.sql(query).collect()])

def merge(table, *pairs):
    values = ", ".join(f"({id}, '{item}')" for id, item in pairs)
    spark.sql(f"""merge into {table} t using (select * from values {values} as s(id, item)) s on t.id = s.id
        when matched then update set t.item = s.item when not matched then insert *""")
`)
	}

	for _, format := range []struct{ name, table, history string }{
		{"Iceberg", "trade.iceberg", `rows(f"select operation from {table}.snapshots order by committed_at")
rows(f"select * from {table} version as of {spark.sql(f'select snapshot_id from {table}.snapshots order by committed_at').first()[0]} order by id")`},
		{"Delta", "trade.delta", `print([(row.operation,) for row in spark.sql(f"describe history {table}").orderBy("version").collect()])
rows(f"select * from {table} version as of 1 order by id")`},
	} {
		for place, location := range map[string]string{"in the warehouse": "", "on S3": "s3://lake/"} {
			t.Run(format.name+" "+place, func(t *testing.T) {
				c := c.In(t)
				table, at := format.table, ""
				if location != "" {
					table += "_s3"
					at = "location '" + location + format.name + "'"
				}
				c.Run(first, `
table = "`+table+`"
spark.sql(f"""create table {table} (id bigint, item string) using `+format.name+` `+at+` tblproperties ('delta.checkpointInterval' = '2')""")
spark.sql(f"insert into {table} values (1, 'one'), (2, 'two')")
`)
				conformance.Same(t, "the second reads and merges", c.Run(second, `
table = "`+table+`"
rows(f"select * from {table} order by id")
merge(table, (2, "zwei"), (3, "drei"))
rows(f"select * from {table} order by id")
`), "[(1, 'one'), (2, 'two')]\n[(1, 'one'), (2, 'zwei'), (3, 'drei')]\n")
				operations := map[string]string{"Iceberg": "[('append',), ('overwrite',)]", "Delta": "[('CREATE TABLE',), ('WRITE',), ('MERGE',)]"}[format.name]
				conformance.Same(t, "the first reads it, and what was before", c.Run(first, `
rows(f"select * from {table} order by id")
`+format.history), "[(1, 'one'), (2, 'zwei'), (3, 'drei')]\n"+operations+"\n[(1, 'one'), (2, 'two')]\n")
			})
		}
	}

	// changes has both sessions change a table at the same time, each as often as
	// it takes for three of its changes to be answered well.
	changes := func(c *conformance.Client, change string) {
		code := func(who string) string {
			return `
who, done = "` + who + `", 0
while done < 3:
    try:
        ` + change + `
        done += 1
    except Exception as error:
        if "conflict" not in str(error).lower() and "concurrent" not in str(error).lower():
            raise
print(done)
`
		}
		both := []string{c.Begin(first, code("a")), c.Begin(second, code("b"))}
		for _, id := range both {
			got := c.Ended(id)
			conformance.Same(c.T, "stdout", c.Read(got.Result.StdOutS3Uri), "3\n")
		}
	}
	t.Run("two sessions merge into an Iceberg table at once, and nothing is lost", func(t *testing.T) {
		c := c.In(t)
		c.Run(first, `
spark.sql("create table trade.counts (who string, n int) using iceberg")
spark.sql("insert into trade.counts values ('a', 0), ('b', 0)")
`)
		changes(c, `spark.sql(f"merge into trade.counts t using (select '{who}' who) s on t.who = s.who when matched then update set t.n = t.n + 1")`)
		conformance.Same(t, "stdout", c.Run(first, `rows("select * from trade.counts order by who")`), "[('a', 3), ('b', 3)]\n")
	})
	t.Run("two sessions insert into a Delta table at once, and nothing is lost", func(t *testing.T) {
		c := c.In(t)
		c.Run(first, `spark.sql("create table trade.votes (who string) using delta location 's3://lake/votes' tblproperties ('delta.checkpointInterval' = '2')")`)
		changes(c, `spark.sql(f"insert into trade.votes values ('{who}')")`)
		conformance.Same(t, "stdout", c.Run(second, `rows("select who, count(*) from trade.votes group by who order by who")`), "[('a', 3), ('b', 3)]\n")
	})
	t.Run("of two that write one entry of Delta's log, one is refused", func(t *testing.T) {
		conformance.Same(t, "stdout", c.In(t).Run(first, `
import threading
from py4j.protocol import Py4JJavaError

java = sc._jvm
settings = sc._jsc.hadoopConfiguration()

def race(path):
    won = []
    def write(who):
        try:
            java.hearth.LogStore(settings).write(java.org.apache.hadoop.fs.Path(path), java.java.util.List.of(who).iterator(), False, settings)
            won.append(who)
        except Py4JJavaError as error:
            assert "FileAlreadyExistsException" in str(error.java_exception), error
    writers = [threading.Thread(target=write, args=[who]) for who in "abcd"]
    for writer in writers: writer.start()
    for writer in writers: writer.join()
    return won == [row.value for row in spark.read.text(path).collect()]

print(all(race(f"{folder}/{n}.json") for folder in ("s3://lake/race", "file:`+t.TempDir()+`") for n in range(10)))
`), "True\n")
	})
	t.Run("each format's own statements, for its tables and no others", func(t *testing.T) {
		c := c.In(t)
		c.Run(first, `
for format in ("iceberg", "delta", "parquet"):
    spark.sql(f"create table trade.{format}_own using {format} as select 1 id, 'one' item")
    spark.range(2).write.format(format).mode("overwrite").saveAsTable(f"trade.{format}_saved")
for format in ("iceberg", "delta"):
    table = f"trade.{format}_own"
    spark.sql(f"create or replace table {table} using {format} as select id, 'new' item from range(4)")
    spark.sql(f"update {table} set item = 'changed' where id < 2")
    spark.sql(f"delete from {table} where id = 0")
    spark.sql(f"alter table {table} add columns (more int)")
spark.sql("create table trade.defaults (a int, b int default 2) using delta tblproperties ('delta.feature.allowColumnDefaults' = 'supported')")
spark.sql("insert into trade.defaults (a) values (1)")
spark.sql("optimize trade.delta_own")
spark.sql("call spark_catalog.system.expire_snapshots(table => 'trade.iceberg_own', older_than => timestamp '2100-01-01')")
`)
		conformance.Same(t, "the second", c.Run(second, `
import os

for format in ("iceberg", "delta", "parquet"):
    rows(f"select * from trade.{format}_own order by id")
    print(spark.table(f"trade.{format}_saved").count())
rows("select * from trade.defaults")
print([row.operation for row in spark.sql("describe history trade.delta_own").orderBy("version").collect()])
rows("select * from trade.delta_own version as of 0")
rows("select count(*) from trade.iceberg_own.snapshots")
for refused in ("create or replace table trade.iceberg_own using delta as select 1 a", "create or replace table trade.delta_own using iceberg as select 1 a",
                "create table trade.other (a int, b int default 2) using iceberg"):
    try:
        spark.sql(refused)
    except Exception as error:
        print(any(why in str(error) for why in ("not a Delta table", "Not an iceberg table", "has a default value")))
for table in ("iceberg_own", "delta_own", "parquet_own", "delta_saved", "parquet_saved"):
    rows(f"select count(*) from trade.{table}")
    spark.sql(f"drop table trade.{table}")
print(sorted(name for name in os.listdir(spark.conf.get("spark.sql.warehouse.dir").removeprefix("file:") + "/trade.db") if name.endswith(("_own", "_saved"))))
`), `[(1, 'changed', None), (2, 'new', None), (3, 'new', None)]
2
[(1, 'changed', None), (2, 'new', None), (3, 'new', None)]
2
[(1, 'one')]
2
[(1, 2)]
['CREATE TABLE AS SELECT', 'CREATE OR REPLACE TABLE AS SELECT', 'UPDATE', 'DELETE', 'ADD COLUMNS', 'OPTIMIZE']
[(1, 'one')]
[(1,)]
True
True
True
[(3,)]
[(3,)]
[(1,)]
[(2,)]
[(2,)]
['iceberg_own', 'iceberg_saved']
`)
	})
	t.Run("Delta's log has checkpoints", func(t *testing.T) {
		log := filepath.Join(c.Home, "warehouse/trade.db/delta/_delta_log")
		last := conformance.Must(os.ReadFile(filepath.Join(log, "_last_checkpoint")))(t)
		for place, said := range map[string]string{"in the warehouse": string(last), "on S3": c.In(t).Read(aws.String("s3://lake/Delta/_delta_log/_last_checkpoint"))} {
			if !strings.Contains(said, `"version":2`) {
				t.Errorf("%s: %s", place, said)
			}
		}
		if left := conformance.Must(filepath.Glob(filepath.Join(log, ".*.tmp")))(t); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
		conformance.Must(os.Stat(filepath.Join(log, "00000000000000000002.checkpoint.parquet")))(t)
	})
	t.Run("Delta's Python module is there", func(t *testing.T) {
		conformance.Same(t, "stdout", c.In(t).Run(second, `
from delta.tables import DeltaTable
print(DeltaTable.forName(spark, "trade.delta").toDF().count(), DeltaTable.isDeltaTable(spark, "s3://lake/Delta"))
`), "3 True\n")
	})
	t.Run("Athena's properties work but for Glue's catalog", func(t *testing.T) {
		c := c.In(t)
		id := c.StartSession(c.With(documented))
		conformance.Same(t, "stdout", c.Run(id, `
spark.sql("merge into trade.iceberg_s3 t using (select 4 id, 'four' item) s on t.id = s.id when not matched then insert *")
spark.sql("create table trade.plain as select 1 one")
print(spark.table("trade.iceberg_s3").count(), spark.table("trade.plain").count(), spark.table("trade.iceberg").count())
`), "4 1 3\n")
		conformance.Same(t, "the first", c.Run(first, `print(spark.table("trade.iceberg_s3").count(), spark.table("trade.plain").count())`), "4 1\n")

		glue := maps.Clone(documented)
		glue["spark.sql.catalog.spark_catalog.catalog-impl"] = "org.apache.iceberg.aws.glue.GlueCatalog"
		c.Failed(c.Launch(c.With(glue)), "Leave the property out: the tables are then in this server's catalog.")
	})
	t.Run("a workgroup without formats says what it lacks", func(t *testing.T) {
		c := c.In(t)
		c.Failed(c.Launch(func(request *athena.StartSessionInput) {
			request.WorkGroup = aws.String(hearth.WorkGroupSpark35)
			request.EngineConfiguration = &types.EngineConfiguration{Classifications: []types.Classification{{Name: aws.String(hearth.ClassificationSparkDefaults), Properties: documented}}}
		}), `table_formats = ["iceberg"]`)
	})
}

// tableFormatsApart has tables of either format in a workgroup of its own: on
// Spark 4.1 a session cannot have both.
func tableFormatsApart(t *testing.T, c *conformance.Client) {
	testenv.TableFormats(t, testenv.Spark41(t))
	server := c.Serve(`
		[workgroups.iceberg]
		table_formats = ["iceberg"]
		[workgroups.delta]
		table_formats = ["delta"]
		[workgroups.both]
		table_formats = ["iceberg", "delta"]
	`)
	bucket := "lake"
	conformance.Must(server.S3.CreateBucket(server.Ctx, &s3.CreateBucketInput{Bucket: &bucket}))(t)

	for _, format := range []string{"iceberg", "delta"} {
		t.Run(format, func(t *testing.T) {
			c := server.In(t).OnSpark41(format)
			first, second := c.Launch(), c.Launch()
			c.AwaitSession(first, types.SessionStateIdle)
			c.AwaitSession(second, types.SessionStateIdle)
			begin := "format = '" + format + "'" + `
spark.conf.set("spark.sql.shuffle.partitions", 2)
spark.conf.set("spark.databricks.delta.snapshotPartitions", 2)
places = [format + "s.here", format + "s.on_s3"]

def merge(table, *pairs):
    values = ", ".join(f"({id}, '{item}')" for id, item in pairs)
    spark.sql(f"""merge into {table} t using (select * from values {values} as s(id, item)) s on t.id = s.id
        when matched then update set t.item = s.item when not matched then insert *""")

def show():
    for table in places:
        print([tuple(row) for row in spark.sql(f"select * from {table} order by id").collect()])
`
			c.Run(first, begin+`
spark.sql(f"create database {format}s")
for table, location in zip(places, ["", f"location 's3://lake/{format}'"]):
    spark.sql(f"create table {table} (id bigint, item string) using {format} {location}")
    spark.sql(f"insert into {table} values (1, 'one'), (2, 'two')")
`)
			c.Run(second, begin+`
for table in places:
    merge(table, (2, "changed"), (3, "three"))
    spark.sql(f"delete from {table} where id = 1")
`)
			want := strings.Repeat("[(2, 'changed'), (3, 'three')]\n", 2)
			conformance.Same(t, "what the first session sees", c.Run(first, "show()"), want)

			// Each inserts a row after the other, as quickly as it can.
			insert := `
for n in range(5):
    for table in places:
        spark.sql(f"insert into {table} values ({%d + n}, 'new')")
`
			both := []string{c.Begin(first, fmt.Sprintf(insert, 100)), c.Begin(second, fmt.Sprintf(insert, 200))}
			for _, id := range both {
				conformance.Same(t, "State", c.Ended(id).Status.State, types.CalculationExecutionStateCompleted)
			}
			conformance.Same(t, "rows after both have inserted", c.Run(second, "print([spark.table(table).count() for table in places])"), "[12, 12]\n")
		})
	}
	t.Run("both", func(t *testing.T) {
		c := server.In(t).OnSpark41("both")
		c.Failed(c.Launch(), "a session on Spark 4.1 can have one")
	})
}
