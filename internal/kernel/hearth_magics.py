"""What code finds in a session beside Python and Spark: the magics and the
loggers of Athena's notebooks.

This file is in the bundle of its driver, beside what it tells of: session.json,
which says what the server knew of the session when it launched the driver, and
the driver's log.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.pylabtools import print_figure

BUNDLE = os.path.dirname(os.path.abspath(__file__))
TABLE_ROWS = 100

# The levels of %set_log_level. The log has Log4j's words for them.
LEVELS = {
    "DEBUG": logging.DEBUG,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
}
LOG4J = {logging.CRITICAL: "FATAL", logging.WARNING: "WARN"}

UsageError.__module__ = "builtins"  # what goes before the name where errors are shown


class AthenaLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        level = LOG4J.get(record.levelno, record.levelname)
        return f"AthenaForApacheSpark: {self.formatTime(record)} {level} {record.name}: {record.message}"


class DriverLog(logging.Handler):
    """Appends each record to the driver's log with a single write, because Spark
    and the shim write there too."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(AthenaLine())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
            with open(os.path.join(BUNDLE, "driver.log"), "ab", buffering=0) as log:
                log.write(line.encode("utf-8", "backslashreplace"))
        except Exception as error:  # of the code, as in info("%d", "x"), or of the disk
            sys.stderr.write(f"{record.msg!r} is not in the log: {type(error).__name__}: {error}\n")


def make_logger() -> logging.Logger:
    """The one logger behind both of Athena's names: there is nobody else to
    share a log with. Workers get it by its name, as an ordinary logger."""
    logger = logging.getLogger("builtins")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [DriverLog()]
    logger.warn = logger.warning  # type: ignore[method-assign] # Python's own complains that it is old
    return logger


LOGGER = make_logger()

PREDEFINED = {"athena_user_logger": LOGGER, "athena_shared_logger": LOGGER}

# What a semicolon in a cell of SQL may be inside of, and one that ends a statement.
SQL = re.compile(r"""\b[rR]'[^']*'|\b[rR]"[^"]*"|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|(--[^\n]*|/\*.*?\*/|\s+)|(;)|.""", re.S)


def statements(cell: str) -> Iterator[str]:
    """The statements of a cell, without those that are empty."""
    begin, empty = 0, True
    for part in SQL.finditer(cell):
        blank, end = part.groups()
        if end:
            if not empty:
                yield cell[begin : part.start()]
            begin, empty = part.end(), True
        elif not blank:
            empty = False
    if not empty:
        yield cell[begin:]


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


@magics_class
class AthenaMagics(Magics):
    """Athena's magics. The first lines of their descriptions are what %help prints."""

    def _session(self) -> Any:
        with open(os.path.join(BUNDLE, "session.json"), encoding="utf-8") as file:
            return json.load(file)

    def _value(self, expression: str, usage: str) -> Any:
        """What a magic was given. Its code counts as this file's, so that errors
        show the line of the magic only."""
        if not expression:
            raise UsageError(f"Say what to show: {usage}")
        if expression.startswith("--"):  # to Python a sign before a sign
            raise UsageError(f"{usage.split()[0]} has no options, and this is one: {expression}. Say what to show: {usage}")
        try:
            code = compile(expression, __file__, "eval")
        except SyntaxError as error:
            raise UsageError(f"{expression} is no expression of Python: {error.msg}.") from None
        return eval(code, self.shell.user_global_ns, self.shell.user_ns)

    @cell_magic
    def sql(self, line: str, cell: str) -> None:
        """Run the SQL statements of the cell in `spark` and show() the result of each."""
        if line.strip():
            raise UsageError(f"%%sql has no options, and this is one or a statement: {line}. Write the SQL below the line with %%sql.")
        if not cell.strip():
            raise UsageError("There is no SQL in the cell. Write the SQL below the line with %%sql.")
        spark = self.shell.user_ns.get("spark")
        if not callable(getattr(spark, "sql", None)):
            raise UsageError("%%sql runs in the Spark session with the name spark, and there is none.")
        cell = cell.rstrip()
        for statement in list(statements(cell)) or [cell]:
            spark.sql(statement).show()

    @line_magic
    def help(self, line: str) -> None:
        """Print this list."""
        for kind, sign in ("cell", "%%"), ("line", "%"):
            for name, function in sorted(self.magics[kind].items()):
                print(f"{sign + name:<16} {(function.__doc__ or '').splitlines()[0]}")
        print("%NAME? describes one.")

    @line_magic
    def lsmagic(self, line: str) -> None:
        """List the names of these magics and of IPython's."""
        every = self.shell.magics_manager.lsmagic()
        for kind, sign in ("cell", "%%"), ("line", "%"):
            own = self.magics[kind].keys()
            for whose, names in ("Athena", own), ("IPython", every[kind].keys() - own):
                print(f"{whose}'s {kind} magics:")
                print(textwrap.fill("  ".join(sign + name for name in sorted(names)), 100, break_on_hyphens=False))

    @line_magic
    def status(self, line: str) -> None:
        """Print the session's id, state, workgroup, engine version and start time."""
        session = self._session()
        print("Session ID:", session["id"])
        print("State: BUSY")  # of a session that runs this
        print("WorkGroup:", session["work_group"])
        print("Engine version:", session["engine"])
        print("Start time:", at(session["started_at"]))

    @line_magic
    def session_id(self, line: str) -> None:
        """Print the session's id."""
        print(self._session()["id"])

    @line_magic
    def list_sessions(self, line: str) -> None:
        """List this session and those that its notebook had before it."""
        this = self._session()
        row = "{:<38}{:<12}{:<25}{}".format
        print(row("Session ID", "State", "Start time", "End time"))
        print(row(this["id"], "BUSY", at(this["started_at"]), "-"))
        for session in this["earlier"]:
            print(row(session["id"], session["state"], at(session["started_at"]), at(session["ended_at"])))

    @line_magic
    def set_log_level(self, line: str) -> None:
        """Set the level of athena_user_logger and athena_shared_logger: DEBUG, INFO, WARN, ERROR or FATAL."""
        level = line.strip()
        if level not in LEVELS:
            raise UsageError(f"%set_log_level takes one of {', '.join(LEVELS)}, in upper case and without quotes; not {level!r}.")
        LOGGER.setLevel(LEVELS[level])

    @no_var_expand
    @line_magic
    def table(self, line: str) -> None:
        """Show a pandas or Spark DataFrame as a table: %table df."""
        frame = self._value(line, "%table df")
        kind = type(frame)  # which is asked because a Column of Spark has every attribute
        if hasattr(kind, "toPandas"):
            rows, count, index = frame.limit(TABLE_ROWS + 1).toPandas(), "more", False
        elif hasattr(kind, "to_html") and hasattr(kind, "head"):
            rows, count, index = frame.head(TABLE_ROWS + 1), str(len(frame)), True
        else:
            raise UsageError(f"%table takes a pandas or Spark DataFrame, and {line} is of type {kind.__name__}.")
        shown = rows.head(TABLE_ROWS)
        text, html = shown.to_string(index=index), shown.to_html(index=index)
        if len(rows) > TABLE_ROWS:
            note = f"The first {TABLE_ROWS} rows; there are {count}."
            text, html = f"{text}\n{note}", f"{html}\n<p>{note}</p>"
        self.shell.display_pub.publish({"text/plain": text, "text/html": html})

    @no_var_expand
    @line_magic
    def matplot(self, line: str) -> None:
        """Show the current figure of matplotlib and close it: %matplot plt."""
        pyplot = self._value(line, "%matplot plt")
        if not hasattr(pyplot, "get_fignums"):
            raise UsageError(f"%matplot takes matplotlib.pyplot, and {line} is of type {type(pyplot).__name__}.")
        picture = pyplot.get_fignums() and print_figure(pyplot.gcf(), base64=True)
        if not picture:
            raise UsageError("There is no figure to show. One is shown and closed at the end of the calculation that draws it.")
        figure = pyplot.gcf()
        self.shell.display_pub.publish({"text/plain": repr(figure), "image/png": picture})
        pyplot.close(figure)

    @no_var_expand
    @line_magic
    def plotly(self, line: str) -> None:
        """Show a figure of plotly: %plotly fig."""
        try:
            import plotly.io
        except ImportError:
            raise UsageError(
                "plotly is not installed in this session's Python. Install it into a folder of your own"
                " (pip install --target FOLDER plotly) and put that folder into sys.path."
            ) from None
        figure = self._value(line, "%plotly fig")
        if not hasattr(figure, "to_plotly_json"):
            raise UsageError(f"%plotly takes a figure of plotly, and {line} is of type {type(figure).__name__}.")
        self.shell.display_pub.publish(
            {
                "text/plain": f"<{type(figure).__name__} of plotly>",
                "text/html": plotly.io.to_html(figure, include_plotlyjs="cdn", full_html=False),
                "application/vnd.plotly.v1+json": json.loads(plotly.io.to_json(figure)),
            }
        )

    @line_magic
    def pip(self, line: str) -> None:
        """Not available, as on Athena: all sessions share one Python."""
        raise UsageError(
            "%pip is not available: it would change the Python of every session. Give the session modules of your own with sc.addPyFile"
            " (a .py file, or a .zip of pure Python), or install a package into a folder of your own (pip install --target FOLDER NAME)"
            " and put that folder into sys.path."
        )
