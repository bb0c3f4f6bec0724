package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"hearth/internal/config"
	"hearth/internal/httpd"
)

func TestFindServer(t *testing.T) {
	const identity = "the server"
	serveOK := func(t *testing.T, status int, text string) string {
		return serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(httpd.IdentityHeader, identity)
			w.WriteHeader(status)
			io.WriteString(w, text)
		}).URL
	}
	for _, test := range []struct {
		name    string
		record  func(t *testing.T) serverRecord
		waiting string
		none    bool
	}{
		{"a server that is ready", func(t *testing.T) serverRecord {
			return serverRecord{Address: serveOK(t, http.StatusOK, "ok\n"), Identity: identity}
		}, "", false},
		{"a server that is not ready says why", func(t *testing.T) serverRecord {
			return serverRecord{Address: serveOK(t, http.StatusServiceUnavailable, "Spark is being installed\n"), Identity: identity}
		}, "Spark is being installed", false},
		{"another server at its address", func(t *testing.T) serverRecord {
			return serverRecord{Address: serveOK(t, http.StatusOK, "ok\n"), Identity: "another"}
		}, "", true},
		{"nobody at its address", func(*testing.T) serverRecord {
			return serverRecord{Address: "http://127.0.0.1:1", Identity: identity}
		}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := home(t.TempDir())
			want := test.record(t)
			if err := want.write(at); err != nil {
				t.Fatal(err)
			}
			found, waiting, err := findServer(t.Context(), at)
			if found != want || waiting != test.waiting || errors.Is(err, errNoServer) != test.none || (err != nil) != test.none {
				t.Errorf("%+v, %q, %v", found, waiting, err)
			}
		})
	}
	t.Run("no record", func(t *testing.T) {
		if _, _, err := findServer(t.Context(), home(t.TempDir())); !errors.Is(err, errNoServer) {
			t.Error(err)
		}
	})
	t.Run("a record that is broken is none", func(t *testing.T) {
		at := home(t.TempDir())
		if err := os.WriteFile(at.recordFile(), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := findServer(t.Context(), at); !errors.Is(err, errNoServer) {
			t.Error(err)
		}
	})
}

func TestLockData(t *testing.T) {
	t.Run("one at a time, and the other learns who", func(t *testing.T) {
		at := home(t.TempDir())
		first, err := lockData(at, "hearth serve")
		if err != nil {
			t.Fatal(err)
		}
		_, err = lockData(at, "hearth run")
		held, ok := errors.AsType[heldError](err)
		if !ok || held.dir != string(at) || held.holder != "hearth serve (process "+strconv.Itoa(os.Getpid())+")" {
			t.Error(err)
		}
		_, err = locateServer(t.Context(), at)
		if err == nil || !strings.Contains(err.Error(), held.holder+" has "+string(at)+" and does not answer") {
			t.Errorf("whoever looks for it is told %v", err)
		}
		d := doctor{settings: config.Config{Data: string(at)}, at: at}
		d.server(t.Context())
		if len(d.findings) == 0 || d.findings[0].Status != broken || !strings.Contains(d.findings[0].Found, "does not answer") {
			t.Errorf("the doctor finds %v", d.findings)
		}
		first.release()
		if holder := lockHolder(at); holder != "" {
			t.Errorf("%s has it yet", holder)
		}
		second, err := lockData(at, "hearth run")
		if err != nil {
			t.Fatal(err)
		}
		second.release()
	})
}
