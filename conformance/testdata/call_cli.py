"""Calls operations with the AWS CLI: a request is a line of JSON, and so is its reply.

It is what the program `aws` runs, many times in one process.
"""

import contextlib
import io
import json
import re
import sys

from awscli.clidriver import create_clidriver
from botocore import xform_name

driver = create_clidriver()
refusal = re.compile(r"An error occurred \((\w+)\) when calling the (\w+) operation(?: \(reached max retries: 0\))?: (.*)", re.DOTALL)


def call(operation, input):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as complaint:
        status = driver.main(["athena", xform_name(operation, "-"), "--output", "json", "--cli-input-json", json.dumps(input)])
    if status == 0:
        return {"Answer": json.loads(out.getvalue() or "{}")}
    error = refusal.search(complaint.getvalue())
    if not error or error[2] != operation:
        return {"Error": f"exit status {status}", "Message": complaint.getvalue()}
    return {"Error": error[1], "Typed": status == 255, "Message": error[3].strip()}


for line in sys.stdin:
    print(json.dumps(call(**json.loads(line))), flush=True)
