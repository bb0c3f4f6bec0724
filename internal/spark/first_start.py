"""Starts Spark and does a little of everything, so that the classes of usual work are loaded.

What is loaded now is in the archive that later drivers start with. The program ends with status 0
when Spark works.
"""

import contextlib
import os
import struct
import time

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import SparkSession, functions

gateway = os.environ["HEARTH_GATEWAY"]
while not os.path.exists(gateway):
    time.sleep(0.02)
with open(gateway, "rb") as file:
    port, length = struct.unpack("!ii", file.read(8))
    os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
    os.environ["PYSPARK_GATEWAY_SECRET"] = file.read(length).decode()

spark = SparkSession.builder.getOrCreate()
assert spark.range(1).count() == 1

numbers = spark.range(1000).selectExpr("id", "id % 7 as key", "concat('row ', id) as text")
numbers.write.parquet("numbers.parquet")
stored = spark.read.parquet("numbers.parquet")
stored.createOrReplaceTempView("numbers")
spark.sql("select key, count(*) n, sum(id) total, max(text) last from numbers group by key order by key")._jdf.showString(20, 20, False)
spark.sql(
    "select a.key, b.last, rank() over (partition by a.key order by a.id) place from numbers a"
    " join (select key, max(text) last from numbers group by key) b on a.key = b.key order by a.id limit 5"
).collect()

plus_one = functions.udf(lambda n: n + 1, "long")
assert stored.select(plus_one("id").alias("n")).agg(functions.sum("n")).first()[0] == 500500
assert len(stored.toPandas()) == 1000
assert spark.createDataFrame(stored.limit(5).toPandas()).count() == 5
assert spark.sparkContext.parallelize(range(10), 2).map(lambda n: (n % 2, n)).reduceByKey(max).count() == 2

numbers.write.option("header", True).csv("numbers.csv")
assert spark.read.option("header", True).option("inferSchema", True).csv("numbers.csv").count() == 1000
numbers.write.json("numbers.json")
assert spark.read.json("numbers.json").count() == 1000
spark.sql("create table kept using parquet as select * from numbers")
spark.sql("describe table kept").collect()
spark.sql("show tables").collect()

# Spark Connect, with the client that Java has. A Spark that it does not fit works without.
java = spark.sparkContext._jvm
proto = java.org.apache.spark.connect.proto
with contextlib.suppress(Py4JError):
    address, secret = java.hearth.Connect.start(spark.sparkContext._jsc.sc())
    client = java.org.apache.spark.sql.connect.client.SparkConnectClient.builder()
    client = client.connectionString(f"sc://{address}/;x-hearth-driver-secret={secret}").build()
    query = proto.SQL.newBuilder().setQuery("select key, count(*) from kept group by key")
    answers = client.execute(proto.Plan.newBuilder().setRoot(proto.Relation.newBuilder().setSql(query)).build())
    while answers.hasNext():
        answers.next()
    client.shutdown()

# S3, as far as it goes without a store: nothing listens there, and it is asked once.
settings = spark.sparkContext._jvm.org.apache.hadoop.conf.Configuration(spark.sparkContext._jsc.hadoopConfiguration())
for name, value in {
    "fs.s3a.endpoint": "http://127.0.0.1:1",
    "fs.s3a.access.key": "none",
    "fs.s3a.secret.key": "none",
    "fs.s3a.attempts.maximum": "0",
    "fs.s3a.retry.limit": "0",
}.items():
    settings.set(name, value)
nowhere = spark.sparkContext._jvm.org.apache.hadoop.fs.Path("s3://nowhere/")
store = nowhere.getFileSystem(settings)
try:
    store.listStatus(nowhere)
except Py4JJavaError:
    pass
store.close()

spark.stop()
