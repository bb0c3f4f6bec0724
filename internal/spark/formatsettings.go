package spark

import (
	"maps"
	"slices"
	"strings"

	"hearth"
)

// catalogs begins the names of the properties of Spark's catalogs.
const catalogs = "spark.sql.catalog."

// Iceberg's classes for AWS. AWS's SDK, which they need, is none of its jars.
const (
	glueCatalog = "org.apache.iceberg.aws.glue.GlueCatalog"
	s3FileIO    = "org.apache.iceberg.aws.s3.S3FileIO"
)

// formatSettings let Spark read and write tables of the engine's formats. The
// session's own properties win over them, but for one: S3FileIO, which programs
// for Athena name, stands for the way to s3:// that there is.
func (e *Engine) formatSettings(properties map[string]string) (beneath, above map[string]string) {
	beneath, above = make(map[string]string), make(map[string]string)
	var extensions []string
	for _, f := range e.formats {
		extensions = append(extensions, f.extensions)
		beneath[catalogs+"spark_catalog"] = f.catalog
		maps.Copy(beneath, f.properties)
	}
	if len(extensions) == 0 {
		return beneath, above
	}
	if len(e.formats) > 1 {
		beneath[catalogs+"spark_catalog"] = "hearth.Catalog" // it has the tables of both
	}
	beneath["spark.sql.extensions"] = strings.Join(extensions, ",")
	if properties["spark.delta.logStore.class"] != "" { // Delta takes that one or these
		maps.DeleteFunc(beneath, func(name, _ string) bool { return strings.HasPrefix(name, "spark.delta.logStore.") })
	}
	for name, value := range properties {
		if strings.HasPrefix(name, catalogs) && value == s3FileIO && properties["spark.driver.extraClassPath"] == "" {
			above[name] = "org.apache.iceberg.hadoop.HadoopFileIO"
		}
	}
	return beneath, above
}

// checkCatalogs refuses catalogs whose classes are nowhere on the driver's class
// path: Spark would say which class it misses, and not why.
func (e *Engine) checkCatalogs(launch hearth.Launch) error {
	if launch.Properties["spark.driver.extraClassPath"] != "" {
		return nil
	}
	known := e.line().formats
	for _, name := range slices.Sorted(maps.Keys(launch.Properties)) {
		if !strings.HasPrefix(name, catalogs) {
			continue
		}
		class := launch.Properties[name]
		i := slices.IndexFunc(known, func(f format) bool { return strings.HasPrefix(class, f.classes) })
		if i < 0 {
			continue
		}
		f := known[i]
		has := slices.ContainsFunc(e.formats, func(g format) bool { return g.name == f.name })
		switch brings := launch.Properties["spark.jars"] != "" || launch.Properties["spark.jars.packages"] != ""; {
		case !has && !brings:
			return hearth.Errorf(hearth.KindInvalid, "Spark property %s is %s, and sessions of workgroup %s have no %s. "+
				"Write table_formats = [%q] into the table of the workgroup in the server's configuration and start the server again, or name the jars in spark.jars.",
				name, class, launch.WorkGroup, f.title, f.name)
		case has && class == glueCatalog:
			return hearth.Errorf(hearth.KindInvalid, "Spark property %s is %s, AWS Glue's catalog, and AWS's SDK that it needs is not there. "+
				"Leave the property out: the tables are then in this server's catalog. To use Glue itself name Iceberg's aws-bundle jar in spark.driver.extraClassPath.", name, class)
		}
	}
	return nil
}
