package tables

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// sparkS3 writes with one session's Spark and reads with another's, and with
// clients that have the server's own key.
func sparkS3(t *testing.T, c *conformance.Client) {
	id, bucket := c.StartSession(), "spark-s3"
	conformance.Must(c.S3.CreateBucket(c.Ctx, &s3.CreateBucketInput{Bucket: &bucket}))(t)
	c.Run(id, `
rows = spark.range(1000).selectExpr("id", "id % 4 as part", "concat('row ', id) as text")
spark.conf.set("spark.sql.shuffle.partitions", 2)
`)

	t.Run("writes every format", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(id, `
for scheme, format in ("s3", "parquet"), ("s3a", "csv"), ("s3n", "json"), ("s3", "orc"):
    path = f"{scheme}://spark-s3/formats/{format}"
    for mode in "overwrite", "append", "overwrite":
        rows.write.mode(mode).format(format).save(path)
    rows.limit(10).write.mode("append").format(format).save(path)
    print(format, spark.read.format(format).load(path).count())
`), "parquet 1010\ncsv 1010\njson 1010\norc 1010\n")
		for _, format := range []string{"parquet", "csv", "json", "orc"} {
			// Hadoop's committers say there which of them it was.
			if said := c.Read(aws.String("s3://spark-s3/formats/" + format + "/_SUCCESS")); !strings.Contains(strings.ReplaceAll(said, " ", ""), `"committer":"directory"`) {
				t.Errorf("%s: %s", format, said)
			}
		}
		wantNothingHidden(t, c, bucket)
	})

	t.Run("partitions are found, and replaced one by one", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(id, `
def counts(path):
    print([tuple(row) for row in spark.read.parquet(path).groupBy("part").count().orderBy("part").collect()])

path = "s3://spark-s3/partitioned"
rows.write.partitionBy("part").parquet(path)
counts(path)
few = rows.where("part = 1").limit(3)
few.write.mode("overwrite").option("partitionOverwriteMode", "dynamic").partitionBy("part").parquet(path)
counts(path)
few.write.mode("append").partitionBy("part").parquet(path)
counts(path)
few.write.mode("overwrite").partitionBy("part").parquet(path)
counts(path)
`), "[(0, 250), (1, 250), (2, 250), (3, 250)]\n[(0, 250), (1, 3), (2, 250), (3, 250)]\n[(0, 250), (1, 6), (2, 250), (3, 250)]\n[(1, 3)]\n")
		wantNothingHidden(t, c, bucket)
	})

	t.Run("tables, and files of RDDs and pandas", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(id, `
import pandas
rows.write.mode("overwrite").option("path", "s3://spark-s3/table").saveAsTable("on_s3")
spark.sql("insert into on_s3 select id, part, text from on_s3 where part = 0")
print(spark.table("on_s3").count(), spark.read.parquet("s3://spark-s3/table").count())
sc.parallelize(range(100), 4).saveAsTextFile("s3://spark-s3/rdd")
print(sc.textFile("s3a://spark-s3/rdd").count())
pandas.DataFrame({"n": [1, 2]}).to_parquet("s3://spark-s3/pandas.parquet")
print(pandas.read_parquet("s3://spark-s3/pandas.parquet").n.sum(), spark.read.parquet("s3://spark-s3/pandas.parquet").count())
`), "1250 1250\n100\n3 2\n")
	})

	t.Run("of a write that fails nothing is seen", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(id, `
import os, threading, time
from pyspark.sql import functions

rows.write.parquet("s3://spark-s3/failed")
uploaded = os.path.abspath("uploaded")

def await_others():  # what they have uploaded is to go with the one that fails
    tracker = sc.statusTracker()
    while not any(stage and 0 < stage.numCompletedTasks == stage.numTasks - 1 for stage in map(tracker.getStageInfo, tracker.getActiveStageIds())):
        time.sleep(0.05)
    open(uploaded, "w").close()

@functions.udf("double")
def fails(n):
    while n == 999 and not os.path.exists(uploaded):
        time.sleep(0.05)
    return 1 / (n - 999)

threading.Thread(target=await_others).start()
try:
    rows.withColumn("x", fails("id")).write.mode("append").parquet("s3://spark-s3/failed")
except Exception as error:
    print("ZeroDivisionError" in str(error))
print(spark.read.parquet("s3://spark-s3/failed").count())
`), "True\n1000\n")
		wantNothingHidden(t, c, bucket)
	})

	t.Run("two append to one place at once", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(id, `
from concurrent.futures import ThreadPoolExecutor
rows.limit(0).write.parquet("s3://spark-s3/shared")
with ThreadPoolExecutor(3) as threads:
    list(threads.map(lambda n: rows.write.mode("append").parquet("s3://spark-s3/shared"), range(3)))
print(spark.read.parquet("s3://spark-s3/shared").count())
`), "3000\n")
	})

	t.Run("a thousand small files", func(t *testing.T) {
		c := c.In(t)
		folder := filepath.Join(c.Home, "objects", bucket, "small+")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for n := range 1000 {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.json", n)), fmt.Appendf(nil, `{"n": %d}`, n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		conformance.Same(t, "stdout", c.Run(id, `print(spark.read.schema("n long").json("s3://spark-s3/small/").agg({"n": "sum"}).first()[0])`), "499500\n")
	})

	t.Run("a stream goes on where it was", func(t *testing.T) {
		c := c.In(t)
		conformance.Same(t, "stdout", c.Run(id, `
def stream():
    query = (spark.readStream.schema("id long, part long, text string").json("s3://spark-s3/formats/json")
        .writeStream.option("checkpointLocation", "s3n://spark-s3/checkpoint").trigger(availableNow=True).start("s3://spark-s3/streamed"))
    query.awaitTermination()
    print(spark.read.parquet("s3://spark-s3/streamed").count())

stream()
rows.limit(5).write.mode("append").json("s3://spark-s3/formats/json")
stream()
`), "1010\n1015\n")
	})

	t.Run("another session and other clients read it, and it reads theirs", func(t *testing.T) {
		c := c.In(t)
		conformance.Must(c.S3.PutObject(c.Ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("put/a b+ü.csv"), Body: strings.NewReader("1,one\n2,two\n")}))(t)
		other := c.StartSession()
		// Its first requests, all at once, are let down by nothing.
		conformance.Same(t, "stdout", c.Run(other, `
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    print(set(pool.map(lambda _: spark.read.csv("s3://spark-s3/put/").count(), range(8))))
print(spark.read.parquet("s3://spark-s3/formats/parquet").count(), spark.read.parquet("s3a://spark-s3/partitioned").where("part = 1").count())
`), "{2}\n1010 3\n")
		listed := conformance.Must(c.S3.ListObjectsV2(c.Ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("formats/json/part-")}))(t)
		lines := 0
		for _, o := range listed.Contents {
			lines += strings.Count(c.Read(aws.String("s3://"+bucket+"/"+aws.ToString(o.Key))), "\n")
		}
		conformance.Same(t, "lines of JSON", lines, 1015)
	})

	t.Run("the server's key is nowhere near a driver", func(t *testing.T) {
		noRootKey(t, c.In(t), id)
	})
}

// wantNothingHidden checks that a commit has left nothing but its result.
func wantNothingHidden(t *testing.T, c *conformance.Client, bucket string) {
	t.Helper()
	listed := conformance.Must(c.S3.ListObjectsV2(c.Ctx, &s3.ListObjectsV2Input{Bucket: &bucket}))(t)
	for _, o := range listed.Contents {
		if key := aws.ToString(o.Key); strings.Contains(key, "__magic") || strings.Contains(key, "_temporary") || strings.Contains(key, ".spark-staging") {
			t.Errorf("left over: %s", key)
		}
	}
	uploads := conformance.Must(c.S3.ListMultipartUploads(c.Ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket}))(t)
	for _, u := range uploads.Uploads {
		t.Errorf("left over: an upload of %s", aws.ToString(u.Key))
	}
}

func noRootKey(t *testing.T, c *conformance.Client, id string) {
	said := c.Run(id, `
import os
print(dict(os.environ), sc.getConf().getAll(), sc._jvm.System.getenv(), sc._jvm.System.getProperties())
own = os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"]
print("OWN", [part in str(sc.getConf().getAll()) for part in own])
`)
	if !strings.HasSuffix(said, "OWN [False, False]\n") {
		t.Error("the session's own secrets are among Spark's properties")
	}
	shown := environmentPage(t, c, id)
	if !strings.Contains(shown, "spark.app.name") {
		t.Errorf("Spark's page of properties is without them: %s", shown)
	}
	root := []string{c.Env["AWS_ACCESS_KEY_ID"], c.Env["AWS_SECRET_ACCESS_KEY"]}
	clean := func(where, text string) {
		for _, part := range root {
			if strings.Contains(text, part) {
				t.Errorf("the server's key is in %s", where)
			}
		}
	}
	clean("what the session's code sees", said)
	clean("Spark's page", shown)
	driver := testenv.Driver(t, c.Home, id)
	_, own, _ := strings.Cut(said, "'AWS_SECRET_ACCESS_KEY': '")
	own, _, _ = strings.Cut(own, "'")
	if len(own) != 40 {
		t.Fatalf("the session's own secret has %d characters", len(own))
	}
	if strings.Contains(shown, own) {
		t.Error("the session's secret is on Spark's page")
	}
	for _, pid := range []int{driver.PID, driver.KernelPID, driver.JVMPID} {
		for _, file := range []string{"environ", "cmdline"} {
			path := fmt.Sprintf("/proc/%d/%s", pid, file)
			text := string(conformance.Must(os.ReadFile(path))(t))
			clean(path, text)
			if file == "cmdline" && strings.Contains(text, own) {
				t.Errorf("the session's secret is on the command line of %d", pid)
			}
		}
	}
	bundle := filepath.Join(c.Home, "drivers", id)
	err := filepath.WalkDir(bundle, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // Spark removes what it needs no more
		}
		clean(path, string(text))
		if info, statErr := entry.Info(); statErr == nil && strings.Contains(string(text), own) && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the session's secret is in %s, which others may read", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// environmentPage gives what Spark shows of a live session's properties.
func environmentPage(t *testing.T, c *conformance.Client, id string) string {
	t.Helper()
	group := aws.ToString(conformance.Must(c.Athena.GetSession(c.Ctx, &athena.GetSessionInput{SessionId: &id}))(t).WorkGroup)
	arn := "arn:aws:athena:us-east-1:123456789012:workgroup/" + group + "/session/" + id
	link := conformance.Must(c.Athena.GetResourceDashboard(c.Ctx, &athena.GetResourceDashboardInput{ResourceARN: &arn}))(t).Url
	browser := http.Client{Jar: conformance.Must(cookiejar.New(nil))(t)}
	var shown []byte
	for _, address := range []string{aws.ToString(link), c.URL + "/ui/sessions/" + id + "/spark/environment/"} {
		answer := conformance.Must(browser.Get(address))(t)
		shown = conformance.Must(io.ReadAll(answer.Body))(t)
		answer.Body.Close()
		conformance.Same(t, "status of Spark's page", answer.StatusCode, http.StatusOK)
	}
	return string(shown)
}
