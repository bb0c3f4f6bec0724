"""awswrangler's Spark functions, by environment variables alone, after its own live tests."""

import awswrangler as wr
import boto3

session = wr.athena.create_spark_session(workgroup="primary", spark_properties={"spark.sql.shuffle.partitions": "3"})
athena, s3 = boto3.client("athena"), boto3.client("s3")
try:
    done = wr.athena.run_spark_calculation(code="print(spark)", workgroup="primary", session_id=session)
    assert done["Status"]["State"] == "COMPLETED", done
    bucket, _, key = done["Result"]["StdOutS3Uri"].removeprefix("s3://").partition("/")
    out = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert out.startswith("<pyspark.sql.session.SparkSession object at "), out

    try:
        wr.athena.run_spark_calculation(code="x = 1\nfoobar", workgroup="primary", session_id=session)
        raise AssertionError("foobar is defined")
    except wr.exceptions.CalculationFailed as e:
        assert "foobar" in str(e), e

    assert athena.get_session(SessionId=session)["EngineConfiguration"] == {
        "CoordinatorDpuSize": 1,
        "MaxConcurrentDpus": 5,
        "DefaultExecutorDpuSize": 1,
        "SparkProperties": {"spark.sql.shuffle.partitions": "3"},
    }
finally:
    athena.terminate_session(SessionId=session)

try:
    wr.athena.create_spark_session(workgroup="primary", spark_properties={"spark.driver.memory": "a lot"})
    raise AssertionError("a session with an impossible property started")
except wr.exceptions.SessionFailed as e:
    assert "a lot" in str(e), e
