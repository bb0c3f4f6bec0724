"""PyAthena's SparkCursor, by environment variables alone, after its own live tests."""

import asyncio
import json
import sys
import tempfile
import textwrap

from pyathena import aio_connect, connect
from pyathena.aio.spark.cursor import AioSparkCursor
from pyathena.error import OperationalError
from pyathena.model import AthenaCalculationExecution
from pyathena.spark.async_cursor import AsyncSparkCursor
from pyathena.spark.cursor import SparkCursor

group, engine = sys.argv[1], json.loads(sys.argv[2])
connection = connect(work_group=group, s3_staging_dir="s3://hearth/", poll_interval=0.3, cursor_class=SparkCursor)
cursor = connection.cursor(description="PyAthena", engine_configuration=engine, session_idle_timeout_minutes=10)
try:
    cursor.execute(
        textwrap.dedent(
            """
            df = spark.createDataFrame([("a", 1), ("b", 2), ("b", 3)], ["name", "n"])
            df.groupBy("name").sum("n").orderBy("name").show()
            """
        ),
        description="groups",
    )
    assert cursor.state == AthenaCalculationExecution.STATE_COMPLETED
    assert cursor.description == "groups"
    assert cursor.session_id and cursor.calculation_id
    for member in (
        "working_directory",
        "submission_date_time",
        "completion_date_time",
        "dpu_execution_in_millis",
        "progress",
        "std_out_s3_uri",
        "std_error_s3_uri",
        "result_s3_uri",
        "result_type",
    ):
        assert getattr(cursor, member), member
    assert cursor.state_change_reason is None
    expected = textwrap.dedent(
        """
        +----+------+
        |name|sum(n)|
        +----+------+
        |   a|     1|
        |   b|     5|
        +----+------+
        """
    ).strip()
    assert cursor.get_std_out() == expected, cursor.get_std_out()

    error = "File \"<stdin>\", line 2, in <module>\nNameError: name 'foobar' is not defined"
    try:
        cursor.execute("\nfoobar")
        raise AssertionError("foobar is defined")
    except OperationalError as e:
        assert str(e) == error, e
    assert cursor.state == AthenaCalculationExecution.STATE_FAILED
    assert cursor.get_std_error() == error, cursor.get_std_error()

    # Another cursor on the same session sees its variables.
    other = connection.cursor(session_id=cursor.session_id)
    other.execute("print(df.count())")
    assert other.get_std_out() == "3", other.get_std_out()

    # A file, a table, and SQL on it.
    folder = tempfile.mkdtemp()
    with open(f"{folder}/people.csv", "w") as file:
        file.write("name,age\nann,30\nbob,41\n")
    cursor.execute(
        textwrap.dedent(
            f"""
            people = spark.read.option("header", True).option("inferSchema", True).csv("file://{folder}/people.csv")
            people.write.mode("overwrite").saveAsTable("people_of_pyathena")
            spark.sql("select name from people_of_pyathena where age > 40").show()
            spark.sql("drop table people_of_pyathena")
            """
        )
    )
    assert cursor.get_std_out() == "+----+\n|name|\n+----+\n| bob|\n+----+", cursor.get_std_out()

    # The cursor of futures, in the same session.
    futures = connection.cursor(AsyncSparkCursor, session_id=cursor.session_id)
    calculation, future = futures.execute("print('later')")
    done = future.result(60)
    assert (done.calculation_id, done.state) == (calculation, AthenaCalculationExecution.STATE_COMPLETED)
    assert futures.get_std_out(done).result(60) == "later"
    calculation, future = futures.execute("\nfoobar")
    done = future.result(60)
    assert done.state == AthenaCalculationExecution.STATE_FAILED
    assert futures.get_std_error(done).result(60) == error
    calculation, future = futures.execute("import time\ntime.sleep(600)")
    futures.cancel(calculation).result(60)
    assert future.result(60).state == AthenaCalculationExecution.STATE_CANCELED

    # The cursor of asyncio, in the same session.
    async def aio():
        elsewhere = await aio_connect(work_group=group, s3_staging_dir="s3://hearth/", poll_interval=0.3, cursor_class=AioSparkCursor)
        other = await asyncio.to_thread(elsewhere.cursor, session_id=cursor.session_id)
        await other.execute("print('awaited')")
        assert await other.get_std_out() == "awaited"
        try:
            await other.execute("\nfoobar")
            raise AssertionError("foobar is defined")
        except OperationalError as e:
            assert str(e) == error, e

    asyncio.run(aio())

    try:
        connection.cursor(session_id="00000000-0000-0000-0000-000000000000")
        raise AssertionError("an unknown session was found")
    except OperationalError as e:
        assert "not found" in str(e), e
finally:
    cursor.close()
