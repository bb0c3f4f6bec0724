"""What a driver does that has nothing to do: it gives memory back that it does not
use, and is woken less.

A process keeps memory otherwise: Java's heap has the size that it once needed, and
what is freed in a C library stays there for the next who asks.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

# What of its heap Java leaves free when it is trimmed, in percent of it. At all
# other times the collector has its own way.
LEAST_FREE, MOST_FREE = ("MinHeapFreeRatio", "10"), ("MaxHeapFreeRatio", "20")


def trim_python() -> None:
    with contextlib.suppress(AttributeError, OSError):  # a C library that is not GNU's
        ctypes.CDLL(None).malloc_trim(0)


def trim_java(gateway: Any) -> None:
    """Shrinks the heap around what is alive in it. Java stands still meanwhile, as
    long as its collector takes for that much."""
    management = Management(gateway)
    with management.options(LEAST_FREE, MOST_FREE):
        gateway.jvm.System.gc()
    with contextlib.suppress(Exception):  # before 17.0.9 and 21.0.1, and elsewhere than on Linux
        management.call("DiagnosticCommand", "systemTrimNativeHeap")


CLEANER, POLL = "org.apache.spark.ContextCleaner$", "org$apache$spark$ContextCleaner$$REF_QUEUE_POLL_TIMEOUT"
CALM_POLL = 60_000  # milliseconds


def calm_java(gateway: Any) -> None:
    """Has Spark's cleaner wait for what it is to clean. It looks ten times a second
    whether it is to end, which is most of what wakes a driver that rests, and which
    it has no need to: whoever ends it interrupts it. In Spark 4 it cannot be told."""
    with contextlib.suppress(Exception):
        cleaner = gateway.jvm.java.lang.Class.forName(CLEANER)
        poll = cleaner.getDeclaredField(POLL)
        poll.setAccessible(True)
        poll.setInt(cleaner.getField("MODULE$").get(None), CALM_POLL)


class Management:
    """Java's management of itself. Its objects are of modules that let nobody in,
    so they are called by reflection on what they implement."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway
        self._server = gateway.jvm.java.lang.management.ManagementFactory.getPlatformMBeanServer()
        class_of = gateway.jvm.java.lang.Class.forName
        types = ["javax.management.ObjectName", "java.lang.String", "[Ljava.lang.Object;", "[Ljava.lang.String;"]
        parameters = self._array(gateway.jvm.java.lang.Class, [class_of(name) for name in types])
        self._invoke = class_of("javax.management.MBeanServer").getMethod("invoke", parameters)

    def call(self, bean: str, operation: str, *arguments: str) -> Any:
        jvm = self._gateway.jvm
        name = jvm.javax.management.ObjectName(f"com.sun.management:type={bean}")
        signature = self._array(jvm.java.lang.String, ["java.lang.String"] * len(arguments))
        all = [name, operation, self._array(jvm.java.lang.Object, list(arguments)), signature]
        return self._invoke.invoke(self._server, self._array(jvm.java.lang.Object, all))

    @contextlib.contextmanager
    def options(self, *settings: tuple[str, str]) -> Iterator[None]:
        """Sets options of the JVM for a while, in this order, and puts them back in
        the opposite one. Not every JVM has them."""
        with contextlib.ExitStack() as back:
            with contextlib.suppress(Exception):
                for name, value in settings:
                    was = self.call("HotSpotDiagnostic", "getVMOption", name).get("value")
                    self.call("HotSpotDiagnostic", "setVMOption", name, value)
                    back.callback(self.call, "HotSpotDiagnostic", "setVMOption", name, was)
            yield

    def _array(self, kind: Any, values: list[Any]) -> Any:
        array = self._gateway.new_array(kind, len(values))
        for n, value in enumerate(values):
            array[n] = value
        return array
