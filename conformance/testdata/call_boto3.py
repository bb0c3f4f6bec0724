"""Calls operations with boto3: a request is a line of JSON, and so is its reply."""

import json
import sys

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError

athena = boto3.client("athena")


def call(operation, input):
    try:
        answer = getattr(athena, xform_name(operation))(**input)
    except ClientError as e:
        error = e.response["Error"]
        return {
            "Error": error["Code"],
            "Typed": type(e) is not ClientError and isinstance(e, getattr(athena.exceptions, error["Code"])),
            "Status": e.response["ResponseMetadata"]["HTTPStatusCode"],
            "AthenaErrorCode": e.response.get("AthenaErrorCode", ""),
            "Message": error["Message"],
        }
    return {"Answer": answer}


for line in sys.stdin:
    print(json.dumps(call(**json.loads(line)), default=str), flush=True)
