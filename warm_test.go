package hearth_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
)

func TestLaunch_Properties(t *testing.T) {
	launch := hearth.Launch{Properties: map[string]string{
		"spark.sql.session.timeZone": " \tUTC\x00 ",
		"spark.sql.words":            " a b ",
		"spark.sql.spaces":           "  ",
		"spark.sql.other.spaces":     "\u00a0x\u2003",
		"spark.sql.warehouse.dir":    " dir ",
		"spark.files":                " x",
	}}
	runtime := map[string]string{
		"spark.sql.session.timeZone": "UTC",
		"spark.sql.words":            "a b",
		"spark.sql.spaces":           "",
		"spark.sql.other.spaces":     "\u00a0x\u2003",
	}
	if diff := cmp.Diff(runtime, launch.RuntimeProperties()); diff != "" {
		t.Error("what may be set when a driver runs", diff)
	}
	if diff := cmp.Diff(map[string]string{"spark.sql.warehouse.dir": " dir ", "spark.files": " x"}, launch.StaticProperties()); diff != "" {
		t.Error("what may not", diff)
	}
}
