"""Compiles the named source beside it into the named jar, with the compiler that Spark has for its queries.

More arguments are jars that the source needs beside Spark's own. The same source gives the same jar.
"""

import os
import pathlib
import sys
import zipfile

from pyspark.java_gateway import launch_gateway

name, made, *jars = sys.argv[1:]
os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-class-path {os.pathsep.join(jars)} pyspark-shell" if jars else "pyspark-shell"
source = pathlib.Path(__file__).with_name(name).read_text()
gateway = launch_gateway()
compiler = gateway.jvm.org.codehaus.janino.SimpleCompiler()
compiler.setParentClassLoader(gateway.jvm.Thread.currentThread().getContextClassLoader())
compiler.cook(source)
with zipfile.ZipFile(made, "w") as jar:
    for name, code in sorted(compiler.getBytecodes().items()):
        jar.writestr(zipfile.ZipInfo(name.replace(".", "/") + ".class"), bytes(code))
gateway.shutdown()
