"""Compiles CommitProtocol.java into the named jar, with the compiler that Spark has for its queries.

The same source gives the same jar.
"""

import pathlib
import sys
import zipfile

from pyspark.java_gateway import launch_gateway

source = pathlib.Path(__file__).with_name("CommitProtocol.java").read_text()
gateway = launch_gateway()
compiler = gateway.jvm.org.codehaus.janino.SimpleCompiler()
compiler.setParentClassLoader(gateway.jvm.Thread.currentThread().getContextClassLoader())
compiler.cook(source)
with zipfile.ZipFile(sys.argv[1], "w") as jar:
    for name, code in sorted(compiler.getBytecodes().items()):
        jar.writestr(zipfile.ZipInfo(name.replace(".", "/") + ".class"), bytes(code))
gateway.shutdown()
