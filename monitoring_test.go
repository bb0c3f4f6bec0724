package hearth_test

import (
	"slices"
	"strings"
	"testing"

	"hearth"
)

func TestMonitoringCheck(t *testing.T) {
	for name, m := range map[string]*hearth.Monitoring{
		"none":                      nil,
		"empty":                     {},
		"a place":                   {S3: &hearth.S3Logging{Enabled: true, Location: "s3://logs"}},
		"a place that is not used":  {S3: &hearth.S3Logging{Location: "s3://logs/etl/", KMSKey: "alias/a"}},
		"a key that is not used":    {Managed: &hearth.ManagedLogging{KMSKey: "alias/a"}},
		"CloudWatch, kept and told": {CloudWatch: &hearth.CloudWatchLogging{Enabled: true, Types: map[string][]string{"SPARK_DRIVER": {"STDERR"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := m.Check(); err != nil {
				t.Error(err)
			}
		})
	}
	for name, c := range map[string]struct {
		m     hearth.Monitoring
		says  string
		group bool // refused as a workgroup's setting, too
	}{
		"a key for managed logs": {hearth.Monitoring{Managed: &hearth.ManagedLogging{Enabled: true, KMSKey: "alias/a"}}, "ManagedLoggingConfiguration", false},
		"a key for S3":           {hearth.Monitoring{S3: &hearth.S3Logging{Enabled: true, Location: "s3://logs", KMSKey: "alias/a"}}, "S3LoggingConfiguration", false},
		"no place":               {hearth.Monitoring{S3: &hearth.S3Logging{Enabled: true}}, "LogLocation", true},
		"a place on disk":        {hearth.Monitoring{S3: &hearth.S3Logging{Location: "/var/log"}}, `"/var/log"`, true},
		"a place on the web":     {hearth.Monitoring{S3: &hearth.S3Logging{Enabled: true, Location: "https://logs/"}}, `"https://logs/"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.m.Check(); hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(err.Error(), c.says) {
				t.Error(err)
			}
			g := hearth.WorkGroup{WorkGroupSettings: hearth.WorkGroupSettings{Monitoring: &c.m}}
			if err := g.Check(); (err != nil) != c.group {
				t.Errorf("of a workgroup: %v", err)
			}
		})
	}
}

func TestSessionLogs(t *testing.T) {
	s := hearth.Session{ID: "id", Configuration: hearth.SessionConfiguration{WorkingDirectory: "s3://hearth/id"}}
	const managed, etl = "s3://hearth/id/logs/SPARK_DRIVER/stderr", "s3://logs/etl/id/SPARK_DRIVER/stderr"
	off := &hearth.ManagedLogging{}
	cloudWatch := &hearth.CloudWatchLogging{Enabled: true, Group: "/aws-athena/etl"}
	for name, c := range map[string]struct {
		m      *hearth.Monitoring
		copies []string
		note   string
	}{
		"managed by default":    {nil, []string{managed}, ""},
		"managed on":            {&hearth.Monitoring{Managed: &hearth.ManagedLogging{Enabled: true}}, []string{managed}, ""},
		"managed off":           {&hearth.Monitoring{Managed: off}, nil, ""},
		"S3":                    {&hearth.Monitoring{S3: &hearth.S3Logging{Enabled: true, Location: "s3://logs/etl"}}, []string{managed, etl}, ""},
		"S3 alone, with slash":  {&hearth.Monitoring{Managed: off, S3: &hearth.S3Logging{Enabled: true, Location: "s3://logs/etl/"}}, []string{etl}, ""},
		"S3 off":                {&hearth.Monitoring{S3: &hearth.S3Logging{Location: "s3://logs/etl"}}, []string{managed}, ""},
		"CloudWatch":            {&hearth.Monitoring{CloudWatch: cloudWatch}, []string{managed}, "log group /aws-athena/etl is at " + managed + " when"},
		"CloudWatch alone":      {&hearth.Monitoring{Managed: off, CloudWatch: cloudWatch}, nil, "hearth sessions logs id"},
		"CloudWatch, no group":  {&hearth.Monitoring{CloudWatch: &hearth.CloudWatchLogging{Enabled: true}}, []string{managed}, "What would go there is at " + managed},
		"CloudWatch turned off": {&hearth.Monitoring{CloudWatch: &hearth.CloudWatchLogging{Group: "g"}}, []string{managed}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.Monitoring = c.m
			logs := s.Logs()
			if !slices.Equal(logs.Copies, c.copies) || (logs.Note == "") != (c.note == "") || !strings.Contains(logs.Note, c.note) {
				t.Errorf("%+v", logs)
			}
		})
	}
}
