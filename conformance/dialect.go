package conformance

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// spark35 speaks the dialect of Apache Spark version 3.5, in which Spark's
// properties are a classification.
func spark35(t *testing.T, c *Client) {
	id := c.StartSession(func(r *athena.StartSessionInput) {
		r.WorkGroup = aws.String("spark-3.5")
		r.EngineConfiguration = &types.EngineConfiguration{Classifications: []types.Classification{{
			Name:       aws.String("spark-defaults"),
			Properties: map[string]string{"spark.sql.shuffle.partitions": "5", "not.of.spark": "1"},
		}}}
	})
	Same(t, "stdout", c.Run(id, `print(spark.conf.get("spark.sql.shuffle.partitions"), spark.conf.get("not.of.spark", "unset"))`), "5 unset\n")

	session := c.Session(id)
	Same(t, "EngineVersion", aws.ToString(session.EngineVersion), "Apache Spark version 3.5")
	Same(t, "the property that Spark ignores", session.EngineConfiguration.Classifications[0].Properties["not.of.spark"], "1")
}

// spark41 is the engine that is Hearth's own, with the dialect of Apache Spark
// version 3.5.
func spark41(t *testing.T, c *Client) {
	id := c.StartSession(c.With(map[string]string{"spark.sql.shuffle.partitions": "5"}))
	Same(t, "stdout", c.Run(id, `
import numpy, pandas, pyspark
print(spark.version.rpartition(".")[0], pyspark.__version__ == spark.version, spark.conf.get("spark.sql.shuffle.partitions"))
print(numpy.__version__.partition(".")[0], pandas.__version__.partition(".")[0])
print(spark.sql("""select variant_get(parse_json('{"a": [1, 2]}'), '$.a[1]', 'int') n""").first().n)
`), "4.1 True 5\n2 2\n2\n")

	Same(t, "EngineVersion", aws.ToString(c.Session(id).EngineVersion), "Apache Spark version 4.1")
	refusal := Refused(c.Athena.StartSession(c.Ctx, &athena.StartSessionInput{WorkGroup: &c.WorkGroup, EngineConfiguration: &types.EngineConfiguration{
		SparkProperties: map[string]string{"spark.sql.shuffle.partitions": "5"},
	}}))(t)
	if !strings.Contains(*refusal.Message, "SparkProperties is not supported for Apache Spark version 4.1") {
		t.Errorf("refused with %q", *refusal.Message)
	}
}
