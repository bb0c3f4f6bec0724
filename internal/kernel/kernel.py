"""The Python side of a driver: runs calculations, one at a time.

The main thread runs the code; a control thread reads frames from descriptor 3;
with Spark, a third one waits for what Java answers to pings; and one exists while
a calculation is being cancelled. What the code prints goes to descriptors 1 and
2 as it is. Everything else (phases, values, figures, the end of a calculation)
goes over the control channel as frames: four bytes of big-endian length and one
JSON object with a "type".

The magics and loggers that code finds are in hearth_magics.py, beside this file;
what is done when there is nothing to do is in hearth_rest.py.

With HEARTH_GATEWAY in the environment the kernel attaches to the JVM whose
gateway that file describes and binds `spark` and `sc`. Without it there is no
Spark and everything else is the same.

With HEARTH_WARM it is started ahead of its session: it does once what is slow the
first time, and waits for a claim before it is ready.
"""

from __future__ import annotations

import ast
import asyncio
import atexit
import base64
import builtins
import contextlib
import functools
import getpass
import io
import itertools
import json
import logging
import os
import platform
import queue
import re
import select
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any, Callable, NoReturn

import IPython
from IPython.core import page
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from traitlets.config import Config

import hearth_magics
import hearth_rest

CONTROL = 3  # the descriptor of the control channel
MAX_FRAME = 64 << 20
MAX_TEXT = 64 << 10  # of an error's text in a frame; stderr has all of it
MAX_REASON = 960  # a StateChangeReason has 1024 characters

# Cancelling: what is tried, and how long after the request or, for a call into
# the JVM, how long after the call began if that was later. Seconds.
TICK = 0.05
TRACE_AFTER = 0.25
CHILDREN_AFTER = 0.5
CHILDREN_KILL_AFTER = 2.5
JAVA_INTERRUPT_AFTER = 1.5
JAVA_STOP_AFTER = 2.5
CONNECTION_SHUT_AFTER = 4.0
LINGER = 2.0  # what other threads have, once the main one has stopped

# Cancelling has a signal of its own, so that SIGINT keeps its meaning for code
# that sends it to itself.
CANCEL = signal.SIGUSR2

OWN = (lambda: None).__code__.co_filename  # this file, as frames name it
IPYTHON = os.path.dirname(IPython.__file__) + os.sep
HIDDEN = (OWN, hearth_magics.__file__, IPYTHON)
LIBRARIES = tuple(
    {os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {*HIDDEN, "<frozen "}
)


class Channel:
    """The control channel. Any thread may send."""

    def __init__(self, descriptor: int) -> None:
        # Nobody but this very process may hold it: the other end takes its
        # closing for our death.
        os.set_inheritable(descriptor, False)
        self._socket = socket.socket(fileno=descriptor)
        self._reader = self._socket.makefile("rb")
        self._lock = threading.Lock()
        self._open = True
        os.register_at_fork(after_in_child=self._leave)

    def _leave(self) -> None:
        self._open = False
        os.close(self._socket.detach())

    def send(self, type: str, **fields: Any) -> None:
        self._write(encode({"type": type, **fields}))

    def send_output(self, type: str, calculation: str, data: Any, metadata: Any) -> None:
        """Sends a MIME bundle, or a note in its place when it is too large."""
        message = {"type": type, "calculation": calculation, "content": {"data": data, "metadata": metadata}}
        frame = encode(message)
        if len(frame) > MAX_FRAME:
            note = f"<a result of {len(frame) >> 20} MiB is not shown: the limit is {MAX_FRAME >> 20} MiB>"
            message["content"] = {"data": {"text/plain": note}, "metadata": {}}
            frame = encode(message)
        self._write(frame)

    def _write(self, frame: bytes) -> None:
        if self._open:  # in a forked process somebody may hold the lock for ever
            with self._lock:
                self._socket.sendall(struct.pack(">I", len(frame)) + frame)

    def receive(self) -> Iterator[dict[str, Any]]:
        """Yields frames until the other end is gone."""
        with contextlib.suppress(OSError):
            while len(head := self._reader.read(4)) == 4:
                (size,) = struct.unpack(">I", head)
                if size > MAX_FRAME or len(body := self._reader.read(size)) < size:
                    return
                yield json.loads(body)


def encode(message: dict[str, Any]) -> bytes:
    """Makes JSON of anything: results hold what their authors put there."""
    try:
        return json.dumps(message, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        return json.dumps(plain(message), allow_nan=False).encode("ascii")


def plain(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return value if value - value == 0 else None  # JSON has no NaN and no infinity
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if depth < 100 and isinstance(value, dict):
        return {str(k): plain(v, depth + 1) for k, v in value.items()}
    if depth < 100 and isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v, depth + 1) for v in value]
    return shorten(str(value))


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    return text if len(text) <= limit else text[:limit] + f"… ({len(text) - limit} more characters)"


class Descriptor(io.FileIO):
    """Descriptor 1 or 2 without a buffer, so that Python's output, that of
    subprocesses and that of the JVM keep their order."""

    interrupts: Interrupts

    def write(self, data: Any) -> int:
        written = super().write(data)
        if written != len(data):
            written = self._write_rest(data, written)
        if self.interrupts.noted:
            self.interrupts.land()
        return written

    def _write_rest(self, data: Any, written: int | None) -> int:
        # A signal cut the write short, or a subprocess made the pipe
        # non-blocking, which is a property that all its holders share.
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest := rest[written or 0 :]:
            if written is None:
                select.select([], [self.fileno()], [])
            written = super().write(rest)
        return size


class Streams:
    """The three standard streams. Code may close or redirect them; each
    calculation begins with them as they were."""

    def __init__(self, interrupts: Interrupts) -> None:
        Descriptor.interrupts = interrupts
        null = os.open(os.devnull, os.O_RDONLY)
        self._saved = {0: null, 1: os.dup(1), 2: os.dup(2)}
        self._text: dict[int, Any] = {}
        self.restore()

    def restore(self) -> None:
        for descriptor, saved in self._saved.items():
            os.dup2(saved, descriptor)
        for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
            stream = self._stream(descriptor)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)

    def _stream(self, descriptor: int) -> Any:
        try:
            if not self._text[descriptor].closed:
                return self._text[descriptor]
        except (KeyError, ValueError):  # not made yet; detached
            pass
        if descriptor == 0:
            raw: Any = io.FileIO(0, closefd=False)
            stream: Any = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", errors="surrogateescape")
        else:
            raw = Descriptor(descriptor, "w", closefd=False)
            errors = "surrogateescape" if descriptor == 1 else "backslashreplace"
            stream = io.TextIOWrapper(raw, encoding="utf-8", errors=errors, newline="\n", write_through=True)
        self._text[descriptor] = stream
        return stream


def refuse_input(*_: Any, **__: Any) -> str:
    raise EOFError("input() is not answered: a calculation runs without a terminal. Put the value into the code.")


class Calculation:
    def __init__(self, id: str, code: str) -> None:
        self.id = id
        self.code = code
        self.canceled = False  # somebody asked to stop it
        self.traced = False  # an exception did not stop it: raise at every line
        self.began = 0.0  # seconds since boot
        self.groups = {id}  # of its Spark jobs
        self.reached_java = False  # code of it has talked to the JVM
        self.commands: list[threading.Thread] = []  # that its other threads have sent, unanswered
        self.done = threading.Event()


class Interrupts:
    """Decides where on the main thread an interrupt may land.

    It lands in the code of the calculation and in what that calls. It never
    lands in a function of this file, so that a frame on the control channel, a
    piece of output and the bookkeeping here stay whole, and never inside a call
    of py4j, where it would break the order of requests and answers. There it is
    noted, and raised when the call of py4j or the write returns.
    """

    def __init__(self) -> None:
        self.main = threading.get_ident()
        self.calculation: Calculation | None = None
        self.call_began: float | None = None  # of the py4j call under way
        self.task: asyncio.Task[Any] | None = None  # a block with an await at its top level
        self._armed = False
        self._calls = 0
        self.noted = False

    def begin(self, calculation: Calculation) -> None:
        self.calculation = calculation
        self.noted = False
        # Code of an earlier calculation, and each new SparkContext, may have
        # put handlers of their own there.
        signal.signal(CANCEL, self._handle)
        signal.signal(signal.SIGINT, self._handle)

    def end(self) -> None:
        if self.calculation and self.calculation.traced:
            sys.settrace(None)
        self.calculation = None

    def arm(self, armed: bool) -> bool:
        """Says whether code of the calculation is on the stack, and returns
        what was said before."""
        was, self._armed = self._armed, armed
        return was

    def _handle(self, number: int, frame: FrameType | None) -> None:
        calculation = self.calculation
        if calculation is None or not self._armed:
            return
        # One that was meant for the calculation before this one.
        if number == CANCEL and not calculation.canceled:
            return
        if frame is None:
            return
        if self._calls or frame.f_code.co_filename == OWN:
            self.noted = True
            return
        if self.task and not any(is_users(f.f_code.co_filename) for f in callers(frame)):
            if calculation.traced:
                self.trace(awaiting(self.task.get_coro()))
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)
            return
        self._interrupt(frame)

    def land(self) -> None:
        """Raises what was noted, if the caller's caller is code to raise it in."""
        if self.noted and not self._calls and threading.get_ident() == self.main:
            self.noted = False
            if self._armed:
                self._interrupt(sys._getframe(2))

    def _interrupt(self, frame: FrameType) -> NoReturn:
        """Raises in the code that frame is of or was called by."""
        if self.calculation and self.calculation.traced:
            self.trace(callers(frame))
            raise Interrupt(self, self.calculation) from None
        raise KeyboardInterrupt from None

    def trace(self, frames: Iterator[FrameType]) -> None:
        """Raises at the next line of the code that one of the frames is of."""
        sys.settrace(self._trace)
        for frame in frames:
            if is_users(frame.f_code.co_filename):
                frame.f_trace = self._trace

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not is_users(frame.f_code.co_filename):
            return None
        if event == "line" and self.calculation and self._armed and not self._calls:
            raise Interrupt(self, self.calculation)  # which ends the tracing
        return self._trace

    def shield(self, send: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Sends a command of py4j for the main thread."""
        if not self._calls:
            self.call_began = time.monotonic()
        self._calls += 1
        try:
            return send(*args, **kwargs)
        finally:
            self._calls -= 1
            if not self._calls:
                self.call_began = None
                self.land()


class Interrupt(KeyboardInterrupt):
    """Comes back at the next line when code swallows it, however many handlers
    are around each other: it is freed at the end of the one that caught it."""

    def __init__(self, interrupts: Interrupts, calculation: Calculation) -> None:
        super().__init__()
        self._again = interrupts, calculation

    def __del__(self) -> None:
        interrupts, calculation = self._again
        if interrupts.calculation is calculation and threading.get_ident() == interrupts.main:
            interrupts.trace(callers(sys._getframe(1)))


# To the code it is the ordinary exception.
Interrupt.__name__ = Interrupt.__qualname__ = "KeyboardInterrupt"
Interrupt.__module__ = "builtins"


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def awaiting(coroutine: Any) -> Iterator[FrameType]:
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame
        coroutine = coroutine.cr_await


def is_users(filename: str) -> bool:
    return is_cell(filename) or not filename.startswith(LIBRARIES)


class Compiler(CachingCompiler):
    """Gives each calculation's code a name of its own, so that the source of a
    function that an earlier one defined can still be found. Errors show them
    all as <stdin>."""

    _numbers = itertools.count(1)

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return f"<stdin-{next(self._numbers)}>"


CELL = re.compile(r"<stdin-\d+>")


def is_cell(filename: str) -> bool:
    return CELL.fullmatch(filename) is not None


def render_error(error: BaseException) -> list[str]:
    """The lines of an error as Athena shows them: no header, no indentation, no
    frames of ours or of IPython."""
    lines: list[str] = []
    render(traceback.TracebackException(type(error), error, error.__traceback__, compact=True), lines)
    return lines


def render_frame(frame: traceback.FrameSummary) -> list[str]:
    place = f'File "{CELL.sub("<stdin>", frame.filename)}", line {frame.lineno}, in {frame.name}'
    return [place, "  " + frame.line] if frame.line and not is_cell(frame.filename) else [place]


def render(error: Any, lines: list[str]) -> None:
    if error.__cause__ is not None:
        render(error.__cause__, lines)
        lines += ["", "The above exception was the direct cause of the following exception:", ""]
    elif error.__context__ is not None and not error.__suppress_context__:
        render(error.__context__, lines)
        lines += ["", "During handling of the above exception, another exception occurred:", ""]
    for shown, same in itertools.groupby(render_frame(frame) for frame in error.stack if not frame.filename.startswith(HIDDEN)):
        count = len(list(same))
        lines += shown * min(count, 3)
        if count > 3:
            lines.append(f"[Previous line repeated {count - 3} more times]")
    # A SyntaxError's text begins with the place, indented as a frame is.
    text = "".join(error.format_exception_only()).rstrip("\n").split("\n")
    at = next((i for i, line in enumerate(text) if not line.startswith("  ")), 0)
    lines += (CELL.sub("<stdin>", line) for line in [*(line[2:] for line in text[:at]), *text[at:]])
    for number, part in enumerate(getattr(error, "exceptions", None) or (), 1):
        inner: list[str] = []
        render(part, inner)
        lines += [f"  --- {number} ---", *("  " + line for line in inner)]


def format_warning(form: Callable[..., str], *args: Any, **kwargs: Any) -> str:
    return CELL.sub("<stdin>", form(*args, **kwargs))


def message_of(error: BaseException) -> str:
    """An error's own text; of a Java exception its class and message without
    the stack."""
    java = getattr(error, "java_exception", None)
    with contextlib.suppress(Exception):
        if java is not None:
            return str(java.toString())
    try:
        return without_java_stack(CELL.sub("<stdin>", str(error)).strip())
    except Exception as failure:
        return f"<its text is not available: {type(failure).__name__}>"


JAVA_CAUSE = re.compile(r"^Caused by: (?:[\w$]+\.)*(.+)$", re.M)


def without_java_stack(text: str) -> str:
    """Puts the root cause in the place of the stack that pyspark appends to an
    exception of Spark's: always before there is a session, where the message
    often is of no use without it, and later if a property asks for it."""
    message, _, stack = text.partition("\n\nJVM stacktrace:\n")
    causes = JAVA_CAUSE.findall(stack)
    if not causes or causes[-1] in message:
        return message
    return f"{message.rstrip(': ')}: {causes[-1]}"


def reason_of(error: BaseException) -> str:
    text = message_of(error)
    return shorten(f"{type(error).__name__}: {text}" if text else type(error).__name__, MAX_REASON)


class ValueHook(DisplayHook):
    """Sends the last expression's value; nothing of it is printed."""

    _: Any
    __: Any
    ___: Any

    def write_output_prompt(self) -> None:
        pass

    def update_user_ns(self, result: Any) -> None:
        names = self.shell.user_ns
        if names.get("_") is self._:  # else the code has a variable of that name
            self._, self.__, self.___ = result, self._, self.__
            names.update(_=self._, __=self.__, ___=self.___)

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.publish("execute_result", format_dict, md_dict)

    def log_output(self, format_dict: Any) -> None:
        pass

    def finish_displayhook(self) -> None:
        self._is_active = False


class FigureHook(DisplayPublisher):
    """Sends what display() is given, figures among it."""

    def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        self.shell.publish("display_data", data, metadata)

    def clear_output(self, wait: bool = False) -> None:
        pass


class Shell(InteractiveShell):
    """IPython without a terminal, without files in the user's home, and with
    code objects run under the rules of Interrupts."""

    def __init__(self, channel: Channel, interrupts: Interrupts) -> None:
        self._channel = channel
        self._interrupts = interrupts
        self._shown: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._predefined: dict[str, Any] = {**hearth_magics.PREDEFINED, "exit": sys.exit, "quit": sys.exit}
        config = Config()
        config.HistoryManager.enabled = False
        config.HistoryManager.hist_file = ":memory:"
        config.InteractiveShell.cache_size = 0  # Out[n] would keep every value alive
        config.InteractiveShell.colors = "nocolor" if IPython.version_info >= (9,) else "NoColor"
        self.displayhook_class = ValueHook
        self.display_pub_class = FigureHook
        self.compiler_class = Compiler
        super().__init__(config=config)
        type(self)._instance = InteractiveShell._instance = self
        self.loop_runner = self._run_coroutine
        self.set_hook("show_in_pager", page.as_hook(page.display_page), 99)
        # Leading empty lines are dropped only ahead of a cell magic, which has
        # to come first: line numbers have to be those of the submitted block.
        cleanups = self.input_transformer_manager.cleanup_transforms
        cleanups[0] = functools.partial(drop_empty_lines, cleanups[0])
        cleanups.append(give_sql_a_body)
        self.register_magics(hearth_magics.AthenaMagics)

    def init_user_ns(self) -> None:
        super().init_user_ns()
        self.predefine()

    def predefine(self, **names: Any) -> None:
        """Binds names that %who leaves out and that %reset does not take away."""
        self._predefined.update(names)
        self.push(self._predefined, interactive=False)

    def init_ipython_dir(self, ipython_dir: Any) -> None:
        pass

    def init_profile_dir(self, profile_dir: Any) -> None:
        self.profile_dir = ProfileDir(location=os.path.join(os.path.dirname(OWN), "ipython"))

    def init_virtualenv(self) -> None:
        pass

    def enable_gui(self, gui: Any = None) -> None:
        pass

    def _format_exception_for_storage(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}  # it would render every error once more, at length

    def _tee(self, *_: Any, **__: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # it would keep all that is printed, as long as the session lives

    def system(self, cmd: str) -> None:
        """Runs a command after !. IPython's own ways put a terminal in between,
        which changes the bytes, or keep an interrupt to themselves."""
        self.user_ns["_exit_code"] = subprocess.call(self.var_expand(cmd, depth=1), shell=True)

    def publish(self, type: str, data: Any, metadata: Any) -> None:
        calculation = self._interrupts.calculation
        if calculation is not None:  # else a thread that outlived its calculation
            self._channel.send_output(type, calculation.id, data, metadata or {})
            self._interrupts.land()

    def run(self, code: str) -> BaseException | None:
        """Runs code and returns what it raised. The error is not printed yet,
        unless IPython did so."""
        result = self.run_cell(code, store_history=True)
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        return error

    def print_error(self, error: BaseException) -> None:
        if error is not self._shown:
            self._shown = error
            sys.stderr.write("\n".join(render_error(error)) + "\n")

    async def run_ast_nodes(
        self, nodelist: Any, cell_name: Any, interactivity: Any = "last_expr", compiler: Any = compile, result: Any = None
    ) -> Any:
        # IPython compiles statement by statement as it goes. A block that is no
        # valid program must not run in part.
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self.autoawait else 0
        try:
            compile(ast.Module(nodelist, []), cell_name, "exec", compiler.flags | flags, True)
        except (SyntaxError, ValueError) as error:
            result.error_before_exec = error
            return True
        return await super().run_ast_nodes(nodelist, cell_name, interactivity, compiler, result)

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> bool:
        was = self._interrupts.arm(True)
        try:
            if async_:
                await eval(code_obj, self.user_global_ns, self.user_ns)
            else:
                exec(code_obj, self.user_global_ns, self.user_ns)
        except BaseException as error:
            if result is not None:
                result.error_in_exec = error
            if was:  # run_cell within a calculation: nobody else shows it
                self.print_error(error)
            return True
        finally:
            self._interrupts.arm(was)
        return False

    def _run_coroutine(self, coroutine: Any) -> Any:
        """Runs a block that awaits at its top level. The loop is the session's,
        so tasks live on between calculations as variables do."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        loop = self._loop
        task = loop.create_task(coroutine)
        self._interrupts.task = task
        try:
            while True:
                try:
                    return loop.run_until_complete(task)
                except BaseException:
                    # An interrupt landed in another task of the loop.
                    if task.done():
                        raise
                    task.cancel()
        finally:
            self._interrupts.task = None

    def showtraceback(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
        error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if error is not None:
            self.print_error(error)

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        self.showtraceback()

    def showindentationerror(self) -> None:
        self.showtraceback()


def drop_empty_lines(drop: Callable[[list[str]], list[str]], lines: list[str]) -> list[str]:
    first = next((line for line in lines if not line.isspace()), "")
    return drop(lines) if first.startswith("%%") else lines


def give_sql_a_body(lines: list[str]) -> list[str]:
    """Leaves it to %%sql to tell where the SQL belongs: IPython refuses a cell
    magic without a body before the magic could."""
    return [*lines, "\n"] if len(lines) == 1 and re.match(r"%%sql\s", lines[0]) else lines


class KernelThread(threading.Thread):
    """A thread of the kernel itself."""

    def __init__(self, name: str, run: Callable[..., None], *args: Any) -> None:
        super().__init__(target=run, args=args, name=f"hearth-{name}", daemon=True)


class Spark:
    """The kernel's side of the JVM."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._client: Any = None  # py4j's
        self._gateway: Any = None
        self._main_connection: Any = None
        self._main_thread: Any = None  # the Java thread that serves the main thread
        self._forced = False
        self._no_users: tuple[type, ...] = (KernelThread,)
        self._calculation: Calculation | None = None
        self._prepared: Calculation | None = None  # the one that the main thread last talked to the JVM for
        self._status: tuple[Any, ...] = (None,)  # of a context: what tells of its jobs

    def attach(self, path: str) -> None:
        """Waits for the JVM's gateway and connects to it. The shim ends this
        process when the JVM dies first."""
        from py4j.clientserver import FinalizerWorker
        from pyspark import SparkContext, accumulators
        from pyspark.serializers import UTF8Deserializer, read_int

        while not os.path.exists(path):
            time.sleep(0.01)
        with open(path, "rb") as file:
            os.environ["PYSPARK_GATEWAY_PORT"] = str(read_int(file))
            os.environ["PYSPARK_GATEWAY_SECRET"] = UTF8Deserializer().loads(file)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        try:
            SparkContext._ensure_initialized()
        finally:
            del os.environ["PYSPARK_GATEWAY_PORT"], os.environ["PYSPARK_GATEWAY_SECRET"]
        self._gateway = SparkContext._gateway
        self._client = self._gateway._gateway_client
        self._client.send_command = functools.partial(self._send_command, self._client.send_command)
        # A call that was cut off is the kernel's doing; py4j logs its failure to
        # the root logger, and so to the code's stderr.
        logging.getLogger().addFilter(lambda record: f"{os.sep}py4j{os.sep}" not in record.pathname)
        self._no_users = (KernelThread, FinalizerWorker)
        self._watch_job_groups(SparkContext)
        if sys.platform == "linux":  # elsewhere nothing wakes them
            for kind in vars(accumulators).values():
                if isinstance(kind, type) and issubclass(kind, socketserver.BaseServer):
                    end_at_once(kind)

    def _watch_job_groups(self, context_class: Any) -> None:
        set_job_group = context_class.setJobGroup

        @functools.wraps(set_job_group)
        def watched(context: Any, groupId: str, *args: Any, **kwargs: Any) -> Any:
            if self._calculation is not None:
                self._calculation.groups.add(groupId)
            return set_job_group(context, groupId, *args, **kwargs)

        context_class.setJobGroup = watched

    def _send_command(self, send: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == self._interrupts.main:
            return self._interrupts.shield(self._send_main, send, *args, **kwargs)
        thread = threading.current_thread()
        owner = self._owner(thread)
        if owner is None:
            return send(*args, **kwargs)
        owner.commands.append(thread)
        try:
            # Nothing interrupts these threads, but they get no further than here.
            if owner.canceled:
                raise SystemExit(f"this thread is of calculation {owner.id}, which was canceled: start another one")
            return send(*args, **kwargs)
        finally:
            owner.commands.remove(thread)

    def _send_main(self, send: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._calculation is not self._prepared:
            self._prepared = self._calculation
            if self._calculation is not None:
                self._prepare(self._calculation)
        return send(*args, **kwargs)

    def _prepare(self, calculation: Calculation) -> None:
        """Precedes the main thread's first call into the JVM for a calculation.
        Code that has no use for Spark does not wait for it."""
        calculation.reached_java = True
        self._set_job_group()
        with contextlib.suppress(Exception):
            connection = self._client.get_thread_connection()
            if connection is not self._main_connection:
                self._main_connection = connection
                self._main_thread = self._gateway.jvm.java.lang.Thread.currentThread()

    def _owner(self, thread: threading.Thread) -> Calculation | None:
        """The calculation that a thread works for: the one that ran when it
        first talked to the JVM. It gets that one's job group then, so that its
        jobs are cancelled too. Threads that the JVM calls have groups already."""
        owner: Calculation | None = getattr(thread, "hearth_calculation", None)
        if owner is None and not isinstance(thread, self._no_users) and self._client.get_thread_connection() is None:
            owner = thread.hearth_calculation = self._calculation  # type: ignore[attr-defined]
            self._set_job_group()
        if owner is not None:
            owner.reached_java = True
        return owner

    def _context(self) -> Any:
        """The SparkContext, which code may have stopped or replaced."""
        if self._gateway is None:
            return None
        from pyspark import SparkContext

        context = SparkContext._active_spark_context
        return context if context is not None and context._jsc is not None else None

    def _set_job_group(self) -> None:
        context, calculation = self._context(), self._calculation
        if context is not None and calculation is not None:
            with contextlib.suppress(Exception):  # a dead JVM: the code will tell
                context._jsc.setJobGroup(calculation.id, f"Calculation {calculation.id}", True)

    @functools.cached_property
    def _nano_time(self) -> Any:
        """A method of Java's that does next to nothing. Finding it is more."""
        return self._gateway.jvm.System.nanoTime

    def ping(self) -> None:
        """Returns when Java has answered. An error is no silence: when Java is
        gone, the shim sees it."""
        with contextlib.suppress(Exception):
            self._nano_time()

    def begin(self, calculation: Calculation) -> None:
        self._calculation = calculation

    def end(self) -> None:
        """Leaves nothing of a forced cancel to the next calculation."""
        self._calculation = None
        if self._forced:
            self._forced = False
            with contextlib.suppress(Exception):
                self._main_connection.close()

    def cancel_jobs(self, calculation: Calculation) -> None:
        context = self._context()
        if context is not None:
            for group in list(calculation.groups):
                with contextlib.suppress(Exception):
                    context._jsc.sc().cancelJobGroup(group)

    def force(self, since: float) -> None:
        """Gets the main thread out of a call into the JVM that has lasted too
        long since the cancel. The caller makes sure that the thread still runs
        the calculation that is meant."""
        began = self._interrupts.call_began
        if began is None:
            return
        lasted = time.monotonic() - max(began, since)
        with contextlib.suppress(Exception):
            if lasted > CONNECTION_SHUT_AFTER:
                self._main_connection.socket.shutdown(socket.SHUT_RDWR)
            elif lasted > JAVA_STOP_AFTER:
                self._forced = True
                self._main_thread.stop()  # Java 20 and later refuse
            elif lasted > JAVA_INTERRUPT_AFTER:
                self._forced = True
                self._main_thread.interrupt()

    def progress(self, calculation: Calculation, ok: bool) -> str:
        """What part of the calculation's Spark work is done, for people."""
        done = total = 0
        nothing = f"{100 if ok else 0}% (no Spark tasks)"
        context = self._context() if calculation.reached_java else None
        if context is None:
            return nothing
        with contextlib.suppress(Exception):
            if self._status[0] is not context:  # each costs a round trip
                jsc = context._jsc.sc()
                self._status = context, context.statusTracker(), jsc.listenerBus(), jsc.statusStore()
            _, tracker, bus, store = self._status
            with contextlib.suppress(Exception):
                bus.waitUntilEmpty(200)
            jobs = [job for group in calculation.groups for job in tracker.getJobIdsForGroup(group)]
            if len(jobs) > 100:  # each costs round trips
                return f"100% ({len(jobs)} jobs)" if ok else f"{len(jobs)} jobs"
            for id in jobs:
                job = store.job(id)
                total += job.numTasks() - job.numSkippedTasks()
                done += job.numCompletedTasks()
        if total == 0:
            return nothing
        done = min(done, total)
        return f"{done * 100 // total}% ({done}/{total} tasks)"

    def files(self, op: str, name: str, to: str) -> None:
        """Makes a directory, deletes a path or renames it, with the settings and
        the rights that Spark has for its file system."""
        context = self._context()
        if context is None:
            raise RuntimeError("there is no SparkContext")
        new_path = self._gateway.jvm.org.apache.hadoop.fs.Path
        path = new_path(name)
        system = path.getFileSystem(context._jsc.hadoopConfiguration())
        if op == "make":
            done = system.mkdirs(path)
        elif op == "delete":
            done = system.delete(path, True) or not system.exists(path)
        else:
            target = new_path(to)
            if system.exists(target):
                raise RuntimeError(f"there is something at {to} already")
            system.mkdirs(target.getParent())
            done = system.rename(path, target) or not system.exists(path)
        if not done:
            raise RuntimeError(f"the file system refused to {op} {name}")

    def connect(self) -> tuple[str, str]:
        """Starts Spark Connect, once. Gives its address and secret."""
        from py4j.java_gateway import JavaPackage

        context = self._context()
        if context is None:
            raise RuntimeError("there is no SparkContext")
        server = self._gateway.jvm.hearth.Connect
        if isinstance(server, JavaPackage):  # and no class
            raise RuntimeError("its engine lacks Spark Connect: repair it with `hearth engines install`")
        address, secret = server.start(context._jsc.sc())
        return address, secret

    def ui(self) -> tuple[str, str]:
        """The address of Spark's own pages, and the secret that they are shown to."""
        context = self._context()
        if context is None:
            raise RuntimeError("there is no SparkContext")
        url: str | None = context.uiWebUrl
        if not url:
            raise RuntimeError("the session has switched them off (spark.ui.enabled)")
        return url.partition("://")[2], context.getConf().get("spark.hearth.Pages.param.secret", "")

    def set(self, session: Any, properties: dict[str, str]) -> None:
        """Sets what Spark takes while it runs, as if it had started with it: also
        for the sessions that are made of this one's context."""
        shared = session._jsparkSession.sharedState().conf(), session._jsc.sc().conf()
        for name, value in properties.items():
            self._gateway.jvm.System.setProperty(name, value)  # which another context would begin with
            for conf in shared:
                conf.set(name, value)
            session._jsparkSession.sessionState().conf().setConfString(name, value)

    def trim(self) -> None:
        """Gives back what memory neither process uses."""
        hearth_rest.trim_python()
        if self._gateway is not None:
            with contextlib.suppress(Exception):  # a dead JVM, which the shim sees
                hearth_rest.calm_java(self._gateway)
                hearth_rest.trim_java(self._gateway)

    def stop(self) -> None:
        context = self._context()
        if context is not None:
            with contextlib.suppress(Exception):
                context.stop()


def end_at_once(server: Any) -> None:
    """Has servers of a class wait for calls. Python's own look twice a second whether
    they are to end, which wakes a driver that rests and holds up one that ends; a
    socket that is shut down tells them."""
    serve, end = server.serve_forever, server.shutdown

    def serve_forever(self: Any) -> None:
        serve(self, None)

    def shutdown(self: Any) -> None:
        with contextlib.suppress(OSError):  # it is closed
            self.socket.shutdown(socket.SHUT_RDWR)
        end(self)

    server.serve_forever, server.shutdown = serve_forever, shutdown


def descendants(pid: int) -> Iterator[int]:
    """The processes that pid started, and theirs. None where there is no /proc."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
            for child in file.read().split():
                yield from descendants(int(child))
                yield int(child)


def started_after(pid: int, at: float) -> bool:
    """Whether a process was started after a time since boot in seconds."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except OSError:
        return False
    return ticks / os.sysconf("SC_CLK_TCK") >= at - 0.02


def since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else 0.0


class Kernel:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pid = os.getpid()
        self._interrupts = Interrupts()
        self._streams = Streams(self._interrupts)
        self._spark = Spark(self._interrupts)
        self._work: queue.SimpleQueue[Calculation | None] = queue.SimpleQueue()
        self._java_pings: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._claims: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the two below
        self._known: dict[str, Calculation] = {}  # queued or running
        self._running: Calculation | None = None
        self._shell: Any = None

    def start(self) -> None:
        """Becomes ready, and tells each phase of it."""
        KernelThread("control", self._control).start()
        gateway = os.environ.pop("HEARTH_GATEWAY", "")
        ahead = os.environ.pop("HEARTH_WARM", "")
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        builtins.input = getpass.getpass = refuse_input
        warnings.formatwarning = functools.partial(format_warning, warnings.formatwarning)
        sys.argv = [""]
        sys.path[0] = ""  # it was this file's directory
        self._shell = Shell(self._channel, self._interrupts)
        version = ""
        if gateway:
            import pyspark.sql

            self._phase("python")
            self._spark.attach(gateway)
            self._phase("jvm")
            session = pyspark.sql.SparkSession.builder.getOrCreate()
            self._phase("spark_context")
            session.range(1).count()
            self._phase("first_job")
            self._shell.predefine(spark=session, sc=session.sparkContext)
            version = session.version
            KernelThread("pulse", self._ping_java).start()
        else:
            session = None
            self._phase("python")
        if ahead:
            self._await_claim(session)
        self._channel.send("ready", at=time.time(), python=platform.python_version(), spark=version)

    def _await_claim(self, session: Any) -> None:
        """Warms up, waits for a session, and becomes what that one asks for."""
        if session is not None:
            for step in warm_up(session):
                if not self._claims.empty():
                    break
                step()
            self._phase("warm_up")
        if self._claims.empty():
            self._channel.send("warm", at=time.time())
        properties = self._claims.get()
        if properties is None:  # the end, which is in the other queue too
            self.work()
            os._exit(0)
        if session is not None:
            self._spark.set(session, properties)

    def _phase(self, name: str) -> None:
        self._channel.send("phase", name=name, at=time.time())

    def work(self) -> None:
        """Runs calculations until the end is asked for."""
        while (calculation := self._work.get()) is not None:
            self._run(calculation)
        self._spark.stop()
        atexit._run_exitfuncs()

    def _control(self) -> None:
        for message in self._channel.receive():
            type = message["type"]
            if type == "execute":
                calculation = Calculation(message["calculation"], message["code"])
                with self._lock:
                    self._known[calculation.id] = calculation
                self._work.put(calculation)
            elif type == "claim":
                self._claims.put(message.get("properties", {}))
            elif type == "interrupt":
                self._cancel(self._known.get(message["calculation"]))
            elif type == "ping" and message.get("process") == "jvm":
                self._java_pings.put(message["n"])
            elif type == "ping":
                self._channel.send("pong", n=message.get("n"))
            elif type == "trim":
                KernelThread("trim", self._spark.trim).start()
            elif type == "files":
                KernelThread("files", self._files, message).start()
            elif type in ("connect", "ui"):
                KernelThread(type, self._endpoint, type).start()
            elif type == "end":
                for calculation in list(self._known.values()):
                    self._cancel(calculation)
                self._work.put(None)
                self._claims.put(None)
        # The shim is gone, and with it everybody who could want a result.
        if os.getpgrp() == self._pid:
            os.killpg(self._pid, signal.SIGKILL)
        os._exit(1)

    def _ping_java(self) -> None:
        """Passes pings on, over the connection that this thread has for itself:
        nobody else waits for the answer, or can delay it."""
        while True:
            n = self._java_pings.get()
            self._spark.ping()
            self._channel.send("pong", n=n)

    def _files(self, message: dict[str, Any]) -> None:
        """Does for the catalog what a file system takes its time for."""
        reason = ""
        try:
            self._spark.files(message["op"], message["path"], message.get("to", ""))
        except Exception as error:
            reason = shorten(message_of(error), MAX_REASON)
        self._channel.send("files", n=message["n"], reason=reason)

    def _endpoint(self, type: str) -> None:
        """Tells where Java listens; for Spark Connect, it does so from now on."""
        address = secret = reason = ""
        try:
            address, secret = self._spark.connect() if type == "connect" else self._spark.ui()
        except Exception as error:
            reason = shorten(message_of(error), MAX_REASON)
        self._channel.send(type, address=address, secret=secret, reason=reason)

    def _run(self, calculation: Calculation) -> None:
        error: BaseException | None = None
        self._streams.restore()
        with self._lock:
            skip = calculation.canceled
            self._running = calculation
            calculation.began = since_boot()
            self._interrupts.begin(calculation)
        self._channel.send("started", calculation=calculation.id, at=time.time())
        if not skip:
            self._spark.begin(calculation)
            error = self._shell.run(calculation.code)
            if os.getpid() != self._pid:
                self._leave_fork(error)
            if calculation.canceled:
                linger_until = time.monotonic() + LINGER
                while calculation.commands and time.monotonic() < linger_until:
                    time.sleep(TICK)
        with self._lock:
            self._running = None
            del self._known[calculation.id]
            self._interrupts.end()
            calculation.done.set()
        self._streams.restore()
        self._spark.end()
        self._finish(calculation, error)

    def _finish(self, calculation: Calculation, error: BaseException | None) -> None:
        status, exit_status, reason = "ok", 0, ""
        if isinstance(error, SystemExit):
            exit_status = exit_status_of(error)
            if exit_status == 0:
                error = None
        elif error is not None:
            exit_status = 1
            self._shell.print_error(error)
        if calculation.canceled:
            status, exit_status, reason = "canceled", 130, "The calculation was canceled."
        elif error is not None:
            status, reason = "error", reason_of(error)
        self._channel.send(
            "finished",
            calculation=calculation.id,
            at=time.time(),
            status=status,
            exit_status=exit_status,
            reason=reason,
            progress=self._spark.progress(calculation, status == "ok"),
            error=error
            and {
                "ename": type(error).__name__,
                "evalue": shorten(message_of(error)),
                "traceback": shorten("\n".join(render_error(error))).split("\n"),
            },
        )

    def _leave_fork(self, error: BaseException | None) -> None:
        """Ends a process that the code made with os.fork and left running past
        its own end: only the original goes on."""
        self._streams.restore()
        status = 0
        if isinstance(error, SystemExit):
            status = exit_status_of(error)
        elif error is not None:
            self._shell.print_error(error)
            status = 1
        os._exit(status)

    def _cancel(self, calculation: Calculation | None) -> None:
        with self._lock:
            if calculation is None or calculation.canceled or calculation.done.is_set():
                return
            calculation.canceled = True
        KernelThread("cancel", self._escalate, calculation).start()

    def _escalate(self, calculation: Calculation) -> None:
        """Stops a calculation, by harsher means as time goes by. Whoever asked
        for it decides when it has taken too long."""
        since = time.monotonic()
        while not calculation.done.is_set():
            elapsed = time.monotonic() - since
            with self._lock:
                if self._running is calculation:
                    calculation.traced = elapsed > TRACE_AFTER
                    signal.pthread_kill(self._interrupts.main, CANCEL)
                    self._spark.force(since)
            if self._running is calculation:
                self._spark.cancel_jobs(calculation)
                if elapsed > CHILDREN_AFTER:
                    end_children(calculation.began, signal.SIGKILL if elapsed > CHILDREN_KILL_AFTER else signal.SIGTERM)
            calculation.done.wait(TICK)


def warm_up(session: Any) -> Iterator[Callable[[], Any]]:
    """What is slow the first time, step by step. The code that comes later finds
    nothing of it but what Spark counts, and a worker."""
    context = session.sparkContext
    yield lambda: session.sql("select 1 as one").collect()
    yield lambda: session.sql("show tables").collect()
    yield lambda: session.range(1000).selectExpr("id % 7 as key", "id").groupBy("key").sum("id").orderBy("key").collect()
    yield lambda: context.parallelize(range(1), 1).map(lambda n: n).count()


def end_children(began: float, number: int) -> None:
    """Ends what a calculation started and waits for in a place that no signal
    reaches, as os.system does."""
    for pid in list(descendants(os.getpid())):
        if started_after(pid, began):
            with contextlib.suppress(OSError):
                os.kill(pid, number)


def exit_status_of(error: SystemExit) -> int:
    """What a program would have ended with; a text is printed, as Python does."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def main() -> None:
    channel = Channel(CONTROL)
    kernel = Kernel(channel)
    try:
        kernel.start()
    except BaseException as error:
        sys.stderr.write("\n".join(render_error(error)) + "\n")
        channel.send("failed", reason=reason_of(error))
        os._exit(1)
    kernel.work()
    os._exit(0)


if __name__ == "__main__":
    main()
