package spark

import (
	"strings"
	"testing"

	"hearth"
)

func TestEngine_Catalog(t *testing.T) {
	settings := func(e Engine, properties map[string]string) map[string]string {
		return e.settings(hearth.Launch{SessionID: "s", Master: "local[1]", Properties: properties}, "/bundle", Store{})
	}
	shared := Engine{warehouse: "file:/data/warehouse"}
	for _, c := range []struct {
		name       string
		engine     Engine
		properties map[string]string
		want       map[string]string // "" is none
	}{
		{"the server's", shared, nil, map[string]string{
			"spark.sql.catalogImplementation":  "hive",
			"spark.sql.warehouse.dir":          "file:/data/warehouse",
			"spark.hadoop.hive.metastore.uris": "thrift://${env.HEARTH_METASTORE}",
		}},
		{"a metastore of the session's", shared, map[string]string{"spark.hadoop.hive.metastore.uris": "thrift://there:9083"}, map[string]string{
			"spark.sql.catalogImplementation":          "hive",
			"spark.hadoop.hive.metastore.uris":         "thrift://there:9083",
			"spark.hadoop.hive.metastore.sasl.enabled": "",
		}},
		{"a database of the session's", shared, map[string]string{"spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:x"}, map[string]string{
			"spark.hadoop.hive.metastore.uris": "",
		}},
		{"none, by the session's wish", shared, map[string]string{"spark.sql.catalogImplementation": "in-memory"}, map[string]string{
			"spark.sql.catalogImplementation": "in-memory",
		}},
		{"another place for tables", shared, map[string]string{"spark.sql.warehouse.dir": "s3://a/b"}, map[string]string{
			"spark.sql.warehouse.dir":          "s3://a/b",
			"spark.hadoop.hive.metastore.uris": "thrift://${env.HEARTH_METASTORE}",
		}},
		{"none, without a warehouse", Engine{}, nil, map[string]string{
			"spark.sql.catalogImplementation":  "in-memory",
			"spark.sql.warehouse.dir":          "/bundle/warehouse",
			"spark.hadoop.hive.metastore.uris": "",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := settings(c.engine, c.properties)
			for property, want := range c.want {
				if got[property] != want {
					t.Errorf("%s is %q, not %q", property, got[property], want)
				}
			}
		})
	}
	t.Run("Hive's scratch files are the driver's own", func(t *testing.T) {
		for property, value := range settings(shared, nil) {
			if strings.Contains(property, "scratchdir") && !strings.HasPrefix(value, "/bundle/") {
				t.Errorf("%s is %s", property, value)
			}
		}
	})
}
