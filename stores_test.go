package hearth

import (
	"context"
	"io"
	"path"
	"testing"

	"pgregory.net/rapid"
)

func TestBuckets(t *testing.T) {
	b := Buckets{
		"lake":  {"lake-*", "results"},
		"other": {"lake-eu-*", "*-archive", "lake-results"},
	}
	for bucket, want := range map[string]string{
		"results": "lake", "lake-": "lake", "lake-us": "lake",
		"lake-results":    "other", // by its name
		"lake-eu-1":       "other", // by the longer pattern
		"a-archive":       "other",
		"lake-us-archive": "other",
		"result":          BuiltIn, "results-2": BuiltIn, "my-lake-1": BuiltIn, "lake": BuiltIn, "hearth": BuiltIn, "": BuiltIn,
	} {
		if got := b.Store(bucket); got != want {
			t.Errorf("%q is in the store %q, want %q", bucket, got, want)
		}
	}
	if got := (Buckets{"all": {"*"}}).Store("hearth"); got != "all" {
		t.Errorf("* leaves hearth to the store %q", got)
	}
	if b.All() || !(Buckets{"lake": {"lake"}, "rest": {"a", "*"}}).All() {
		t.Error("All is not whether there is a pattern for every bucket")
	}
	if got := b.Named("other"); len(got) != 1 || got[0] != "lake-results" {
		t.Errorf("known by name are %v", got)
	}
}

// Patterns of one character and stars mean what they mean to path.Match.
func TestBuckets_patterns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*]{1,6}`).Draw(t, "pattern")
		bucket := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "bucket")
		want, err := path.Match(pattern, bucket)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Buckets{"store": {pattern}}).Store(bucket) == "store"; got != want {
			t.Fatalf("%q matches %q: %t, want %t", pattern, bucket, got, want)
		}
	})
}

// named remembers what it was asked for.
type named struct{ asked *[]string }

func (n named) note(uri string) error { *n.asked = append(*n.asked, uri); return nil }

func (n named) Check(_ context.Context, o Object) error            { return n.note(o.URI) }
func (n named) Put(_ context.Context, o Object, _ io.Reader) error { return n.note(o.URI) }
func (n named) Open(_ context.Context, uri string) (io.ReadSeekCloser, error) {
	return nil, n.note(uri)
}

func TestStores(t *testing.T) {
	var disk, lake []string
	s := Stores{
		Buckets: Buckets{"lake": {"lake-*"}},
		ByName:  map[string]Objects{BuiltIn: named{&disk}, "lake": named{&lake}},
	}
	for _, uri := range []string{"s3://lake-1/a", "s3://hearth/lake-1/a", "lake-1", "s3://lake-1"} {
		if err := s.Check(t.Context(), Object{URI: uri}); err != nil {
			t.Error(err)
		}
		if err := s.Put(t.Context(), Object{URI: uri}, nil); err != nil {
			t.Error(err)
		}
		if _, err := s.Open(t.Context(), uri); err != nil {
			t.Error(err)
		}
	}
	if len(disk) != 3 || disk[0] != "s3://hearth/lake-1/a" || len(lake) != 9 {
		t.Errorf("the disk was asked for %q, the lake for %q", disk, lake)
	}
}
