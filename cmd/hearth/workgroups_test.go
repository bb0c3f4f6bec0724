package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/athena"
	"hearth/internal/sessions"
	"hearth/internal/sqlite"
)

func TestWorkgroups(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "hearth.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	service := sessions.New(sessions.Config{Store: store}) // workgroups need neither drivers nor objects
	defer service.Close()
	server := httptest.NewServer(athena.Handler(service, athena.Options{
		MaxBody:   32 << 20,
		Principal: func(context.Context) string { return "" }, Log: slog.New(slog.DiscardHandler),
	}))
	defer server.Close()

	data := t.TempDir()
	// run gives what the command printed, and its complaint.
	run := func(args ...string) (string, string) {
		t.Helper()
		var out, complaint bytes.Buffer
		m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaint}
		m.Run(append([]string{"workgroups", "--data", data, "--endpoint", server.URL}, args...))
		return out.String(), complaint.String()
	}
	does := func(args ...string) {
		t.Helper()
		if out, complaint := run(args...); out+complaint != "" {
			t.Fatalf("%v: %s%s", args, out, complaint)
		}
	}
	shows := func(want ...string) {
		t.Helper()
		out, complaint := run("show", "etl")
		for _, words := range want {
			if !strings.Contains(out, words) {
				t.Errorf("%s%s does not show %q", out, complaint, words)
			}
		}
	}

	does("create", "etl")
	shows("ENABLED", "PySpark engine version 3", "s3://hearth/etl/", ":role/hearth")
	does("update", "etl", "--disable", "--results", "s3://elsewhere/", "--description", "nightly")
	shows("DISABLED", "PySpark engine version 3", "s3://elsewhere/", ":role/hearth", "nightly")
	does("update", "etl", "--enable", "--description", "")
	shows("ENABLED", "s3://elsewhere/")
	if _, complaint := run("update", "etl"); !strings.Contains(complaint, "Nothing was given to change in workgroup etl") || !strings.Contains(complaint, "--description") {
		t.Errorf("no change: %q", complaint)
	}
	does("delete", "etl", "--recursive")
	if _, complaint := run("show", "etl"); !strings.Contains(complaint, "is not found") {
		t.Errorf("after its end: %q", complaint)
	}

	does("create", "lake", "--engine", "Apache Spark version 3.5", "--role", "arn:aws:iam::123456789012:role/mine", "--results", "s3://lake", "--description", "of data")
	out, _ := run("list")
	if !strings.Contains(out, "lake") || !strings.Contains(out, "Apache Spark version 3.5") {
		t.Errorf("listed %s", out)
	}
	if _, complaint := run("update", "lake", "--enable", "--disable"); !strings.Contains(complaint, "can't be used together") {
		t.Errorf("both states at once: %q", complaint)
	}
	if _, complaint := run("create", "lake"); !strings.Contains(complaint, "exists already") {
		t.Errorf("a second one of the name: %q", complaint)
	}

	for _, test := range []struct {
		name     string
		settings hearth.WorkGroupSettings
		lines    []string
	}{
		{"plain", hearth.WorkGroupSettings{}, nil},
		{"all", hearth.WorkGroupSettings{
			Encryption: &hearth.Encryption{Option: hearth.SSEKMS, KMSKey: "alias/results"},
			ContentKey: "alias/code",
			EngineConfiguration: &hearth.EngineConfiguration{
				CoordinatorDPUSize: 1, DefaultExecutorDPUSize: 1, MaxConcurrentDPUs: 4,
				AdditionalConfigs: map[string]string{"spark.b": "2", "spark.a": "1"},
			},
			Monitoring: &hearth.Monitoring{
				Managed:    &hearth.ManagedLogging{Enabled: true, KMSKey: "alias/logs"},
				S3:         &hearth.S3Logging{Enabled: true, Location: "s3://logs/", KMSKey: "alias/s3"},
				CloudWatch: &hearth.CloudWatchLogging{Group: "group"},
			},
		}, []string{
			"encryption   SSE_KMS alias/results",
			"content key  alias/code",
			"defaults     coordinator DPUs 1, executor DPUs 1, most DPUs 4, spark.a=1, spark.b=2",
			"logging      managed alias/logs, S3 s3://logs/ alias/s3, CloudWatch off",
		}},
		{"demanding", hearth.WorkGroupSettings{MinimumEncryption: true}, []string{"encryption  demanded, and none is set"}},
		{"enforced", hearth.WorkGroupSettings{MinimumEncryption: true, EnforceConfiguration: true}, nil},
		{"content", hearth.WorkGroupSettings{MinimumEncryption: true, Encryption: &hearth.Encryption{Option: hearth.SSES3}}, []string{"encryption  SSE_S3, demanded"}},
	} {
		t.Run("show "+test.name, func(t *testing.T) {
			group := hearth.WorkGroup{Name: test.name, WorkGroupSettings: test.settings}
			group.Engine.Selected, group.ExecutionRole = hearth.EnginePySpark3, "arn:aws:iam::123456789012:role/mine"
			if err := service.CreateWorkGroup(t.Context(), group, nil); err != nil {
				t.Fatal(err)
			}
			out, complaint := run("show", test.name)
			var lines []string
			for line := range strings.Lines(out) {
				switch name, _, _ := strings.Cut(line, "  "); name {
				case "encryption", "content key", "defaults", "logging":
					lines = append(lines, strings.TrimSpace(line))
				}
			}
			if !slices.Equal(lines, test.lines) {
				t.Errorf("%s%s has %q, want %q", out, complaint, lines, test.lines)
			}
		})
	}
}
