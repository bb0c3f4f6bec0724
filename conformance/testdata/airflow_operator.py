"""The calls of Airflow's AthenaSparkOperator in a session that is there, and what it reads of the answers."""

import datetime
import sys
import time
import uuid

import boto3

athena = boto3.client("athena")
session = sys.argv[1]


def run(code, **more):
    request = {"SessionId": session, "CodeBlock": code, **more}
    return athena.start_calculation_execution(**request)["CalculationExecutionId"]


def wait(calculation):
    while True:
        answer = athena.get_calculation_execution(CalculationExecutionId=calculation)
        state = answer["Status"]["State"]
        assert state in ("CREATING", "CREATED", "QUEUED", "RUNNING", "CANCELING", "CANCELED", "COMPLETED", "FAILED"), answer
        if state in ("CANCELED", "COMPLETED", "FAILED"):
            return answer
        time.sleep(0.2)


token = str(uuid.uuid4())
calculation = run("print(spark.range(3).count())", Description="A task", ClientRequestToken=token)
# A worker that is taken over sends the same token.
assert run("print(spark.range(3).count())", Description="A task", ClientRequestToken=token) == calculation
done = wait(calculation)
assert done["Status"]["State"] == "COMPLETED", done
assert done["SessionId"] == session and done["Description"] == "A task", done
assert done["WorkingDirectory"].startswith("s3://"), done
for member in ("StdOutS3Uri", "StdErrorS3Uri", "ResultS3Uri", "ResultType"):
    assert done["Result"][member], done
for member in ("SubmissionDateTime", "CompletionDateTime"):
    assert isinstance(done["Status"][member], datetime.datetime), done
assert done["Status"]["SubmissionDateTime"] <= done["Status"]["CompletionDateTime"], done

failed = wait(run("1 / 0"))
assert failed["Status"]["State"] == "FAILED" and "ZeroDivisionError" in failed["Status"]["StateChangeReason"], failed

# on_kill
killed = run("import time; time.sleep(600)")
assert athena.stop_calculation_execution(CalculationExecutionId=killed)["State"] in ("CANCELING", "CANCELED")
assert wait(killed)["Status"]["State"] == "CANCELED"
