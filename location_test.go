package hearth

import (
	"strings"
	"testing"
)

func TestParseLocation(t *testing.T) {
	for uri, want := range map[string]Location{
		"s3://b/k":             {"b", "k"},
		"S3://b/k":             {"b", "k"},
		"s3://b/":              {"b", ""},
		"s3://b//":             {"b", "/"},
		"s3://b/k/ä?b=c&d#%2F": {"b", "k/ä?b=c&d#%2F"},
		"s3://b/s3://c/k":      {"b", "s3://c/k"},
	} {
		if got, err := ParseLocation(uri); got != want || err != nil {
			t.Errorf("%q is %+v, %v, want %+v", uri, got, err, want)
		}
	}
	for _, uri := range []string{"", "s3", "s3:", "s3:/b/k", "s3//b/k", "s3://", "s3:///k", "s3://b", "b/k", "/b/k", "://b/k", "s3a://b/k", "https://b/k", " s3://b/k"} {
		if got, err := ParseLocation(uri); KindOf(err) != KindInvalid || got != (Location{}) {
			t.Errorf("%q is %+v, %v", uri, got, err)
		}
	}
}

// Ensure that a location is what its URI says, whatever is in it.
func FuzzParseLocation(f *testing.F) {
	for _, uri := range []string{"s3://hearth/a/b", "S3://b//", "s3://b/\x00\xff", "s3://b", "s3a://b/k", "s3://b/s3://c/k"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		at, err := ParseLocation(uri)
		switch {
		case err != nil:
			if KindOf(err) != KindInvalid {
				t.Error(err)
			}
		case at.Bucket == "" || strings.Contains(at.Bucket, "/") || at.String()[1:] != uri[1:]:
			t.Errorf("%q is %+v", uri, at)
		}
	})
}
