package hearth

import (
	"slices"
	"strings"
	"time"
)

// Warm says what a driver is that is launched ahead of the session that it will
// belong to.
type Warm struct {
	// Key tells which sessions can have it: those that would be launched with what
	// it was launched with.
	Key string
	// Age is how long after its launch it ends by itself, if no session has claimed
	// it; 0 is never.
	Age time.Duration
}

// RuntimeProperty reports whether a Spark property may be set when a driver runs
// and means the same then: one of Spark SQL that Spark does not read when it
// starts. Names that Spark does not know are taken for such as it would take
// them, but for those of catalogs, which are made once.
func RuntimeProperty(name string) bool {
	return strings.HasPrefix(name, "spark.sql.") && !strings.HasPrefix(name, "spark.sql.catalog.") && !slices.Contains(staticProperties, name)
}

// RuntimeProperties are those of the launch that may be set when a driver runs,
// with the values that Spark would take from the file that it starts with: it
// leaves out spaces and control characters around them (Utils.trimExceptCRLF; no
// value has an end of a line).
func (l Launch) RuntimeProperties() map[string]string {
	properties := l.propertiesWhere(true)
	for name, value := range properties {
		properties[name] = strings.TrimFunc(value, func(r rune) bool { return r <= ' ' })
	}
	return properties
}

// StaticProperties are the others.
func (l Launch) StaticProperties() map[string]string { return l.propertiesWhere(false) }

func (l Launch) propertiesWhere(runtime bool) map[string]string {
	properties := make(map[string]string)
	for name, value := range l.Properties {
		if RuntimeProperty(name) == runtime {
			properties[name] = value
		}
	}
	return properties
}

// staticProperties are the static ones of Spark SQL, in order: all that any of
// the engines counts among them (StaticSQLConf and HiveUtils, in Spark 3.5.7 and
// 4.1.2).
var staticProperties = []string{
	"spark.sql.broadcastExchange.maxThreadThreshold",
	"spark.sql.cache.serializer",
	"spark.sql.catalogImplementation",
	"spark.sql.codegen.cache.maxEntries",
	"spark.sql.codegen.comments",
	"spark.sql.connect.ui.retainedSessions",
	"spark.sql.connect.ui.retainedStatements",
	"spark.sql.debug",
	"spark.sql.defaultUrlStreamHandlerFactory.enabled",
	"spark.sql.event.truncate.length",
	"spark.sql.extensions",
	"spark.sql.extensions.test.loadFromCp",
	"spark.sql.filesourceTableRelationCacheSize",
	"spark.sql.globalTempDatabase",
	"spark.sql.hive.metastore.barrierPrefixes",
	"spark.sql.hive.metastore.jars",
	"spark.sql.hive.metastore.jars.path",
	"spark.sql.hive.metastore.sharedPrefixes",
	"spark.sql.hive.metastore.version",
	"spark.sql.hive.thriftServer.singleSession",
	"spark.sql.hive.version",
	"spark.sql.legacy.sessionInitWithConfigDefaults",
	"spark.sql.metadataCacheTTLSeconds",
	"spark.sql.queryExecutionListeners",
	"spark.sql.resultQueryStage.maxThreadThreshold",
	"spark.sql.shuffleExchange.maxThreadThreshold",
	"spark.sql.sources.disabledJdbcConnProviderList",
	"spark.sql.sources.schemaStringLengthThreshold",
	"spark.sql.streaming.streamingQueryListeners",
	"spark.sql.streaming.ui.enabled",
	"spark.sql.streaming.ui.enabledCustomMetricList",
	"spark.sql.streaming.ui.retainedProgressUpdates",
	"spark.sql.streaming.ui.retainedQueries",
	"spark.sql.subquery.maxThreadThreshold",
	"spark.sql.ui.retainedExecutions",
	"spark.sql.warehouse.dir",
}
