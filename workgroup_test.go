package hearth_test

import (
	"strings"
	"testing"

	"hearth"
)

func TestWorkGroupCheck(t *testing.T) {
	spark35, err := hearth.SelectEngine(hearth.EngineSpark35)
	if err != nil {
		t.Fatal(err)
	}
	good := hearth.WorkGroup{Name: "etl", Engine: spark35, WorkGroupSettings: hearth.WorkGroupSettings{ExecutionRole: "role"}}
	for _, location := range []string{"", "s3://bucket", "s3://bucket/", "s3://my.bucket-1/a b/ü/"} {
		g := good
		g.OutputLocation = location
		if err := g.Check(); err != nil {
			t.Errorf("%q: %v", location, err)
		}
	}
	for _, location := range []string{"bucket", "s3://", "s3:///x", "s3://Bucket/", "s3a://bucket/", "https://bucket/", "s3://-bucket/"} {
		g := good
		g.OutputLocation = location
		if err := g.Check(); hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(hearth.MessageOf(err), "outputLocation is not a valid S3 path") {
			t.Errorf("%q: %v", location, err)
		}
	}
	t.Run("a workgroup of SQL needs no role", func(t *testing.T) {
		sql := good
		sql.ExecutionRole = ""
		if sql.Engine, err = hearth.SelectEngine(""); err != nil || sql.Engine.IsSpark() {
			t.Errorf("engine %v, %v", sql.Engine, err)
		}
		if err := sql.Check(); err != nil {
			t.Error(err)
		}
	})
	t.Run("AUTO and its engine are one type", func(t *testing.T) {
		was, g := good, good
		if was.Engine, err = hearth.SelectEngine(hearth.EngineAuto); err != nil {
			t.Fatal(err)
		}
		if g.Engine, err = hearth.SelectEngine(hearth.EngineSQL3); err != nil {
			t.Fatal(err)
		}
		if err := g.CheckUpdate(was); err != nil {
			t.Error(err)
		}
		if err := good.CheckUpdate(was); hearth.KindOf(err) != hearth.KindInvalid {
			t.Errorf("to Spark: %v", err)
		}
	})
	t.Run("engines whose requests are the same are one type", func(t *testing.T) {
		was, other := good, good
		was.Engine.Selected, was.Engine.Effective = hearth.EngineSpark41, hearth.EngineSpark41
		if err := good.CheckUpdate(was); err != nil {
			t.Error(err)
		}
		other.Engine.Selected, other.Engine.Effective = hearth.EnginePySpark3, hearth.EnginePySpark3
		if err := other.CheckUpdate(was); hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(err.Error(), "cannot be changed from Apache Spark version 4.1") {
			t.Errorf("to another dialect: %v", err)
		}
	})
}

func TestMonitoringWithDefaults(t *testing.T) {
	s3, managed := &hearth.S3Logging{Enabled: true}, &hearth.ManagedLogging{}
	group := &hearth.Monitoring{S3: s3, CloudWatch: &hearth.CloudWatchLogging{}}
	own := &hearth.Monitoring{S3: &hearth.S3Logging{}, Managed: managed}
	if got := (*hearth.Monitoring)(nil).WithDefaults(nil); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
	if got := (*hearth.Monitoring)(nil).WithDefaults(group); got != group {
		t.Errorf("of the workgroup: %+v", got)
	}
	if got := own.WithDefaults(nil); got != own {
		t.Errorf("of the session: %+v", got)
	}
	if got := own.WithDefaults(group); *got != (hearth.Monitoring{S3: own.S3, Managed: managed, CloudWatch: group.CloudWatch}) || own.CloudWatch != nil {
		t.Errorf("of both: %+v", got)
	}
}
