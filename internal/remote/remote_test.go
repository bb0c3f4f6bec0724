package remote_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/objectstest"
	"hearth/internal/remote"
	"hearth/internal/testenv"
)

// open gives a store that is the server's, as one configures it.
func open(t *testing.T, url string) *remote.Store {
	t.Helper()
	s, err := remote.New(t.Context(), remote.Config{
		Name: "lake", Endpoint: url, Region: "us-east-1", PathStyle: true, AccessKeyID: "KEY", SecretAccessKey: "SECRET",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	server := testenv.ServeS3(t)
	objectstest.Run(t, func(t *testing.T) (hearth.Objects, string) {
		bucket := "bucket-" + strings.ToLower(rand.Text())
		server.CreateBucket(t, bucket)
		return open(t, server.URL), bucket
	})
}

// A server that goes through a proxy that cuts connections in the middle of an
// object reads it to its end all the same.
func TestBrokenConnections(t *testing.T) {
	server := testenv.ServeS3(t)
	server.CreateBucket(t, "bucket")
	content := bytes.Repeat([]byte("0123456789"), 1<<20)
	direct := open(t, server.URL)
	if err := direct.Put(t.Context(), hearth.Object{URI: "s3://bucket/a"}, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	proxy := testenv.ProxyTo(t, server.URL)
	r, err := open(t, proxy.URL).Open(t.Context(), "s3://bucket/a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []byte
	piece := make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(r, piece)
		got = append(got, piece[:n]...)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		proxy.Cut()
		proxy.Restore()
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes were read, want %d", len(got), len(content))
	}

	proxy.Cut()
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(piece); hearth.KindOf(err) != hearth.KindUnavailable {
		t.Errorf("read through a cut line: %v", err)
	}
}
