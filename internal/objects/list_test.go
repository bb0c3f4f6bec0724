package objects_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/objects"
)

// keyGenerator draws keys that meet: few characters, the ones that the layout
// on disk treats in a way of its own, and parts around the longest file name.
func keyGenerator() *rapid.Generator[string] {
	short := rapid.StringOfN(rapid.SampledFrom([]rune("ab/+.% \x00é")), 1, 6, -1)
	long := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat("x", rapid.IntRange(236, 242).Draw(t, "n")) + short.Draw(t, "rest")
	})
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 4).Draw(t, "long") == 0 {
			return long.Draw(t, "key")
		}
		return short.Draw(t, "key")
	})
}

// listed is what a whole listing consists of, in order, by S3's rules.
func listed(keys []string, q objects.Query) (entries []string) {
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if !strings.HasPrefix(key, q.Prefix) || key <= q.After {
			continue
		}
		entry := key
		if q.Delimiter != "" {
			if before, _, found := strings.Cut(key[len(q.Prefix):], q.Delimiter); found {
				entry = q.Prefix + before + q.Delimiter
			}
		}
		if entry != q.After && !slices.Contains(entries, entry) {
			entries = append(entries, entry)
		}
	}
	return entries
}

// Ensure that pages of any size, put together, are the whole listing of a model
// that has never heard of files.
func TestStore_ListIsTheModels(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		s, _ := open(t)
		keys := rapid.SliceOfN(keyGenerator(), 0, 8).Draw(rt, "keys")
		for _, key := range keys {
			if _, err := s.Write(t.Context(), "hearth", key, objects.Draft{}, strings.NewReader(key)); err != nil {
				rt.Fatal(err)
			}
		}
		beginnings := []string{""}
		for _, key := range keys {
			for i := range key {
				beginnings = append(beginnings, key[:i])
			}
		}
		fragment := rapid.OneOf(keyGenerator(), rapid.SampledFrom(append(beginnings, keys...)))
		q := objects.Query{
			Prefix:    fragment.Draw(rt, "prefix"),
			After:     fragment.Draw(rt, "after"),
			Delimiter: rapid.SampledFrom([]string{"", "/", "/", "a", "/a", "%"}).Draw(rt, "delimiter"),
			Limit:     rapid.IntRange(1, 5).Draw(rt, "limit"),
		}
		want := listed(keys, q)

		var got []string
		for {
			page, err := s.List(t.Context(), "hearth", q)
			if err != nil {
				rt.Fatal(err)
			}
			var entries []string
			for _, o := range page.Objects {
				if o.ETag != etag(o.Key) {
					rt.Fatalf("%q has the description of another object: %+v", o.Key, o)
				}
				entries = append(entries, o.Key)
			}
			entries = append(entries, page.Prefixes...)
			slices.Sort(entries)
			if len(entries) > q.Limit || len(entries) == 0 && page.Next != "" {
				rt.Fatalf("a page of %d entries, limit %d, next %q", len(entries), q.Limit, page.Next)
			}
			got = append(got, entries...)
			if page.Next == "" {
				break
			}
			q.After = page.Next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("listing (-want +got):\n%s", diff)
		}
	})
}

func TestStore_List(t *testing.T) {
	t.Run("refuses a bucket that does not exist", func(t *testing.T) {
		s, _ := open(t)
		_, err := s.List(t.Context(), "elsewhere", objects.Query{Limit: 1})
		wantKind(t, err, hearth.KindNotFound)
	})
	t.Run("a limit of nothing lists nothing", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "a", "", "")
		listing, err := s.List(t.Context(), "hearth", objects.Query{})
		if err != nil || len(listing.Objects) != 0 || listing.Next != "" {
			t.Errorf("listing %+v, %v", listing, err)
		}
	})
}

func TestBuckets(t *testing.T) {
	t.Run("are listed by name", func(t *testing.T) {
		s, dir := open(t)
		if err := s.CreateBucket(t.Context(), "a-bucket.of-mine"); err != nil {
			t.Fatal(err)
		}
		buckets, err := reopen(t, dir).Buckets(t.Context())
		if err != nil || len(buckets) != 2 || buckets[0].Name != "a-bucket.of-mine" || buckets[1].Name != "hearth" || buckets[0].CreatedAt.IsZero() {
			t.Errorf("buckets %+v, %v", buckets, err)
		}
	})
	t.Run("are made once", func(t *testing.T) {
		s, _ := open(t)
		wantKind(t, s.CreateBucket(t.Context(), "hearth"), hearth.KindExists)
	})
	for _, name := range []string{
		"", "a", "ok", "v1", "ui", "metrics", "UPPER", "a_b", "-ab", "ab-", "a..b", ".ab", "192.168.0.1", "xn--abc",
		"abc-s3alias", "abc--x-s3", strings.Repeat("a", 64), "a/b", "..", "a\nb", "äöü",
	} {
		t.Run("cannot be called "+name, func(t *testing.T) {
			s, _ := open(t)
			wantKind(t, s.CreateBucket(t.Context(), name), hearth.KindInvalid)
		})
	}
	for _, name := range []string{"abc", "1.2", "my-bucket", "a.b.c", strings.Repeat("a", 63)} {
		t.Run("can be called "+name, func(t *testing.T) {
			s, _ := open(t)
			if err := s.CreateBucket(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
}
