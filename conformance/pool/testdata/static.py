# ruff: noqa: F821 (spark and sc are those of the session)
import json

jvm = sc._jvm
for module in "internal.StaticSQLConf", "hive.HiveUtils", "internal.SQLConf":  # Spark knows the settings of what is loaded
    jvm.java.lang.Class.forName(f"org.apache.spark.sql.{module}$", True, jvm.Thread.currentThread().getContextClassLoader())
entries = jvm.java.lang.Class.forName("org.apache.spark.sql.internal.SQLConf$").getField("MODULE$").get(None).getConfigEntries().iterator()
modifiable = {}
while entries.hasNext():
    name = entries.next().key()
    if name.startswith("spark.sql."):
        modifiable[name] = spark.conf.isModifiable(name)
print(json.dumps(modifiable))
