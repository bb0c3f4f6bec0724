"""What people do with a client of Spark Connect: for each part of it a line, with what came of it.

It is given the session's address and a folder.
"""

import hashlib
import pathlib
import sys
import threading
import time
import uuid

import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, pandas_udf, udf

remote, folder = sys.argv[1], pathlib.Path(sys.argv[2])
spark = SparkSession.builder.remote(remote).getOrCreate()
ten = spark.range(10)
view = "view_" + uuid.uuid4().hex


def query():
    return ten.selectExpr("sum(id) AS n").first().n


def sql():
    ten.createOrReplaceTempView(view)
    return spark.sql(f"SELECT count(*) AS n FROM {view} WHERE id < :most", args={"most": 5}).first().n


def settings():
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    return spark.conf.get("spark.sql.shuffle.partitions")


def table():
    name = "table_" + uuid.uuid4().hex
    ten.write.saveAsTable(name)
    return spark.table(name).count()


def to_pandas():
    frame = spark.range(1000).selectExpr("id", "timestamp'2026-01-02 03:04:05' AS at", "named_struct('a', id) AS s").toPandas()
    return len(frame), int(frame["id"].sum()), str(frame["at"].max())


def iterator():
    return sum(row.id for row in ten.toLocalIterator())


def function():
    return ten.select(udf(lambda n: n + 1, "long")("id").alias("n")).selectExpr("sum(n) AS n").first().n


def registered_function():
    spark.udf.register("plus_one", lambda n: n + 1, "long")
    return spark.range(1, 2).selectExpr("plus_one(id) AS n").first().n


def vectorized_function():
    return ten.select(pandas_udf(lambda s: s + 1, "long")("id").alias("n")).selectExpr("sum(n) AS n").first().n


def frames_of_groups():
    return ten.groupBy((col("id") % 2).alias("k")).applyInPandas(lambda p: p.head(1)[["id"]], "id long").count()


def error_of_a_function():
    def fail(n):
        raise ValueError("it was " + str(n))

    try:
        spark.range(1).select(udf(fail, "long")("id")).collect()
    except PySparkException as e:
        return type(e).__name__, "ValueError: it was 0" in str(e)


def error_of_a_query():
    try:
        spark.table("not_there").collect()
    except PySparkException as e:
        return type(e).__name__, "TABLE_OR_VIEW_NOT_FOUND" in str(e)


def rows_of_the_client():
    return spark.createDataFrame([(i, "x" * 100) for i in range(1000)], ["n", "text"]).selectExpr("sum(n) AS n").first().n


def frame_of_the_client():
    return spark.createDataFrame(pd.DataFrame({"n": range(1000)})).selectExpr("sum(n) AS n").first().n


def module():
    name = "module_" + uuid.uuid4().hex
    source = folder / (name + ".py")
    source.write_text("def answer(): return 42\n")
    spark.addArtifacts(str(source), pyfile=True)

    def answer(_):
        import importlib

        return importlib.import_module(name).answer()

    return spark.range(1).select(udf(answer, "long")("id").alias("n")).first().n


def file():
    content = uuid.uuid4().hex * 10_000
    source = folder / (uuid.uuid4().hex + ".txt")
    source.write_text(content)
    name = source.name
    spark.addArtifacts(str(source), file=True)

    def digest(_):
        from pyspark import SparkFiles

        return hashlib.sha256(open(SparkFiles.get(name), "rb").read()).hexdigest()

    return spark.range(1).select(udf(digest, "string")("id").alias("d")).first().d == hashlib.sha256(content.encode()).hexdigest()


def interrupted(interrupt, tag=None, operation=None):
    """Has an operation interrupted that would go on for minutes, and tells how it ended."""
    ended = []

    def work():
        if tag:
            spark.addTag(tag)
        if operation:
            asked = spark.client._execute_plan_request_with_metadata

            def named(*args, **more):
                request = asked(*args, **more)
                request.operation_id = operation
                return request

            spark.client._execute_plan_request_with_metadata = named
        try:
            # A task that is killed as it begins may go on in Spark, and keep others from
            # running. So there are many, of a second each.
            spark.range(0, 600, 1, 600).selectExpr("java_method('java.lang.Thread', 'sleep', 1000L)").collect()
            ended.append("by itself")
        except PySparkException as e:
            ended.append("OPERATION_CANCELED" if "OPERATION_CANCELED" in str(e) else str(e))
        finally:
            if operation:
                spark.client._execute_plan_request_with_metadata = asked

    thread = threading.Thread(target=work)
    thread.start()
    while not (hit := interrupt()) and thread.is_alive():
        time.sleep(0.05)
    thread.join()
    return len(hit), ended[0]


def interrupt_a_tag():
    return interrupted(lambda: spark.interruptTag("mine"), tag="mine")


def interrupt_an_operation():
    operation = str(uuid.uuid4())
    return interrupted(lambda: spark.interruptOperation(operation), operation=operation)


def interrupt_all():
    return interrupted(spark.interruptAll)


for part in (
    query,
    sql,
    settings,
    table,
    to_pandas,
    iterator,
    function,
    registered_function,
    vectorized_function,
    frames_of_groups,
    error_of_a_function,
    error_of_a_query,
    rows_of_the_client,
    frame_of_the_client,
    module,
    file,
    interrupt_a_tag,
    interrupt_an_operation,
    interrupt_all,
):
    try:
        came = repr(part())
    except Exception as e:  # noqa: BLE001 whatever it is, it is told
        came = f"{type(e).__name__}: {' '.join(str(e).split())}"
    print(part.__name__.replace("_", " "), came, sep="\t", flush=True)
spark.stop()
