"""Spark's own client with a session by each of two ways, which take turns.

Its argument says the ways, and how many turns of each kind there are to be. A
turn is a JSON line: what each way took in milliseconds, or, when data are
collected, how many megabytes came a second. The way that is first changes.
"""

import json
import os
import sys
import time

from pyspark.sql import SparkSession

plan = json.loads(sys.argv[1])


class Way:
    def __init__(self, url):
        self.spark = SparkSession.builder.remote(url).create()
        self.row = self.spark.createDataFrame([(1,)], "n int")
        self.many = self.spark.range(plan["rows"]).selectExpr("repeat(chr(97 + id % 26), 1000) AS text")

    def call(self):
        self.spark.conf.get("spark.sql.session.timeZone")

    def query(self):
        assert self.row.collect()[0][0] == 1

    def collect(self):
        client = self.spark.client
        table, *_ = client.to_table(self.many._plan.to_proto(client))
        assert table.num_rows == plan["rows"]
        return table.nbytes


def measure(do):
    began = time.perf_counter()
    size = do()
    took = time.perf_counter() - began
    return size / 1e6 / took if size else took * 1e3


ways = {name: Way(url) for name, url in plan["ways"].items()}
for name, turns in plan["turns"].items():
    warm = max(1, turns // 5)
    for turn in range(-warm, turns):
        order = sorted(ways, reverse=turn % 2 == 0)
        figures = {way: measure(getattr(ways[way], name)) for way in order}
        if turn >= 0:
            print(json.dumps({"name": name, **figures}), flush=True)
os._exit(0)  # the client's threads may keep the interpreter from ending
