"""Measures sessions of one peer as its own clients use them.

Its argument is JSON: the peer's name, its address, the number of its process, how
often to measure, and with which code. Each figure is a JSON line: what, unit and value. A figure
that the peer does not have is left out. One that cannot be measured is a line
with the failure, and the others follow with another session.
"""

import concurrent.futures
import http.client
import json
import os
import signal
import sys
import threading
import time
import traceback
import uuid

plan = json.loads(sys.argv[1])

NOTHING, COUNT, FIRST, ENDLESS = (plan["code"][name] for name in ("nothing", "count", "first", "endless"))
ENDS = ("a Spark job", "a Python loop")  # of the endless, what a session can be asked to stop
GIVEN_UP = plan["given_up"]  # seconds until what does not happen is not waited for
KEPT = 5  # seconds that a server keeps a connection that nobody uses, at the least
ANSWERED = 120  # seconds within which a peer that works answers

THREADS = concurrent.futures.ThreadPoolExecutor(max_workers=32)


def tell(what, unit, value):
    print(json.dumps({"what": what, "unit": unit, "value": value}), flush=True)


def note(text):
    print(json.dumps({"note": text}), flush=True)


def fail(what, error):
    """Tells in one line what failed and why, and below it where."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    where = "".join(traceback.format_tb(error.__traceback__))
    print(json.dumps({"failure": f"{what}: {reason}\n{where}"}), flush=True)


# Processes, as Linux tells of them.


def family(root):
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat:
                children.setdefault(int(stat.read().rpartition(")")[2].split()[1]), []).append(int(name))
        except OSError:
            pass  # it is gone
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def newcomer(before):
    """The topmost process of the peer that was not there before."""
    return next(pid for pid in family(plan["pid"]) if pid not in before)


def program(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def memory(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except OSError:
        return 0  # it is gone


# Peers. A session begins code, and waits for its end: whether it was done, and
# neither failed nor was cancelled. Another thread may cancel it meanwhile.


class Web(threading.local):
    """A kept connection that carries JSON. It takes a call at a time: each thread has its own."""

    def __init__(self):
        host, _, port = plan["address"].partition(":")
        self.link = http.client.HTTPConnection(host, int(port), timeout=ANSWERED)
        self.used = 0

    def __call__(self, method, path, body=None):
        if time.monotonic() - self.used > KEPT:
            self.link.close()  # it opens itself
        self.link.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = self.link.getresponse()
        text = answer.read()
        self.used = time.monotonic()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text) if text else None


class Kernel:
    """A kernel of Jupyter's gateway that has made its SparkSession when it answers first."""

    trips = (NOTHING, COUNT)
    endless = ENDS

    def __init__(self):
        import websocket

        before = set(family(plan["pid"]))
        self.web = Web()
        self.id = self.web("POST", "/api/kernels", {"name": "pyspark"})["id"]
        self.socket = websocket.create_connection(
            f"ws://{plan['address']}/api/kernels/{self.id}/channels?session_id={uuid.uuid4().hex}", timeout=ANSWERED
        )
        self.root = newcomer(before)

    def begin(self, code):
        key = uuid.uuid4().hex
        header = {"msg_id": key, "msg_type": "execute_request", "username": "", "session": key, "version": "5.3", "date": ""}
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        self.socket.send(json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}))
        return key

    def end(self, key):
        status, idle = None, False
        while not (status and idle):
            message = json.loads(self.socket.recv())
            if message.get("parent_header", {}).get("msg_id") == key:
                kind, content = message["header"]["msg_type"], message["content"]
                if kind == "execute_reply":
                    status = content["status"]
                idle = idle or kind == "status" and content["execution_state"] == "idle"
        return status == "ok"

    def cancel(self, _):
        self.web("POST", f"/api/kernels/{self.id}/interrupt")

    def dead(self):
        return self.web("GET", f"/api/kernels/{self.id}")["execution_state"] in ("dead", "restarting", "starting")

    def close(self):
        self.web("DELETE", f"/api/kernels/{self.id}")


class Livy:
    """A session of Livy, whose clients poll."""

    trips = (NOTHING, COUNT)
    endless = ENDS

    def __init__(self):
        before = set(family(plan["pid"]))
        self.web = Web()
        self.path = f"/sessions/{self.web('POST', '/sessions', {'kind': 'pyspark'})['id']}"
        while (state := self.state()) == "starting":  # it takes no statements until then
            time.sleep(0.01)
        if state != "idle":
            raise RuntimeError(f"Livy's session is {state}: {self.web('GET', self.path + '/log')}")
        self.root = newcomer(before)

    def state(self):
        return self.web("GET", self.path + "/state")["state"]

    def begin(self, code):
        return f"{self.path}/statements/{self.web('POST', self.path + '/statements', {'code': code})['id']}"

    def end(self, statement):
        began = time.monotonic()
        while (told := self.web("GET", statement))["state"] not in ("available", "error", "cancelled"):
            if time.monotonic() - began > ANSWERED:
                raise TimeoutError(f"{statement} is {told['state']} after {ANSWERED} s")
        return told["state"] == "available" and told["output"]["status"] == "ok"

    def cancel(self, statement):
        self.web("POST", statement + "/cancel")

    def dead(self):
        return self.state() in ("dead", "error", "killed", "shutting_down")

    def close(self):
        self.web("DELETE", self.path)


class Connect:
    """A session of a Spark Connect server, of which the Python half is here."""

    trips = (NOTHING, COUNT)
    endless = ("a Spark job",)

    def __init__(self):
        from pyspark.sql import SparkSession

        self.spark = SparkSession.builder.remote(f"sc://{plan['address']}").create()
        self.root = plan["pid"]

    def begin(self, code):
        def work():
            try:
                self.spark.sql("SELECT 1 + 1").collect() if code == NOTHING else eval(code, {"spark": self.spark})
            except Exception as error:
                if "OPERATION_CANCELED" not in str(error):
                    raise
                return False
            return True

        return THREADS.submit(work)

    def end(self, working):
        return working.result()

    def cancel(self, _):
        self.spark.interruptAll()

    dead = None  # all sessions of the server have gone with it

    def close(self):
        self.spark.stop()


class Plain:
    """pyspark in this process: what there is without any service."""

    trips = (COUNT,)  # what is nothing of Spark's goes nowhere
    endless = ()

    def __init__(self):
        from pyspark.sql import SparkSession

        self.spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
        self.root = os.getpid()

    def begin(self, code):
        return eval(code, {"spark": self.spark})

    def end(self, _):
        return True

    dead = None

    def close(self):
        pass


PEERS = {"plain pyspark": Plain, "Kernel Gateway": Kernel, "Livy": Livy, "Spark Connect server": Connect}


def run(session, code):
    began = time.perf_counter()
    if not session.end(session.begin(code)):
        raise RuntimeError(f"{code} was not done")
    return (time.perf_counter() - began) * 1e3


def fresh():
    session = PEERS[plan["peer"]]()
    run(session, FIRST)
    return session


# What is measured of a session. Each gives the session that is there afterwards.


def starts():
    runs = plan["runs"] if plan["peer"] in ("Kernel Gateway", "Livy") else 1  # the others have one Spark
    for n in range(runs):
        began = time.perf_counter()
        session = fresh()
        tell(plan["texts"]["start"], "ms", (time.perf_counter() - began) * 1e3)
        if n < runs - 1:
            session.close()
    return session


def trips(session):
    for code in session.trips:
        for _ in range(10):
            run(session, code)
        for _ in range(plan["trips"]):
            tell(plan["texts"]["trip"] % code, "ms", run(session, code))
    return session


def idle(session):
    time.sleep(plan["settle"])
    if not (used := sum(map(memory, family(session.root)))):
        raise RuntimeError(f"process {session.root} has gone")
    tell(plan["texts"]["memory"], "MiB", used)
    return session


def cancels(session):
    for what in session.endless:
        for _ in range(plan["runs"]):
            if not cancelled(session, what):
                session.close()
                session = fresh()
                break
    return session


def cancelled(session, what):
    """Cancels code in its middle. False when that runs on, which is noted."""
    running = session.begin(ENDLESS[what])
    time.sleep(1)
    ended = THREADS.submit(session.end, running)
    began = time.perf_counter()
    session.cancel(running)
    if not in_time(ended):
        note(f"{plan['peer']}: {what} had not stopped {GIVEN_UP:g} s after its cancel")
        return False
    took = time.perf_counter() - began
    if not in_time(THREADS.submit(run, session, NOTHING)):
        note(f"{plan['peer']}: {what} was told to have stopped {took:.1f} s after its cancel, and {NOTHING} had no answer {GIVEN_UP:g} s later")
        return False
    tell(plan["texts"]["cancel"] % what, "ms", took * 1e3)
    return True


def in_time(future):
    """Whether something was done before one gives up. Raises what it raised."""
    if not concurrent.futures.wait([future], GIVEN_UP).done:
        return False
    future.result()
    return True


def death(session):
    if not session.dead:
        return session
    os.kill(next(pid for pid in family(session.root) if program(pid) == "java"), signal.SIGKILL)
    began = time.perf_counter()
    while time.perf_counter() - began < GIVEN_UP:
        if session.dead():
            tell(plan["texts"]["death"], "ms", (time.perf_counter() - began) * 1e3)
            return session
        time.sleep(0.005)
    note(f"{plan['peer']}: {GIVEN_UP:g} s after its Java was killed, the session seemed well")
    return session


def attempt(what, measure):
    """Gives the session that a measurement leaves; None when it failed, which is told."""
    measuring = THREADS.submit(measure)
    if error := measuring.exception():
        fail(what, error)
        return None
    return measuring.result()


def main():
    session = attempt("start, without which there is no other figure", starts)
    if not session:
        return
    for what, measure in ("round trips", trips), ("memory", idle), ("cancel", cancels), ("death", death):
        session = attempt(what, lambda session=session, measure=measure: measure(session or fresh()))


main()
os._exit(0)  # threads that wait for what does not end would keep the interpreter
