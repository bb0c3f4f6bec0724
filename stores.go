package hearth

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
)

// BuiltIn is the name of the store on the server's disk.
const BuiltIn = ""

// Buckets says which store has which buckets: by the store's name, the buckets'
// names or patterns of them, in which * stands for any characters. The closest
// one counts. The built-in store has all others.
type Buckets map[string][]string

// Store gives the name of the store that has a bucket.
func (b Buckets) Store(bucket string) string {
	owners := make(map[string]string)
	for store, patterns := range b {
		for _, pattern := range patterns {
			owners[pattern] = store
		}
	}
	pattern, _ := ClosestBucketPattern(maps.Keys(owners), bucket)
	return owners[pattern] // of none, BuiltIn
}

// All reports whether nothing is left to the built-in store.
func (b Buckets) All() bool {
	for _, patterns := range b {
		if slices.Contains(patterns, "*") {
			return true
		}
	}
	return false
}

// Named gives the buckets of a store that are known by name, sorted.
func (b Buckets) Named(store string) []string {
	named := slices.DeleteFunc(slices.Clone(b[store]), IsBucketPattern)
	slices.Sort(named)
	return slices.Compact(named)
}

// IsBucketPattern tells a pattern from a name.
func IsBucketPattern(text string) bool { return strings.Contains(text, "*") }

// ClosestBucketPattern gives the one of several names and patterns of names that
// counts for a bucket: its name, or else the longest that fits. It reports false
// when none does.
func ClosestBucketPattern(patterns iter.Seq[string], bucket string) (closest string, found bool) {
	for _, pattern := range slices.Sorted(patterns) {
		switch {
		case pattern == bucket:
			return pattern, true
		case len(pattern) > len(closest):
			if fits, _ := path.Match(pattern, bucket); fits { // its error is of the pattern, which fits nothing then
				closest, found = pattern, true
			}
		}
	}
	return closest, found
}

// Stores are Objects in several stores, each bucket in one of them. What is in
// one that is no Disposer is not theirs to remove.
type Stores struct {
	Buckets Buckets
	ByName  map[string]Objects // all that Buckets names, and BuiltIn
}

// Check implements Objects.
func (s Stores) Check(ctx context.Context, o Object) error { return s.of(o.URI).Check(ctx, o) }

// Put implements Objects.
func (s Stores) Put(ctx context.Context, o Object, content io.Reader) error {
	return s.of(o.URI).Put(ctx, o, content)
}

// Place implements Objects.
func (s Stores) Place(ctx context.Context, o Object, content []byte) (Unsynced, error) {
	return s.of(o.URI).Place(ctx, o, content)
}

// Sync implements Objects.
func (s Stores) Sync(ctx context.Context, placed []Unsynced) error {
	var errs []error
	for store, placed := range s.byStore(placed) {
		errs = append(errs, s.ByName[store].Sync(ctx, placed))
	}
	return errors.Join(errs...)
}

// Release implements Objects.
func (s Stores) Release(placed []Unsynced) {
	for store, placed := range s.byStore(placed) {
		s.ByName[store].Release(placed)
	}
}

func (s Stores) byStore(placed []Unsynced) map[string][]Unsynced {
	all := make(map[string][]Unsynced)
	for _, u := range placed {
		store := s.name(u.URI)
		all[store] = append(all[store], u)
	}
	return all
}

// Open implements Objects.
func (s Stores) Open(ctx context.Context, uri string) (io.ReadSeekCloser, error) {
	return s.of(uri).Open(ctx, uri)
}

// Holds implements Disposer.
func (s Stores) Holds(uri string) bool {
	d, ok := s.of(uri).(Disposer)
	return ok && d.Holds(uri)
}

// Size implements Disposer for what Holds holds.
func (s Stores) Size(ctx context.Context, uri string) (int64, error) {
	return s.of(uri).(Disposer).Size(ctx, uri)
}

// Remove implements Disposer for what Holds holds.
func (s Stores) Remove(ctx context.Context, uri string) error {
	return s.of(uri).(Disposer).Remove(ctx, uri)
}

func (s Stores) of(uri string) Objects { return s.ByName[s.name(uri)] }

// name gives the store of a URI. What is none is the built-in store's to refuse.
func (s Stores) name(uri string) string {
	at, err := ParseLocation(uri)
	if err != nil {
		return BuiltIn
	}
	return s.Buckets.Store(at.Bucket)
}
