"""A first session: real Spark work on a week of bicycle trips.

    hearth run examples/first_session.py

Run it in the root of the repository. `spark` is there already, as in every
session. The value of the last line is shown at the end, as in a notebook.
"""

# ruff: noqa: B018, F821 - the last line shows a value, and the session brings `spark`

import tempfile
from pathlib import Path

from pyspark.sql import Window
from pyspark.sql import functions as F

DATA = Path("examples/data").resolve()

print(f"Spark {spark.version}, {spark.sparkContext.master}\n")

trips = spark.read.csv(
    f"file://{DATA}/trips.csv",
    header=True,
    schema="trip_id INT, started_at TIMESTAMP, start_station STRING, end_station STRING,"
    " seconds INT, km DOUBLE, rider STRING, bike STRING",
)
stations = spark.read.csv(
    f"file://{DATA}/stations.csv",
    header=True,
    schema="station_id STRING, name STRING, district STRING, docks INT",
)
trips.cache()
total = trips.agg(F.count("*").alias("trips"), F.sum("km").alias("km")).first()
print(f"{total.trips} trips, {total.km:,.0f} km, between {stations.count()} stations\n")

# Join each end of a trip with its station, then group.
start, end = stations.alias("start"), stations.alias("end")
journeys = (
    trips.join(start, F.col("start_station") == F.col("start.station_id"))
    .join(end, F.col("end_station") == F.col("end.station_id"))
    .select(
        "trip_id",
        "started_at",
        "seconds",
        "km",
        "rider",
        "bike",
        F.col("start.district").alias("from"),
        F.col("end.district").alias("to"),
    )
)
print("Between districts:")
journeys.groupBy("from").pivot("to").count().orderBy("from").show()

print("How fast they ride:")
(
    journeys.groupBy("rider", "bike")
    .agg(
        F.count("*").alias("trips"),
        F.round(F.sum("km") / F.sum("seconds") * 3600, 1).alias("km_per_hour"),
        F.round(F.expr("percentile(seconds, 0.5)") / 60, 1).alias("median_minutes"),
    )
    .orderBy("rider", "bike")
    .show()
)

# A window: the busiest hour of each day, and how each day grew on the one before.
hours = trips.groupBy(F.to_date("started_at").alias("day"), F.hour("started_at").alias("hour")).count()
rank = F.row_number().over(Window.partitionBy("day").orderBy(F.desc("count"), "hour"))
busiest = hours.withColumn("rank", rank).where("rank = 1").select("day", "hour", "count")
print("The busiest hour of each day:")
busiest.orderBy("day").show()

# Write parquet, partitioned by day, and read it back.
with tempfile.TemporaryDirectory(prefix="hearth-trips-") as folder:
    path = f"file://{folder}/journeys"
    journeys.withColumn("day", F.to_date("started_at")).write.partitionBy("day").parquet(path)
    written = spark.read.parquet(path)
    days = written.groupBy("day").agg(F.count("*").alias("trips"), F.round(F.sum("km"), 1).alias("km"))
    growth = F.col("trips") - F.lag("trips").over(Window.partitionBy(F.weekofyear("day")).orderBy("day"))
    week = days.withColumn("more_than_day_before", growth).orderBy("day").toPandas()
    files = list(Path(folder).rglob("*.parquet"))
    print(f"Wrote {len(files)} parquet files and read {written.count()} rows back.\n")

assert week.trips.sum() == total.trips, "a trip was lost on the way through parquet"
week
