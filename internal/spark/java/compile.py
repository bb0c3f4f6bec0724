"""Compiles sources beside it, named as A.java,B.java, into the named jar, with the compiler that Spark has for its queries.

More arguments are jars that the sources need beside Spark's own. The same sources give the same jar on one line of Spark. Servlets
are written as those of Spark 3: Spark 4 has them under another name.
"""

import os
import pathlib
import sys
import zipfile

from pyspark import __version__
from pyspark.java_gateway import launch_gateway

sources, made, *jars = sys.argv[1:]
os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-class-path {os.pathsep.join(jars)} pyspark-shell" if jars else "pyspark-shell"
servlets = "javax.servlet." if __version__.startswith("3.") else "jakarta.servlet."
gateway = launch_gateway()
classes = {}
for source in sources.split(","):
    compiler = gateway.jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(gateway.jvm.Thread.currentThread().getContextClassLoader())
    compiler.cook(pathlib.Path(__file__).with_name(source).read_text().replace("javax.servlet.", servlets))
    classes.update(compiler.getBytecodes())
with zipfile.ZipFile(made, "w") as jar:
    for name, code in sorted(classes.items()):
        jar.writestr(zipfile.ZipInfo(name.replace(".", "/") + ".class"), bytes(code))
gateway.shutdown()
