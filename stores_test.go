package hearth

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
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

// The names that clients send are as long as they like.
func TestClosestBucketPattern_LongNames(t *testing.T) {
	pattern, found := ClosestBucketPattern(slices.Values([]string{"*a*a*a*a*b"}), strings.Repeat("a", 60_000))
	if found {
		t.Errorf("%q fits", pattern)
	}
}

// named remembers what it was asked for.
type named struct{ asked *[]string }

func (n named) note(uri string) error { *n.asked = append(*n.asked, uri); return nil }

func (n named) Check(_ context.Context, o Object) error            { return n.note(o.URI) }
func (n named) Put(_ context.Context, o Object, _ io.Reader) error { return n.note(o.URI) }
func (n named) Open(_ context.Context, uri string) (io.ReadSeekCloser, error) {
	return nil, n.note(uri)
}

func (n named) Place(_ context.Context, o Object, content []byte) (Unsynced, error) {
	return Unsynced{ID: "placed", URI: o.URI, Kept: content}, n.note(o.URI)
}

func (n named) Sync(_ context.Context, placed []Unsynced) error {
	for _, u := range placed {
		*n.asked = append(*n.asked, "sync "+u.URI)
	}
	return nil
}

func (n named) Release(placed []Unsynced) {
	for _, u := range placed {
		*n.asked = append(*n.asked, "release "+u.URI)
	}
}

// disposing is one that can remove.
type disposing struct{ named }

func (disposing) Holds(string) bool { return true }
func (d disposing) Size(_ context.Context, uri string) (int64, error) {
	return 1, d.note(uri)
}
func (d disposing) Remove(_ context.Context, uri string) error { return d.note(uri) }

func TestStores_Dispose(t *testing.T) {
	var disk []string
	s := Stores{
		Buckets: Buckets{"lake": {"*"}},
		ByName:  map[string]Objects{BuiltIn: disposing{named{&disk}}, "lake": named{}},
	}
	if s.Holds("s3://hearth/a") {
		t.Error("what is in the lake is the disk's")
	}
	s.Buckets = Buckets{"lake": {"lake-*"}}
	size, err := s.Size(t.Context(), "s3://hearth/a")
	if err != nil || size != 1 || !s.Holds("s3://hearth/a") {
		t.Errorf("size %d, %v", size, err)
	}
	if err := s.Remove(t.Context(), "s3://hearth/a"); err != nil || len(disk) != 2 {
		t.Errorf("the disk was asked for %q, %v", disk, err)
	}
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
	if len(disk) != 9 || disk[0] != "s3://hearth/lake-1/a" || len(lake) != 3 {
		t.Errorf("the disk was asked for %q, the lake for %q", disk, lake)
	}
}

func TestStores_Place(t *testing.T) {
	var disk, lake []string
	s := Stores{
		Buckets: Buckets{"lake": {"lake"}},
		ByName:  map[string]Objects{BuiltIn: named{&disk}, "lake": named{&lake}},
	}
	var placed []Unsynced
	for _, uri := range []string{"s3://hearth/a", "s3://lake/b", "s3://hearth/c"} {
		u, err := s.Place(t.Context(), Object{URI: uri}, nil)
		if err != nil {
			t.Fatal(err)
		}
		placed = append(placed, u)
	}
	if err := s.Sync(t.Context(), placed); err != nil {
		t.Error(err)
	}
	s.Release(placed)
	if want := []string{
		"s3://hearth/a", "s3://hearth/c", "sync s3://hearth/a", "sync s3://hearth/c", "release s3://hearth/a", "release s3://hearth/c",
	}; !slices.Equal(disk, want) {
		t.Errorf("the disk was told %q, want %q", disk, want)
	}
	if want := []string{"s3://lake/b", "sync s3://lake/b", "release s3://lake/b"}; !slices.Equal(lake, want) {
		t.Errorf("the lake was told %q, want %q", lake, want)
	}
}
