"""The trips and kilometres of each day. A run adds the days that are not there yet."""

from pyspark.sql import functions as F


def model(dbt, session):
    dbt.config(materialized="append")
    days = dbt.ref("trips").groupBy("day").agg(F.count("*").alias("trips"), F.round(F.sum("km"), 1).alias("km"))
    table = f"{dbt.this.schema}.{dbt.this.identifier}"
    if session.catalog.tableExists(table):
        days = days.join(session.table(table), "day", "left_anti")
    return days
