// Package objectstest says in tests what hearth.Objects have to do. Every store
// of objects passes the same suite: a rule that changes is changed here first.
package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"hearth"
)

// Run tests a store. open gives one with a bucket that has nothing in it; the
// bucket no-such-bucket has to be in none.
func Run(t *testing.T, open func(t *testing.T) (store hearth.Objects, bucket string)) {
	for name, test := range map[string]func(*testing.T, bucket){
		"Put":        put,
		"Place":      place,
		"Failing":    failing,
		"Check":      check,
		"Absent":     absent,
		"URIs":       uris,
		"Encryption": encryption,
		"Seek":       seek,
		"Replaced":   replaced,
		"Writers":    writers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, name := open(t)
			test(t, bucket{t, store, name})
		})
	}
}

// large is more than any store takes in one piece.
const large = 17<<20 + 5

// bucket is where a test puts its objects.
type bucket struct {
	t     *testing.T
	store hearth.Objects
	name  string
}

func (b bucket) uri(key string) string { return "s3://" + b.name + "/" + key }

func (b bucket) put(key string, content []byte) {
	b.t.Helper()
	if err := b.store.Put(b.t.Context(), hearth.Object{URI: b.uri(key), ContentType: "text/plain"}, bytes.NewReader(content)); err != nil {
		b.t.Fatal(err)
	}
}

func (b bucket) open(key string) io.ReadSeekCloser {
	b.t.Helper()
	r, err := b.store.Open(b.t.Context(), b.uri(key))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { r.Close() })
	return r
}

func (b bucket) has(key string, want []byte) {
	b.t.Helper()
	got, err := io.ReadAll(b.open(key))
	if err != nil || !bytes.Equal(got, want) {
		b.t.Errorf("%s has %d bytes, %v; want %d", b.uri(key), len(got), err, len(want))
	}
}

func (b bucket) lacks(key string) {
	b.t.Helper()
	_, err := b.store.Open(b.t.Context(), b.uri(key))
	refused(b.t, err, hearth.KindNotFound)
}

func refused(t *testing.T, err error, want hearth.Kind) {
	t.Helper()
	if err == nil || hearth.KindOf(err) != want {
		t.Errorf("error %v; want one of kind %s", err, want)
	}
}

// text is content of a length, another one for each seed.
func text(seed uint64, length int) []byte {
	content := make([]byte, length)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(content)
	return content
}

func put(t *testing.T, b bucket) {
	for _, length := range []int{0, 1, 1 << 20, 8 << 20, 8<<20 + 1, large} {
		content := text(1, length)
		key := fmt.Sprintf("session/calculation/%d", length)
		b.put(key, content)
		b.has(key, content)
	}
	b.put("again", text(1, 100))
	b.put("again", text(2, 10))
	b.has("again", text(2, 10))
}

// place places objects, and syncs and releases them as they are used meanwhile.
func place(t *testing.T, b bucket) {
	placed := func(o hearth.Object, content []byte) []hearth.Unsynced {
		t.Helper()
		u, err := b.store.Place(t.Context(), o, content)
		if err != nil {
			t.Fatal(err)
		}
		if u.ID == "" {
			return nil // it needs no Sync
		}
		if u.URI != o.URI {
			t.Errorf("%s was placed as %s", o.URI, u.URI)
		}
		return []hearth.Unsynced{u}
	}
	settle := func(all []hearth.Unsynced) {
		t.Helper()
		if err := b.store.Sync(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		b.store.Release(all)
	}

	var all []hearth.Unsynced
	for length := range 3 {
		for _, e := range []*hearth.Encryption{nil, {Option: hearth.SSES3}} {
			key := fmt.Sprintf("session/calculation/%d/%t", length, e != nil)
			all = append(all, placed(hearth.Object{URI: b.uri(key), ContentType: "text/plain", Encryption: e}, text(1, length*1000))...)
			b.has(key, text(1, length*1000))
		}
	}
	settle(all)
	for length := range 3 {
		for _, encrypted := range []bool{false, true} {
			key := fmt.Sprintf("session/calculation/%d/%t", length, encrypted)
			b.has(key, text(1, length*1000))
			b.put(key, text(2, 10))
			b.has(key, text(2, 10))
		}
	}

	twice := hearth.Object{URI: b.uri("twice")}
	first := placed(twice, text(1, 100))
	second := placed(twice, text(2, 10))
	settle(first)
	b.has("twice", text(2, 10))
	settle(second)
	b.put("twice", text(3, 10))
	b.has("twice", text(3, 10))

	for _, o := range []hearth.Object{
		{URI: "s3://no-such-bucket/a"}, {URI: "a"}, {URI: b.uri("")}, {URI: b.uri("a"), Encryption: &hearth.Encryption{Option: hearth.CSEKMS, KMSKey: "alias/k"}},
	} {
		_, err := b.store.Place(t.Context(), o, text(1, 10))
		if kind := hearth.KindOf(err); kind != hearth.KindInvalid && kind != hearth.KindNotFound {
			t.Errorf("%+v was placed: %v", o, err)
		}
	}
	b.lacks("a")
}

// failing puts content that cannot be read to its end: what was there stays.
func failing(t *testing.T, b bucket) {
	broken := errors.New("the driver is gone")
	for _, before := range []int{0, 100, large} {
		for _, key := range []string{"new", "old"} {
			if key == "old" {
				b.put(key, []byte("as it was"))
			}
			content := io.MultiReader(bytes.NewReader(text(1, before)), iotest.ErrReader(broken))
			err := b.store.Put(t.Context(), hearth.Object{URI: b.uri(key)}, content)
			if !errors.Is(err, broken) {
				t.Errorf("after %d bytes: %v; want the content's error", before, err)
			}

			ctx, cancel := context.WithCancel(t.Context())
			content = io.MultiReader(bytes.NewReader(text(1, before)), canceling{cancel}, bytes.NewReader(text(2, large)))
			if err := b.store.Put(ctx, hearth.Object{URI: b.uri(key)}, content); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled after %d bytes: %v", before, err)
			}
		}
		b.lacks("new")
		b.has("old", []byte("as it was"))
	}
}

// canceling ends a context when it is read.
type canceling struct{ cancel context.CancelFunc }

func (c canceling) Read([]byte) (int, error) {
	c.cancel()
	return 0, io.EOF
}

func check(t *testing.T, b bucket) {
	for _, e := range []*hearth.Encryption{nil, {Option: hearth.SSES3}} {
		if err := b.store.Check(t.Context(), hearth.Object{URI: b.uri("checked"), Encryption: e}); err != nil {
			t.Errorf("with the encryption %v: %v", e, err)
		}
	}
	b.lacks("checked")
}

func absent(t *testing.T, b bucket) {
	b.put("a", []byte("content"))
	for _, key := range []string{"b", "a/", "a/b", "A"} {
		b.lacks(key)
	}
	nowhere := hearth.Object{URI: "s3://no-such-bucket/a"}
	_, err := b.store.Open(t.Context(), nowhere.URI)
	refused(t, err, hearth.KindNotFound)
	refused(t, b.store.Check(t.Context(), nowhere), hearth.KindNotFound)
	for _, length := range []int{0, large} {
		refused(t, b.store.Put(t.Context(), nowhere, bytes.NewReader(text(1, length))), hearth.KindNotFound)
	}
}

func uris(t *testing.T, b bucket) {
	for _, uri := range []string{
		"", "a", "http://" + b.name + "/a", "s3:/" + b.name + "/a", "s3://", "s3:///a", "s3://" + b.name, b.uri(""),
		b.uri("\xff"), b.uri(strings.Repeat("k", 1025)),
	} {
		refused(t, b.store.Check(t.Context(), hearth.Object{URI: uri}), hearth.KindInvalid)
		refused(t, b.store.Put(t.Context(), hearth.Object{URI: uri}, strings.NewReader("x")), hearth.KindInvalid)
		_, err := b.store.Open(t.Context(), uri)
		refused(t, err, hearth.KindInvalid)
	}
	keys := []string{"a b", "a+b", "a%2Fb", "ä/日本", "a?b=c&d#e", "..a/b..", strings.Repeat("k", 200) + "/" + strings.Repeat("k", 200)}
	for i, key := range keys {
		b.put(key, text(uint64(i), 10))
	}
	for i, key := range keys {
		b.has(key, text(uint64(i), 10))
	}
}

func encryption(t *testing.T, b bucket) {
	for _, length := range []int{0, 10, large} {
		o := hearth.Object{URI: b.uri("encrypted"), Encryption: &hearth.Encryption{Option: hearth.SSES3}}
		if err := b.store.Put(t.Context(), o, bytes.NewReader(text(1, length))); err != nil {
			t.Fatal(err)
		}
		b.has("encrypted", text(1, length))
	}
	for _, e := range []*hearth.Encryption{{Option: hearth.CSEKMS, KMSKey: "alias/k"}, {Option: hearth.SSEKMS}, {Option: hearth.SSES3, KMSKey: "alias/k"}} {
		o := hearth.Object{URI: b.uri("never"), Encryption: e}
		refused(t, b.store.Check(t.Context(), o), hearth.KindInvalid)
		refused(t, b.store.Put(t.Context(), o, strings.NewReader("x")), hearth.KindInvalid)
	}
	b.lacks("never")
}

func seek(t *testing.T, b bucket) {
	content := text(1, 200_000)
	b.put("a", content)
	rapid.Check(t, func(t *rapid.T) {
		r, want := b.open("a"), bytes.NewReader(content)
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			offset := rapid.Int64Range(-300_000, 300_000).Draw(t, "offset")
			whence := rapid.SampledFrom([]int{io.SeekStart, io.SeekCurrent, io.SeekEnd}).Draw(t, "whence")
			wantAt, wantErr := want.Seek(offset, whence)
			if at, err := r.Seek(offset, whence); (err == nil) != (wantErr == nil) || err == nil && at != wantAt {
				t.Fatalf("Seek is at %d, %v; want %d, %v", at, err, wantAt, wantErr)
			}
			length := rapid.IntRange(0, 50_000).Draw(t, "length")
			got, wanted := make([]byte, length), make([]byte, length)
			n, err := io.ReadFull(r, got)
			wantN, wantErr := io.ReadFull(want, wanted)
			if n != wantN || err != wantErr || !bytes.Equal(got, wanted) {
				t.Fatalf("read %d bytes, %v; want %d, %v", n, err, wantN, wantErr)
			}
		}
	})
}

// replaced reads an object while another takes its place: it gets the first to
// its end, or an error.
func replaced(t *testing.T, b bucket) {
	first := text(1, large)
	b.put("a", first)
	r := b.open("a")
	begin := make([]byte, 1000)
	if _, err := io.ReadFull(r, begin); err != nil {
		t.Fatal(err)
	}
	b.put("a", text(2, large))
	for _, offset := range []int64{1000, large - 1000} {
		if _, err := r.Seek(offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil {
			refused(t, err, hearth.KindUnavailable)
		} else if len(got) != large-int(offset) {
			t.Errorf("%d bytes were read without an error", len(got))
		}
		if !bytes.Equal(got, first[offset:][:len(got)]) {
			t.Error("other bytes were read")
		}
	}
}

func writers(t *testing.T, b bucket) {
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			if err := b.store.Put(t.Context(), hearth.Object{URI: b.uri("a")}, bytes.NewReader(text(seed, 9<<20))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := io.ReadAll(b.open("a"))
	for seed := range uint64(4) {
		if bytes.Equal(got, text(seed, 9<<20)) {
			return
		}
	}
	t.Errorf("%d bytes of several writers, %v", len(got), err)
}
