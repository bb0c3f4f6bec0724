package spark

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
)

// index is a package index with one package, tiny, that is two megabytes large.
type index struct {
	*httptest.Server
	wheel   []byte
	payload []byte

	mu      sync.Mutex
	sum     string // as announced
	breaks  int    // how many downloads break off in the middle
	ranges  []string
	begun   func() // called when a download is half done
	fetched int    // downloads that were begun
}

const tinyWheel = "tiny-1.0-py3-none-any.whl"

func newIndex(t testing.TB) *index {
	t.Helper()
	x := &index{payload: make([]byte, 2<<20), begun: func() {}}
	random := rand.NewChaCha8([32]byte{})
	random.Read(x.payload) //nolint:errcheck // never fails

	var file bytes.Buffer
	z := zip.NewWriter(&file)
	for name, content := range map[string]string{
		"tiny/payload":                string(x.payload),
		"tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
		"tiny-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"tiny-1.0.dist-info/RECORD":   "tiny/payload,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\ntiny-1.0.dist-info/RECORD,,\n",
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	x.wheel = file.Bytes()
	x.announce(x.trueSum())

	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/tiny/", func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		defer x.mu.Unlock()
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="/files/%s#sha256=%s">%[1]s</a>`, tinyWheel, x.sum)
	})
	mux.HandleFunc("GET /files/"+tinyWheel, x.file)
	x.Server = httptest.NewServer(mux)
	t.Cleanup(x.Close)
	return x
}

func (x *index) announce(sum string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sum = sum
}

func (x *index) trueSum() string {
	sum := sha256.Sum256(x.wheel)
	return hex.EncodeToString(sum[:])
}

func (x *index) file(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	x.fetched++
	x.ranges = append(x.ranges, r.Header.Get("Range"))
	breaks := x.breaks > 0
	x.breaks--
	x.mu.Unlock()
	w.Header().Set("ETag", `"tiny"`)
	w.Header().Set("Cache-Control", "max-age=365000000, immutable, public") // as package indexes say
	if !breaks {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(x.wheel))
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(x.wheel)))
	w.Write(x.wheel[:len(x.wheel)/2]) //nolint:errcheck // the client may be gone
	w.(http.Flusher).Flush()
	x.begun()
	panic(http.ErrAbortHandler)
}

// client is the engine's pip, installing from the index into a folder.
type client struct {
	pip
	into string
}

func (x *index) client(t testing.TB) *client {
	t.Helper()
	for _, variable := range []string{"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(variable, "")
		os.Unsetenv(variable)
	}
	t.Setenv("PIP_TRUSTED_HOST", strings.TrimPrefix(x.URL, "http://")) // or pip would not cache what comes without TLS
	dir := t.TempDir()
	return &client{
		pip: pip{
			python: realEngine(t).Python.Program,
			index:  x.URL + "/simple/",
			cache:  filepath.Join(dir, "cache"),
			temp:   filepath.Join(dir, "temporary"),
			tell:   func(string, int64, int64) {},
		},
		into: filepath.Join(dir, "into"),
	}
}

func (c *client) get(ctx context.Context, requirement string) error {
	return c.install(ctx, "--target", c.into, requirement)
}

func (c *client) check(t testing.TB, x *index) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(c.into, "tiny", "payload"))
	if err != nil || !bytes.Equal(got, x.payload) {
		t.Errorf("what came is not what was sent: %v", err)
	}
}

func TestPip(t *testing.T) {
	t.Run("tells the bytes of a file", func(t *testing.T) {
		x := newIndex(t)
		c := x.client(t)
		var last int64
		c.tell = func(doing string, done, total int64) {
			if total == 0 {
				return
			}
			if doing != "tiny 1.0" || done < last || total != int64(len(x.wheel)) {
				t.Errorf("%s: %d of %d after %d", doing, done, total, last)
			}
			last = done
		}
		if err := c.get(t.Context(), "tiny"); err != nil {
			t.Fatal(err)
		}
		c.check(t, x)
		if last != int64(len(x.wheel)) {
			t.Errorf("the last report was of %d bytes of %d", last, len(x.wheel))
		}
	})

	t.Run("resumes a download that broke off", func(t *testing.T) {
		x := newIndex(t)
		x.breaks = 1
		c := x.client(t)
		if err := c.get(t.Context(), "tiny"); err != nil {
			t.Fatal(err)
		}
		c.check(t, x)
		if len(x.ranges) != 2 || !strings.HasPrefix(x.ranges[1], "bytes=") || x.ranges[1] == "bytes=0-" {
			t.Errorf("asked for the ranges %q", x.ranges)
		}
	})

	t.Run("does not load again what came completely", func(t *testing.T) {
		x := newIndex(t)
		c := x.client(t)
		if err := c.get(t.Context(), "tiny"); err != nil {
			t.Fatal(err)
		}
		c.into += "2"
		if err := c.get(t.Context(), "tiny"); err != nil {
			t.Fatal(err)
		}
		c.check(t, x)
		if x.fetched != 1 {
			t.Errorf("the file was loaded %d times", x.fetched)
		}
	})

	t.Run("refuses a wrong checksum, and does not keep the file", func(t *testing.T) {
		x := newIndex(t)
		x.announce(strings.Repeat("0", 64))
		c := x.client(t)
		err := c.get(t.Context(), "tiny")
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "came with another checksum") {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(c.into, "tiny")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it was installed: %v", err)
		}
		x.announce(x.trueSum())
		if err := c.get(t.Context(), "tiny"); err != nil {
			t.Fatal(err)
		}
		c.check(t, x)
		if x.fetched != 2 {
			t.Errorf("the file was loaded %d times", x.fetched)
		}
	})

	t.Run("says what to do when nobody answers", func(t *testing.T) {
		x := newIndex(t)
		x.Close()
		err := x.client(t).get(t.Context(), "tiny")
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "Check the network") || !strings.Contains(err.Error(), "PIP_INDEX_URL") {
			t.Error(err)
		}
	})

	t.Run("says what to do when the index lacks a package", func(t *testing.T) {
		err := newIndex(t).client(t).get(t.Context(), "tiny>1.0")
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(err.Error(), "does not have it") || !strings.Contains(err.Error(), "tiny>1.0") {
			t.Error(err)
		}
	})

	t.Run("stops when it is told to", func(t *testing.T) {
		x := newIndex(t)
		ctx, stop := context.WithCancel(t.Context())
		x.breaks, x.begun = 1, stop
		if err := x.client(t).get(ctx, "tiny"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
