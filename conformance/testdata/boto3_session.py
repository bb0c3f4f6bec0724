"""A session from start to end with boto3, as scripts on AWS do it."""

import datetime
import json
import sys
import time
import uuid

import boto3
from botocore.exceptions import ClientError

group, engine = sys.argv[1], json.loads(sys.argv[2])
athena = boto3.client("athena")
s3 = boto3.client("s3")


def wait(get, wanted, failed):
    """Polls a status, for three minutes at most."""
    for _ in range(600):
        status = get()["Status"]
        if status["State"] in wanted:
            return status
        assert status["State"] not in failed, status
        time.sleep(0.3)
    raise AssertionError(f"still {status}")


def calculate(code):
    calculation = athena.start_calculation_execution(SessionId=session, CodeBlock=code)
    assert calculation["State"] == "CREATING", calculation
    key = calculation["CalculationExecutionId"]
    wait(
        lambda: athena.get_calculation_execution_status(CalculationExecutionId=key),
        {"COMPLETED", "FAILED", "CANCELED"},
        (),
    )
    return athena.get_calculation_execution(CalculationExecutionId=key)


def place(uri):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


started = athena.start_session(
    WorkGroup=group,
    Description="boto3",
    EngineConfiguration=engine,
    SessionIdleTimeoutInMinutes=10,
)
assert started["State"] in ("CREATING", "CREATED"), started
session = started["SessionId"]
uuid.UUID(session)
try:
    status = wait(lambda: athena.get_session_status(SessionId=session), {"IDLE"}, {"FAILED", "TERMINATED", "DEGRADED"})
    now = datetime.datetime.now(datetime.UTC)
    for member in ("StartDateTime", "LastModifiedDateTime", "IdleSinceDateTime"):
        age = now - status[member]
        assert datetime.timedelta(seconds=-1) < age < datetime.timedelta(minutes=5), (member, age)
    assert "EndDateTime" not in status and "StateChangeReason" not in status, status
    configuration = athena.get_session(SessionId=session)["EngineConfiguration"]
    assert configuration == engine, configuration

    # Results through S3, with the same keys.
    done = calculate("for i in range(1000): print(f'line {i:04}')\n{'a': 1}")
    assert done["Status"]["State"] == "COMPLETED", done
    assert "StateChangeReason" not in done["Status"], done
    whole = "".join(f"line {i:04}\n" for i in range(1000)).encode()
    out = place(done["Result"]["StdOutS3Uri"])
    got = s3.get_object(**out)
    assert got["Body"].read() == whole
    head = s3.head_object(**out)
    assert head["ContentLength"] == len(whole) and head["ETag"] == got["ETag"], head
    part = s3.get_object(**out, Range="bytes=10-19")
    assert part["Body"].read() == whole[10:20], part
    assert part["ContentRange"] == f"bytes 10-19/{len(whole)}", part
    assert s3.get_object(**out, Range="bytes=-10")["Body"].read() == whole[-10:]
    try:
        s3.get_object(**out, Range="bytes=1000000-")
        raise AssertionError("a range behind the end was answered")
    except ClientError as e:
        assert e.response["Error"]["Code"] == "InvalidRange", e

    folder = place(done["Result"]["ResultS3Uri"])
    document = json.load(s3.get_object(Bucket=folder["Bucket"], Key=folder["Key"] + "result.json")["Body"])
    assert document["outputs"][-1]["data"]["text/plain"] == "{'a': 1}", document

    directory = place(done["WorkingDirectory"])
    names = [
        found["Key"].removeprefix(directory["Key"] + "/")
        for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=directory["Bucket"], Prefix=directory["Key"] + "/", PaginationConfig={"PageSize": 1}
        )
        for found in page["Contents"]
    ]
    assert {"stdout", "stderr", "results/result.json"} <= set(names), names
    listed = s3.list_objects_v2(Bucket=directory["Bucket"], Prefix=directory["Key"] + "/", Delimiter="/")
    assert [p["Prefix"] for p in listed["CommonPrefixes"]] == [directory["Key"] + "/results/"], listed
    assert "hearth" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    for missing, code in ((directory["Key"] + "/nothing", "NoSuchKey"), ("", "NoSuchBucket")):
        try:
            s3.get_object(Bucket=directory["Bucket"] if missing else "no-such-bucket", Key=missing or "key")
            raise AssertionError(f"{code} was not raised")
        except ClientError as e:
            assert e.response["Error"]["Code"] == code, e

    # An error, with its own stderr.
    failed = calculate("x = 1\nfoobar")
    assert failed["Status"]["State"] == "FAILED", failed
    assert "foobar" in failed["Status"]["StateChangeReason"], failed
    stderr = s3.get_object(**place(failed["Result"]["StdErrorS3Uri"]))["Body"].read().decode()
    assert stderr.strip() == "File \"<stdin>\", line 2, in <module>\nNameError: name 'foobar' is not defined", stderr

    executors = athena.list_executors(SessionId=session)["ExecutorsSummary"]
    assert [e["ExecutorType"] for e in executors] == ["COORDINATOR"], executors

    # Errors have a modelled type.
    try:
        athena.get_session_status(SessionId="00000000-0000-0000-0000-000000000000")
        raise AssertionError("an unknown session has a status")
    except athena.exceptions.InvalidRequestException as e:
        assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 400, e.response
        assert e.response["AthenaErrorCode"] == "INVALID_INPUT", e.response
        assert e.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"], e.response
finally:
    assert athena.terminate_session(SessionId=session)["State"] in ("TERMINATING", "TERMINATED")
ended = wait(lambda: athena.get_session_status(SessionId=session), {"TERMINATED"}, {"FAILED"})
assert ended["StateChangeReason"] == "Session was terminated per request", ended
assert "EndDateTime" in ended and "IdleSinceDateTime" not in ended, ended
