package config_test

import (
	"slices"
	"testing"

	"hearth"
	"hearth/internal/config"
)

// formats gives the workgroup etl table formats.
func formats(names ...hearth.TableFormat) func(*config.Config) {
	return func(c *config.Config) { c.WorkGroups = map[string]config.WorkGroup{"etl": {TableFormats: names}} }
}

func TestConfig_TableFormats(t *testing.T) {
	c, err := load(t, `
		[workgroups.both]
		table_formats = ["delta", "iceberg"]
		[workgroups.plain]
		sessions = 2
		[workgroups."*"]
		table_formats = ["delta"]
	`)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string][]hearth.TableFormat{
		"both":  {hearth.Delta, hearth.Iceberg},
		"plain": nil,
		"other": {hearth.Delta},
	} {
		t.Run("of "+group, func(t *testing.T) {
			if got := c.TableFormatsOf(group); !slices.Equal(got, want) {
				t.Errorf("%v", got)
			}
		})
	}
	t.Run("of all", func(t *testing.T) {
		if got := c.TableFormats(); !slices.Equal(got, []hearth.TableFormat{hearth.Iceberg, hearth.Delta}) {
			t.Errorf("%v", got)
		}
	})
	t.Run("are none by default", func(t *testing.T) {
		if got := config.Default().TableFormats(); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
	t.Run("are told where another is named", func(t *testing.T) {
		c := config.Default()
		formats("hudi")(&c)
		wantInvalid(t, c.Check(), `"iceberg" "delta"`)
	})
}
