"""dbt-athena's way of running Python models through calculations, by environment variables alone.

It drives the two classes that `dbt run` uses; around them dbt needs Glue, which is elsewhere.
"""

import os
import pathlib
import tempfile
import threading
import types
import uuid

import boto3
import jinja2
from dbt.adapters.athena.connections import AthenaCredentials
from dbt.adapters.athena.python_submissions import AthenaPythonJobHelper
from dbt.adapters.athena.session import spark_session_list
from dbt.include import athena as athena_macros
from dbt_common.exceptions import DbtRuntimeError

athena = boto3.client("athena")
credentials = AthenaCredentials(
    database="awsdatacatalog",
    schema="default",
    region_name=os.environ["AWS_REGION"],
    spark_work_group="primary",
    poll_interval=0.3,
)
folder = tempfile.mkdtemp()

# A model, made into a table by dbt's own macro.
macros = pathlib.Path(athena_macros.__path__[0], "macros", "adapters", "python_submissions.sql").read_text()
MODEL = jinja2.Environment().from_string(macros).module.athena__py_save_table_as(
    """
class dbtObj:
    def __init__(self, load_df_function):
        self.load = load_df_function
        self.this = "default.numbers"


def source(*args, dbt_load_df_function):
    return dbt_load_df_function(*args)


ref = source


def model(dbt, session):
    import pandas as pd
    return pd.DataFrame({"n": [1, 2, 3]})
""",
    types.SimpleNamespace(schema="default", identifier="numbers"),
    {"location": f"file://{folder}/numbers"},
)


def helper(**config):
    return AthenaPythonJobHelper({"relation_name": "numbers", "config": config}, credentials)


def state(session):
    return athena.get_session_status(SessionId=session)["Status"]["State"]


try:
    first = helper()
    result = first.submit(MODEL)
    assert result and set(result) == {"StdOutS3Uri", "StdErrorS3Uri", "ResultS3Uri", "ResultType"}, result
    assert os.path.exists(f"{folder}/numbers/_SUCCESS"), os.listdir(folder)
    assert first.submit("\n"), "the empty statement after a model has no result"
    session = athena.get_session(SessionId=first.session_id)
    assert str(uuid.UUID(session["SessionId"])) == first.session_id, session
    assert session["Description"].startswith("dbt: "), session
    assert session["EngineConfiguration"]["SparkProperties"] == {}, session
    assert session["SessionConfiguration"]["SessionIdleTimeoutInMinutes"] == 10, session

    # A second model in the same session waits until the first is over.
    second = helper()
    second.__dict__["session_id"] = first.session_id
    reached, gate = f"{folder}/reached", f"{folder}/gate"
    waiting = threading.Event()
    second.poll_until_session_idle = lambda: (waiting.set(), AthenaPythonJobHelper.poll_until_session_idle(second))
    outcome = {}
    code = f"""
import os, time
open({reached!r}, "w").close()
while not os.path.exists({gate!r}):
    time.sleep(0.02)
"""
    blocker = threading.Thread(target=lambda: outcome.update(first=first.submit(code)))
    blocker.start()
    while not os.path.exists(reached):
        blocker.join(0.05)
        assert blocker.is_alive(), "the first model ended"
    waiter = threading.Thread(target=lambda: outcome.update(second=second.submit("print('after')")))
    waiter.start()
    assert waiting.wait(60), "the second model was not told that the session is BUSY"
    open(gate, "w").close()
    blocker.join(60)
    waiter.join(60)
    assert outcome["first"] and outcome["second"], outcome

    # What failed says where its stderr is.
    try:
        first.submit("raise ValueError('no rows')")
        raise AssertionError("a failing model succeeded")
    except DbtRuntimeError as e:
        for part in ("FAILED", "ValueError: no rows", first.session_id, "/stderr"):
            assert part in str(e), e

    # A session that has ended is replaced.
    ended = first.session_id
    athena.terminate_session(SessionId=ended)
    assert first.submit("print('again')")
    assert first.session_id != ended, ended
    assert state(first.session_id) == "IDLE", state(first.session_id)

    # A model over its time is stopped.
    slow = helper(timeout=1)
    slow.__dict__["session_id"] = first.session_id
    try:
        slow.submit("import time; time.sleep(600)")
        raise AssertionError("a model had more time than it has")
    except DbtRuntimeError as e:
        assert "did not complete within 1 seconds" in str(e), e
    assert first.submit("print('the session goes on')")

    try:
        helper(engine_config={"SparkProperties": {"spark.driver.memory": "a lot"}}).submit("1")
        raise AssertionError("a session with an impossible property started")
    except DbtRuntimeError as e:
        assert "Got status: FAILED" in str(e) and "a lot" in str(e), e
finally:
    # dbt leaves its sessions to their idle timeout.
    for session in spark_session_list:
        athena.terminate_session(SessionId=str(session))
