# ruff: noqa: F821, F401, I001, SIM115 (spark, sc and get_ipython are those of the session; nothing is cleaned up on purpose)
import logging
import os
import sys
import tempfile
import threading

# Python
os.environ["PLANTED"] = "planted"
open("planted.txt", "w").close()
open(os.path.join(sc._jvm.System.getProperty("java.io.tmpdir"), "planted.txt"), "w").close()
os.chdir(tempfile.mkdtemp())
sys.path.insert(0, "/planted")
sys.modules["planted"] = os
planted = 1
threading.Thread(target=threading.Event().wait, name="planted", daemon=True).start()
logging.getLogger().setLevel(logging.CRITICAL)
logging.getLogger("planted").addHandler(logging.NullHandler())
get_ipython().run_line_magic("alias", "planted ls")
get_ipython().run_line_magic("set_log_level", "ERROR")

# Spark
spark.range(1).createOrReplaceTempView("planted")
spark.range(1).createOrReplaceGlobalTempView("planted")
spark.conf.set("spark.sql.planted", "planted")
spark.conf.set("spark.sql.shuffle.partitions", "77")
spark.udf.register("planted", lambda: 1)
spark.sql("set spark.sql.planted.too = planted")
spark.range(10).cache().count()
sc.setLogLevel("FATAL")
sc.setLocalProperty("planted", "planted")
sc._jsc.hadoopConfiguration().set("planted", "planted")
sc._jsc.sc().conf().set("spark.planted", "planted")
sc._jvm.System.setProperty("planted", "planted")
sc.setCheckpointDir(tempfile.mkdtemp())
path = os.path.join(tempfile.mkdtemp(), "planted_module.py")
open(path, "w").write("x = 1")
sc.addPyFile(path)
import planted_module
print("planted")
