package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

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
}
