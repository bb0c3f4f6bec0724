package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/bench"
	"hearth/internal/config"
	"hearth/internal/sigv4"
)

// polled is a server with a live session on record.
type polled struct {
	*server
	session hearth.Session
}

// pollable serves with sessions on record, all but the last of them ended.
func pollable(t testing.TB, sessions int) polled {
	t.Helper()
	settings := config.Default()
	settings.Data, settings.Engines, settings.Listen = t.TempDir(), t.TempDir(), "127.0.0.1:0"
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(settings, serverOptions{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := s.ensureWorkGroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	session := hearth.Session{
		ID: hearth.NewID(now), WorkGroup: hearth.WorkGroupPrimary, Owner: s.keys.Root().AccessKeyID, State: hearth.SessionTerminated,
		Engine:    hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3},
		StartedAt: now, ModifiedAt: now, EndedAt: now,
	}
	add := func() {
		if _, _, err := s.store.CreateSession(t.Context(), session, hearth.Quotas{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	add()
	if sessions > 2 {
		multiply(t, s.at.storeFile(), sessions-2)
	}
	session.ID, session.State, session.EndedAt, session.IdleSince = hearth.NewID(now), hearth.SessionIdle, time.Time{}, now
	add()
	s.waiting.Store(nil)
	s.serving.Go(func() { s.http.Serve() })
	return polled{s, session}
}

// multiply adds copies of the first session to a database.
func multiply(t testing.TB, path string, copies int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var columns string
	if err := db.QueryRow("SELECT group_concat(name) FROM pragma_table_info('sessions') WHERE name NOT IN ('number', 'id')").Scan(&columns); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)
		INSERT INTO sessions (id, `+columns+`) SELECT lower(hex(randomblob(16))), `+columns+` FROM copies, sessions WHERE number = 1`, copies); err != nil {
		t.Fatal(err)
	}
}

// poll is the bytes of a signed request for the session's status.
func (p polled) poll(t testing.TB) []byte {
	t.Helper()
	body := []byte(`{"SessionId": "` + p.session.ID + `"}`)
	r, err := http.NewRequest(http.MethodPost, p.http.URL()+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonAthena.GetSessionStatus")
	r.Header.Set("User-Agent", "Boto3/1.40.52 md/Botocore#1.40.52 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.7")
	root := p.keys.Root()
	sigv4.Sign(r, body, sigv4.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}, p.settings.Region, "athena", time.Now())
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wire is a connection that sends the same request again and again, with as
// little work as can be.
type wire struct {
	net.Conn
	in      *bufio.Reader
	request []byte
}

func connectTo(t testing.TB, url string, request []byte) *wire {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return &wire{c, bufio.NewReader(c), request}
}

// ask gives the status line of the answer, and passes over the rest of it.
func (w *wire) ask() (status int, err error) {
	if _, err := w.Write(w.request); err != nil {
		return 0, err
	}
	for length := 0; ; {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = line[:len(line)-2]
		switch {
		case status == 0:
			status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
		case len(line) == 0:
			_, err := w.in.Discard(length)
			return status, err
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			for _, digit := range line[len("Content-Length: "):] {
				length = length*10 + int(digit-'0')
			}
		}
	}
}

// BenchmarkGetSessionStatus asks the whole server, over connections, for a
// session's status, and beside it a bare handler of net/http. The figures are wall
// time and processor time per answer; both have the client in them, which
// allocates nothing.
func BenchmarkGetSessionStatus(b *testing.B) {
	server, bare := pollable(b, 10), httptest.NewServer(bench.Bare)
	defer bare.Close()
	request := server.poll(b)
	for _, connections := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("connections=%d/of=bare", connections), func(b *testing.B) { poll(b, bare.URL, request, connections) })
		b.Run(fmt.Sprintf("connections=%d/of=hearth", connections), func(b *testing.B) { poll(b, server.http.URL(), request, connections) })
	}
}

func BenchmarkGetSessionStatus_OnRecord(b *testing.B) {
	for _, sessions := range []int{10, 1_000, 100_000} {
		server := pollable(b, sessions)
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) { poll(b, server.http.URL(), server.poll(b), 8) })
	}
}

func poll(b *testing.B, url string, request []byte, connections int) {
	wires := make([]*wire, connections)
	for i := range wires {
		wires[i] = connectTo(b, url, request)
		defer wires[i].Close()
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	var asked atomic.Int64
	var asking sync.WaitGroup
	for _, w := range wires {
		asking.Go(func() {
			for asked.Add(1) <= int64(b.N) {
				if status, err := w.ask(); status != http.StatusOK || err != nil {
					b.Errorf("status %d, %v", status, err)
					return
				}
			}
		})
	}
	asking.Wait()
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used of it.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// What a poll makes anew is bounded. A bare handler of net/http makes 41.
func TestGetSessionStatus_Allocations(t *testing.T) {
	server := pollable(t, 2)
	w := connectTo(t, server.http.URL(), server.poll(t))
	defer w.Close()
	const most = 60
	allocations := testing.AllocsPerRun(500, func() {
		if status, err := w.ask(); status != http.StatusOK || err != nil {
			t.Fatalf("status %d, %v", status, err)
		}
	})
	if allocations > most {
		t.Errorf("a poll makes %v allocations, more than %d", allocations, most)
	}
}
