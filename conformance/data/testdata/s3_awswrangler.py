"""awswrangler's functions for objects, by environment variables alone."""

import awswrangler as wr
import boto3
import pandas as pd

bucket = "wrangler-objects"
boto3.client("s3").create_bucket(Bucket=bucket)
root = f"s3://{bucket}/table/"
frame = pd.DataFrame({"id": [1, 2, 3], "name": ["a", "b", "c"], "part": ["x", "y", "x"]})

wr.s3.to_csv(frame, f"s3://{bucket}/text.csv", index=False)
assert wr.s3.read_csv(f"s3://{bucket}/text.csv").equals(frame)
wr.s3.to_json(frame, f"s3://{bucket}/text.json", orient="records", lines=True)
assert wr.s3.read_json(f"s3://{bucket}/text.json", orient="records", lines=True).equals(frame)

wr.s3.to_parquet(frame, root, dataset=True, partition_cols=["part"], mode="overwrite")
wr.s3.to_parquet(frame, root, dataset=True, partition_cols=["part"], mode="append")
read = wr.s3.read_parquet(root, dataset=True)
assert len(read) == 6 and set(read["part"]) == {"x", "y"}, read
wr.s3.to_parquet(frame, root, dataset=True, partition_cols=["part"], mode="overwrite")
assert len(wr.s3.read_parquet(root, dataset=True)) == 3

files = wr.s3.list_objects(root)
assert wr.s3.list_directories(f"s3://{bucket}/") == [root] and wr.s3.does_object_exist(files[0])
copied = wr.s3.copy_objects(files, root, f"s3://{bucket}/copied")
assert len(copied) == len(files) and set(wr.s3.size_objects(copied).values()) == set(wr.s3.size_objects(files).values())
wr.s3.upload(__file__, f"s3://{bucket}/script.py")
assert wr.s3.describe_objects(f"s3://{bucket}/script.py")

wr.s3.delete_objects(f"s3://{bucket}/")
assert wr.s3.list_objects(f"s3://{bucket}/") == []
boto3.client("s3").delete_bucket(Bucket=bucket)
