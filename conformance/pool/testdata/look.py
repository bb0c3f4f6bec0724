# ruff: noqa: F821 (spark, sc and get_ipython are those of the session)
#
# What is looked for is what could make code behave in another way. Left out is what
# the warm-up is known to leave: more jobs in sc.statusTracker() and more queries in
# the status store, later numbers of RDDs and shuffles, threads and sockets in Java for
# its Python worker, and HEARTH_WARM in /proc/self/environ.
import json
import logging
import os
import re
import sys
import threading

OWN = re.compile(
    r"\.(port|startTime|submitTime|secret)$|^spark\.(app\.id|hearth\.Pages\.param\.secret|of\.nobody)$"
    r"|^fs\.s3[an]?\.(access\.key|secret\.key|session\.token|awsAccessKeyId|awsSecretAccessKey)$"
)
RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def plain(pairs):
    return [f"{key}={value}" for key, value in pairs if not OWN.search(key)]


def of_java(map):
    return [(entry.getKey(), entry.getValue()) for entry in map.entrySet().toArray()] if map else []


def of_scala(map):
    return [(pair._1(), pair._2()) for pair in (map.toList().apply(i) for i in range(map.size()))]


def files(folder):
    return [os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names]


def levels():
    jlogs = sc._jvm.org.apache.logging.log4j.LogManager.getContext(False).getConfiguration()
    return [f"{name}={logger.getLevel()}" for name, logger in of_java(jlogs.getLoggers())] + [f"root={jlogs.getRootLogger().getLevel()}"]


root = logging.getLogger()
java = spark._jsparkSession
child = spark.newSession()._jsparkSession
hadoop = sc._jsc.hadoopConfiguration().iterator()
settings = []
while hadoop.hasNext():
    entry = hadoop.next()
    settings.append((entry.getKey(), entry.getValue()))
functions = [f.name for f in spark.catalog.listFunctions() if f.isTemporary]
found = {
    "globals": list(globals()),
    "environment": list(os.environ),
    "folder": [os.getcwd()],
    "files": files("."),
    "temporary files": [name for name in files(sc._jvm.System.getProperty("java.io.tmpdir")) if "planted" in name],
    "path": [RANDOM.sub("…", folder) for folder in sys.path],
    "modules of others": [name for name in sys.modules if name.partition(".")[0] in ("planted", "planted_module", "pandas", "pyarrow", "numpy")],
    "threads": [t.name for t in threading.enumerate()],
    "levels of loggers": [str(root.level), str(len(root.handlers)), str(athena_user_logger.level), *levels()],
    "loggers": [name for name in root.manager.loggerDict if "planted" in name],
    "aliases": [str(name) for name, _ in get_ipython().alias_manager.aliases],
    "values": [str(get_ipython().user_ns.get(name)) for name in ("_", "__", "___", "_i", "_ii", "Out")],
    "executed": [str(get_ipython().execution_count)],
    "settings of the session": plain(of_scala(java.conf().getAll())),
    "settings of a new session": plain(of_scala(child.conf().getAll())),
    "settings of the context": plain(sc.getConf().getAll()),
    "settings of Hadoop": plain(settings),
    "properties of Java": [name for name in map(str, sc._jvm.System.getProperties().stringPropertyNames().toArray()) if name != "spark.of.nobody"],
    "properties of the thread": [RANDOM.sub("…", str(sc.getLocalProperty(name))) for name in ("planted", "spark.job.description", "spark.scheduler.pool", "spark.sql.execution.id")],
    "tables": [str(t) for t in spark.catalog.listTables()],
    "global views": [r.name for r in spark.catalog.listTables("global_temp")],
    "databases": [d.name for d in spark.catalog.listDatabases()] + [spark.catalog.currentDatabase()],
    "temporary functions": [name for name in functions if "planted" in name] + [str(len(functions))],
    "kept in memory": [str(sc._jsc.getPersistentRDDs().size())],
    "files of the context": [str(sc._jsc.sc().listFiles().size()), str(sc._jsc.sc().listJars().size()), *sc._python_includes],
    "checkpoints": [str(sc.getCheckpointDir())],
    "streams": [str(len(spark.streams.active))],
    "versions": [sc.version, sys.version, sc.master, sc.appName, str(sc.defaultParallelism)],
    "a job's group": [str(sc.getLocalProperty("spark.jobGroup.id") is not None)],
    "what runs in workers": sc.parallelize(range(1), 1).map(lambda _: (sorted(name for name in os.environ if "PLANTED" in name), os.getcwd())).collect()[0].__repr__().split("\n"),
}
print(json.dumps(found))
