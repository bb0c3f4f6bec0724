"""The calls of BenchBox's Athena Spark platform, with what it reads of the answers."""

import json
import time

import boto3

athena, s3 = boto3.client("athena"), boto3.client("s3")

response = athena.start_session(
    WorkGroup="primary",
    EngineConfiguration={"CoordinatorDpuSize": 1, "MaxConcurrentDpus": 4, "DefaultExecutorDpuSize": 1},
)
session, state = response["SessionId"], response["State"]
while state not in ("IDLE", "CREATED"):
    assert state not in ("TERMINATED", "FAILED", "DEGRADED"), response
    time.sleep(0.2)
    state = athena.get_session_status(SessionId=session)["Status"]["State"]
# It takes CREATED for ready, where a calculation is refused: the next call of
# its first query is repeated by a person.
while state != "IDLE":
    time.sleep(0.2)
    state = athena.get_session_status(SessionId=session)["Status"]["State"]


def query(code):
    calculation = athena.start_calculation_execution(SessionId=session, CodeBlock=code)["CalculationExecutionId"]
    while True:
        answer = athena.get_calculation_execution_status(CalculationExecutionId=calculation)
        if answer["Status"]["State"] in ("COMPLETED", "FAILED", "CANCELED"):
            break
        time.sleep(0.2)
    assert answer["Status"]["State"] == "COMPLETED", answer
    assert answer["Statistics"]["DpuExecutionInMillis"] > 0, answer
    result = athena.get_calculation_execution(CalculationExecutionId=calculation)["Result"]
    rows = []
    for uri in (result.get("ResultS3Uri"), result.get("StdOutS3Uri")):
        try:
            bucket, key = uri.removeprefix("s3://").split("/", 1)
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        except s3.exceptions.NoSuchKey:
            continue  # ResultS3Uri is a folder
        for line in body.strip().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                rows.append(line)
        break
    return rows


query("spark.sql('CREATE DATABASE IF NOT EXISTS bench')")
query("spark.range(5).selectExpr('id AS l_orderkey', 'id % 2 AS l_flag').createOrReplaceTempView('lineitem')")
rows = query("spark.sql(\"USE bench\")\nspark.sql('''SELECT l_flag, count(*) AS n FROM lineitem GROUP BY l_flag ORDER BY l_flag''').show(100, truncate=False)")
assert rows == ["+------+---+", "|l_flag|n  |", "+------+---+", "|0     |3  |", "|1     |2  |", "+------+---+"], rows

try:
    athena.start_session(WorkGroup="no-such-workgroup", EngineConfiguration={"MaxConcurrentDpus": 2})
    raise AssertionError("an unknown workgroup has a session")
except athena.exceptions.InvalidRequestException as e:
    assert "is not found" in str(e), e
athena.terminate_session(SessionId=session)
