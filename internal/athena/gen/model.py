"""Makes model.json from botocore's description of Athena.

    python3 gen/model.py SITE_PACKAGES/botocore > model.json

What is kept are facts of the API: operations, members, types and constraints.
The documentation strings are left out. Operations that have to do with
sessions are kept whole, with every shape they use; of all others only the
names are kept, so that a request for one can be refused by name.
"""

import gzip
import json
import pathlib
import re
import sys

KEPT = {
    # sessions
    "StartSession",
    "GetSession",
    "GetSessionStatus",
    "GetSessionEndpoint",
    "ListSessions",
    "TerminateSession",
    "GetResourceDashboard",
    # calculations
    "StartCalculationExecution",
    "GetCalculationExecution",
    "GetCalculationExecutionCode",
    "GetCalculationExecutionStatus",
    "ListCalculationExecutions",
    "StopCalculationExecution",
    # what sessions run on
    "ListExecutors",
    "ListEngineVersions",
    "ListApplicationDPUSizes",
    # notebooks
    "CreateNotebook",
    "CreatePresignedNotebookUrl",
    "DeleteNotebook",
    "ExportNotebook",
    "GetNotebookMetadata",
    "ImportNotebook",
    "ListNotebookMetadata",
    "ListNotebookSessions",
    "UpdateNotebook",
    "UpdateNotebookMetadata",
    # workgroups
    "CreateWorkGroup",
    "GetWorkGroup",
    "ListWorkGroups",
    "UpdateWorkGroup",
    "DeleteWorkGroup",
    # tags
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
}

DROPPED = {"documentation", "deprecated", "deprecatedMessage", "box", "http"}


def strip(value, names=False):
    """Leaves out what is not needed. Names of a members map are no keywords."""
    if isinstance(value, list):
        return [strip(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {
        k: strip(v, names=k == "members")
        for k, v in value.items()
        if names or k not in DROPPED
    }


def used_shapes(model):
    used, waiting = set(), []
    for name in sorted(KEPT):
        operation = model["operations"][name]
        waiting += [
            operation[part]["shape"]
            for part in ("input", "output")
            if part in operation
        ]
        waiting += [error["shape"] for error in operation.get("errors", [])]
    while waiting:
        name = waiting.pop()
        if name in used:
            continue
        used.add(name)
        shape = model["shapes"][name]
        waiting += [member["shape"] for member in shape.get("members", {}).values()]
        waiting += [
            shape[part]["shape"] for part in ("member", "key", "value") if part in shape
        ]
    return used


def main():
    botocore = pathlib.Path(sys.argv[1])
    with gzip.open(botocore / "data/athena/2017-05-18/service-2.json.gz") as file:
        model = json.load(file)
    version = re.search(
        r"__version__ = '(.*)'", (botocore / "__init__.py").read_text()
    )[1]
    used = used_shapes(model)
    json.dump(
        {
            "source": f"botocore {version} (Apache-2.0), athena/2017-05-18/service-2.json, facts only; made by gen/model.py",
            "targetPrefix": model["metadata"]["targetPrefix"],
            "operations": {
                name: strip(op)
                for name, op in sorted(model["operations"].items())
                if name in KEPT
            },
            "otherOperations": sorted(set(model["operations"]) - KEPT),
            "shapes": {
                name: strip(shape)
                for name, shape in sorted(model["shapes"].items())
                if name in used
            },
        },
        sys.stdout,
        indent=1,
    )
    print()


if __name__ == "__main__":
    main()
