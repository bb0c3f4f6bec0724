package metastore

import (
	"strings"
	"testing"
)

func TestParseFilter(t *testing.T) {
	row := map[string]string{"day": "2024-01-02", "n": "10", "s": `a"b`, "path": `a\b`, "dir": `a\`, "none": nullPartition}
	for _, c := range []struct {
		filter string
		want   truth
	}{
		{`n = 10`, yes},
		{`n > 9`, yes}, // as numbers: as texts it is less
		{`9 < n`, yes},
		{`n = 10 and day = "2024-01-02"`, yes},
		{`n = 11 or day = "2024-01-02"`, yes},
		{`n = 11 and day = "2024-01-02"`, no},
		{`n = 11 or n = 10 and day = "x"`, no}, // and binds closer
		{`(n = 11 or n = 10) and day = "2024-01-02"`, yes},
		{`day >= 2024-01-02`, yes},
		{`day < 2024-01-02`, no},
		{`DAY != '2024-01-03'`, yes},
		{`s = 'a"b'`, yes},
		{`path = "a\b"`, yes}, // Spark escapes nothing
		{`path = "ab"`, no},
		{`dir = "a\"`, yes},
		{`dir = 'a\' and n = 10`, yes},
		{`none = "x"`, unknown},
		{`none != "x"`, unknown},
		{`none != "x" and n = 11`, no},
		{`none != "x" or n = 10`, yes},
		{`day = 20240102`, unknown}, // no number
		{`missing = 1`, unknown},
	} {
		match, ok := parseFilter(c.filter)
		if !ok {
			t.Errorf("%s is not understood", c.filter)
			continue
		}
		if got := match(row); got != c.want {
			t.Errorf("%s is %d, not %d", c.filter, got, c.want)
		}
	}
	for _, filter := range []string{
		``, `n`, `n =`, `n = 1 and`, `n = 1)`, `(n = 1`, `n = m`, `s like "a.*"`, `not n = 1`, `n = 1 n = 2`, `n @ 1`, `= = =`, `"unclosed`,
		strings.Repeat("(", 10_000) + "n = 1" + strings.Repeat(")", 10_000),
	} {
		if _, ok := parseFilter(filter); ok {
			t.Errorf("%.40q is understood", filter)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`(n = 1 or n = 2) and day >= "2024-01-01"`)
	f.Add(`'x' = s`)
	f.Fuzz(func(t *testing.T, filter string) {
		if match, ok := parseFilter(filter); ok {
			match(map[string]string{"n": "1", "s": nullPartition})
		}
	})
}

func TestPartitionName(t *testing.T) {
	of := &table{structure: build(tableKeys, structList([]*structure{build(columnName, "Day"), build(columnName, "n")}))}
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"2024-01-01", "3"}, "day=2024-01-01/n=3"},
		{[]string{"a b=c/d%", "ü"}, "day=a b%3Dc%2Fd%25/n=ü"},
		{[]string{"", "\x01"}, "day=" + nullPartition + "/n=%01"},
	} {
		got, err := partitionName(of, c.values)
		if err != nil || got != c.want {
			t.Errorf("%q is %q (%v), not %q", c.values, got, err, c.want)
		}
		for i, value := range valuesOf(got) {
			if want := c.values[i]; value != want && !(want == "" && value == nullPartition) {
				t.Errorf("%q comes back as %q", want, value)
			}
		}
	}
	if _, err := partitionName(of, []string{"one"}); err == nil {
		t.Error("a value too few is taken")
	}
}
