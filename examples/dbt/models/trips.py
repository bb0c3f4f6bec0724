"""The trips of all files in the bucket, in a folder for each day."""

from pyspark.sql import functions as F


def model(dbt, session):
    dbt.config(partitioned_by=["day"], timeout=600)
    trips = session.read.csv(
        "s3://rides/raw/",
        header=True,
        schema="trip_id INT, started_at TIMESTAMP, start_station STRING, end_station STRING,"
        " seconds INT, km DOUBLE, rider STRING, bike STRING",
    )
    return trips.withColumn("day", F.to_date("started_at"))
