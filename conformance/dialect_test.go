package conformance

import (
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
