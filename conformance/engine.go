package conformance

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth"
	"hearth/internal/spark"
	"hearth/internal/testenv"
)

// Engine is what the sessions of a story run on.
type Engine struct {
	Version   string // the name by which a workgroup chooses it
	Spark     string // the version of Spark
	WorkGroup string // that has it, in each server
}

// The engines that stories are told on.
var (
	Spark35 = Engine{hearth.EnginePySpark3, spark.VersionOf(hearth.EnginePySpark3), hearth.WorkGroupPrimary}
	Spark41 = Engine{hearth.EngineSpark41, spark.VersionOf(hearth.EngineSpark41), "spark-4.1"}
)

func (e Engine) classifies() bool { return hearth.EngineVersion{Effective: e.Version}.Classifies() }

// configuration says all that the engine takes, in its dialect.
func (e Engine) configuration(dpus int32, properties map[string]string) *types.EngineConfiguration {
	c := &types.EngineConfiguration{MaxConcurrentDpus: &dpus}
	if !e.classifies() {
		c.CoordinatorDpuSize, c.DefaultExecutorDpuSize = aws.Int32(1), aws.Int32(1)
	}
	e.setProperties(c, properties)
	return c
}

func (e Engine) setProperties(c *types.EngineConfiguration, properties map[string]string) {
	if !e.classifies() {
		c.SparkProperties = properties
		return
	}
	c.Classifications = []types.Classification{{Name: aws.String(hearth.ClassificationSparkDefaults), Properties: properties}}
}

// sayingAll is the configuration of a session of two DPUs in JSON, for clients
// that are programs.
func (e Engine) sayingAll(t *testing.T) string {
	t.Helper()
	text := Must(json.Marshal(e.configuration(2, map[string]string{})))(t)
	members := make(map[string]any)
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	return string(Must(json.Marshal(members))(t))
}

// With has a session start with properties of Spark.
func (c *Client) With(properties map[string]string) func(*athena.StartSessionInput) {
	return func(request *athena.StartSessionInput) {
		c.Engine.setProperties(request.EngineConfiguration, properties)
	}
}

// CreateWorkGroup makes a workgroup of the story's engine, with what else there
// is to it.
func (c *Client) CreateWorkGroup(name string, configuration types.WorkGroupConfiguration) {
	c.T.Helper()
	if c.Engine == Spark41 {
		testenv.Spark41(c.T) // installed by now
	}
	configuration.EngineVersion = &types.EngineVersion{SelectedEngineVersion: &c.Engine.Version}
	configuration.ExecutionRole = aws.String("arn:aws:iam::123456789012:role/hearth")
	if configuration.ResultConfiguration == nil {
		configuration.ResultConfiguration = &types.ResultConfiguration{OutputLocation: aws.String("s3://hearth/")}
	}
	Must(c.Athena.CreateWorkGroup(c.Ctx, &athena.CreateWorkGroupInput{Name: &name, Configuration: &configuration}))(c.T)
}

// OnSpark41 is the client with sessions on Spark 4.1, in a workgroup that it
// makes for them.
func (c Client) OnSpark41(group string) *Client {
	c.T.Helper()
	c.Engine, c.WorkGroup = Spark41, group
	c.CreateWorkGroup(group, types.WorkGroupConfiguration{})
	return &c
}

// makeWorkGroup makes the engine's, unless a server's first start does.
func (c *Client) makeWorkGroup() {
	c.T.Helper()
	if c.WorkGroup != hearth.WorkGroupPrimary {
		c.CreateWorkGroup(c.WorkGroup, types.WorkGroupConfiguration{})
	}
}

// homeAlone is a home that no server has, with the engine's workgroup: a new one
// where that is there from the beginning.
func (c *Client) homeAlone() string {
	c.T.Helper()
	if c.WorkGroup != hearth.WorkGroupPrimary {
		server := c.Serve("")
		server.Stop()
		return server.Home
	}
	home := c.T.TempDir()
	c.T.Cleanup(func() { testenv.EndDrivers(c.T, home) })
	return home
}
