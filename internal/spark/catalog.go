package spark

import (
	"maps"
	"path/filepath"

	"hearth/internal/metastore"
	"hearth/internal/shim"
)

// own are the properties with which a session brings a metastore of its own.
// Other properties that do so, like a client factory, win by themselves.
var own = []string{"spark.hadoop.hive.metastore.uris", "spark.hive.metastore.uris", "spark.hadoop.javax.jdo.option.ConnectionURL"}

// catalog are the settings of where a session's tables are on record, and where
// their files are. A session's own catalog wins.
func (e *Engine) catalog(properties map[string]string, bundle string) map[string]string {
	if e.warehouse == "" {
		return map[string]string{
			"spark.sql.catalogImplementation": "in-memory",
			"spark.sql.warehouse.dir":         filepath.Join(bundle, "warehouse"),
		}
	}
	scratch := filepath.Join(bundle, shim.TemporaryDir, "hive")
	settings := map[string]string{
		"spark.sql.catalogImplementation":               "hive",
		"spark.sql.warehouse.dir":                       e.warehouse,
		"spark.hadoop.hive.exec.scratchdir":             scratch, // else below /tmp, for all users
		"spark.hadoop.hive.exec.local.scratchdir":       scratch,
		"spark.hadoop.hive.downloaded.resources.dir":    filepath.Join(scratch, "resources"),
		"spark.hadoop.hive.exec.dynamic.partition.mode": "nonstrict", // as it always is for tables of Spark's own formats
	}
	for _, property := range own {
		if _, brings := properties[property]; brings {
			return settings
		}
	}
	maps.Copy(settings, map[string]string{
		"spark.hadoop.hive.metastore.uris":              "thrift://${env." + metastore.AddressVariable + "}", // not known before the shim is there
		"spark.hadoop.hive.metastore.sasl.enabled":      "true",
		"spark.hadoop.hive.metastore.token.signature":   metastore.TokenSignature,
		"spark.hadoop.iceberg.engine.hive.lock-enabled": "false", // a commit is refused when the table was changed meanwhile
	})
	return settings
}
