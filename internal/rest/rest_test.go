package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// application is one session with one calculation, whose output the test
// writes.
type application struct {
	session hearth.Session
	events  []hearth.Event
	err     error
	output  io.ReadCloser
	written io.ReadSeeker // until now
	asked   chan int64    // offsets
	follow  bool          // whether the log was asked for with it
}

const (
	sessionID     = "7a67e5e4-0000-4000-8000-000000000001"
	calculationID = "7a67e5e4-0000-4000-8000-000000000002"
)

func (a *application) Session(_ context.Context, id string) (hearth.Session, error) {
	if id != a.session.ID {
		return hearth.Session{}, hearth.SessionNotFound(id)
	}
	return a.session, a.err
}

func (a *application) Events(context.Context, string) ([]hearth.Event, error) { return a.events, nil }

func (a *application) Log(ctx context.Context, id string, offset int64, follow bool) (io.ReadCloser, error) {
	a.follow = follow
	if id != sessionID {
		return nil, hearth.SessionNotFound(id)
	}
	return a.Output(ctx, calculationID, hearth.Stdout, offset)
}

func (a *application) Output(ctx context.Context, id string, stream hearth.Stream, offset int64) (io.ReadCloser, error) {
	if id != calculationID {
		return nil, hearth.CalculationNotFound(id)
	}
	if a.asked != nil {
		a.asked <- offset
	}
	if stream == hearth.Stderr {
		return io.NopCloser(strings.NewReader("stderr")), nil
	}
	context.AfterFunc(ctx, func() { a.output.Close() })
	return a.output, nil
}

func (a *application) Written(_ context.Context, id string, stream hearth.Stream) (io.ReadSeekCloser, error) {
	if id != calculationID || stream != hearth.Stdout {
		return nil, hearth.Errorf(hearth.KindNotFound, "Calculation %s has not begun.", id)
	}
	return unclosed{a.written}, nil
}

func (a *application) Result(_ context.Context, id string) (io.ReadSeekCloser, error) {
	if id != calculationID {
		return nil, hearth.CalculationNotFound(id)
	}
	return unclosed{strings.NewReader(`{"outputs":[]}`)}, nil
}

type unclosed struct{ io.ReadSeeker }

func (unclosed) Close() error { return nil }

func serve(t *testing.T, a *application) string {
	t.Helper()
	server := httptest.NewServer(rest.Handler(a, slog.New(slog.NewTextHandler(t.Output(), nil))))
	t.Cleanup(func() { server.Close(); http.DefaultClient.CloseIdleConnections() })
	return server.URL
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	return do(t, http.MethodGet, url)
}

func do(t *testing.T, method, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func read(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantError(t *testing.T, response *http.Response, status int, kind string) {
	t.Helper()
	body := read(t, response)
	var e struct {
		Type    string `json:"__type"`
		Message string
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if response.StatusCode != status || e.Type != kind || e.Message == "" || response.Header.Get("X-Amzn-ErrorType") != kind {
		t.Errorf("%s, %s; want %d, %s", response.Status, body, status, kind)
	}
}

func TestSession(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	a := &application{
		session: hearth.Session{
			ID: sessionID, State: hearth.SessionIdle,
			EngineConfiguration: hearth.EngineConfiguration{Memory: 3 << 30},
			Phases:              []hearth.StartPhase{{Name: "python", Took: 1500 * time.Microsecond}, {Name: "jvm", Took: time.Second}},
			Configuration:       hearth.SessionConfiguration{WorkingDirectory: "s3://hearth/" + sessionID},
			Monitoring:          &hearth.Monitoring{CloudWatch: &hearth.CloudWatchLogging{Enabled: true, Group: "group"}},
		},
		events: []hearth.Event{{At: at, SessionID: sessionID, From: "CREATED", To: "IDLE", Note: "ready"}},
	}
	url := serve(t, a)

	t.Run("tells where the time of the start went, and what happened", func(t *testing.T) {
		response := get(t, url+"/v1/sessions/"+sessionID)
		var got rest.Session
		if err := json.Unmarshal([]byte(read(t, response)), &got); err != nil {
			t.Fatal(err)
		}
		want := rest.Session{
			ID: sessionID, State: hearth.SessionIdle, Memory: 3 << 30,
			Phases: []rest.Phase{{Name: "python", Took: 1.5}, {Name: "jvm", Took: 1000}},
			Logs: rest.Logs{
				Copies: []string{"s3://hearth/" + sessionID + "/logs/SPARK_DRIVER/stderr"},
				Note: "CloudWatch is not here. What would go to its log group group is at s3://hearth/" + sessionID +
					"/logs/SPARK_DRIVER/stderr when the session has ended.",
			},
			Events: []rest.Event{{At: at, From: "CREATED", To: "IDLE", Note: "ready"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got := response.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("content type %s", got)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		wantError(t, get(t, url+"/v1/sessions/other"), http.StatusNotFound, "ResourceNotFoundException")
	})
	t.Run("an error of ours stays inside", func(t *testing.T) {
		url := serve(t, &application{session: a.session, err: errors.New("secret detail")})
		response := get(t, url+"/v1/sessions/"+sessionID)
		wantError(t, response, http.StatusInternalServerError, "InternalServerException")
	})
	for kind, want := range map[hearth.Kind]struct {
		status int
		name   string
	}{
		hearth.KindInvalid:     {http.StatusBadRequest, "InvalidRequestException"},
		hearth.KindConflict:    {http.StatusConflict, "InvalidRequestException"},
		hearth.KindDenied:      {http.StatusForbidden, "AccessDeniedException"},
		hearth.KindTooMany:     {http.StatusTooManyRequests, "TooManyRequestsException"},
		hearth.KindUnavailable: {http.StatusServiceUnavailable, "ServiceUnavailableException"},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			url := serve(t, &application{session: a.session, err: hearth.Errorf(kind, "why")})
			wantError(t, get(t, url+"/v1/sessions/"+sessionID), want.status, want.name)
		})
	}
	for _, c := range []struct{ method, path string }{
		{"GET", "/v1"},
		{"GET", "/v1/"},
		{"GET", "/v1/sessions"},
		{"GET", "/v1/calculations/x"},
		{"POST", "/v1/sessions/" + sessionID},
		{"DELETE", "/v1/sessions/" + sessionID},
		{"GET", "/v1/calculations/" + calculationID + "/results"},
	} {
		t.Run("nothing at "+c.method+" "+c.path, func(t *testing.T) {
			wantError(t, do(t, c.method, url+c.path), http.StatusNotFound, "ResourceNotFoundException")
		})
	}
}

func TestOutput(t *testing.T) {
	address := "/v1/calculations/" + calculationID + "/"

	t.Run("arrives as it is written, and ends when it ends", func(t *testing.T) {
		output, code := io.Pipe()
		response := get(t, serve(t, &application{output: output})+address+"stdout")
		for _, chunk := range []string{"first\n", "\x00\xff", "last"} {
			if _, err := io.WriteString(code, chunk); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(chunk))
			if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != chunk {
				t.Fatalf("%q, %v, want %q", got, err, chunk)
			}
		}
		code.Close()
		if rest := read(t, response); rest != "" {
			t.Errorf("after the end: %q", rest)
		}
	})
	t.Run("of the other stream", func(t *testing.T) {
		if got := read(t, get(t, serve(t, &application{})+address+"stderr")); got != "stderr" {
			t.Errorf("%q", got)
		}
	})
	t.Run("from an offset on", func(t *testing.T) {
		a := &application{asked: make(chan int64, 1)}
		read(t, get(t, serve(t, a)+address+"stderr?offset=42"))
		if offset := <-a.asked; offset != 42 {
			t.Errorf("offset %d", offset)
		}
	})
	t.Run("that breaks does not look whole", func(t *testing.T) {
		output, code := io.Pipe()
		response := get(t, serve(t, &application{output: output})+address+"stdout")
		code.CloseWithError(errors.New("disk failure"))
		if body, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("it ended well: %q", body)
		}
	})
	t.Run("is closed when nobody reads it", func(t *testing.T) {
		output, code := io.Pipe()
		response := get(t, serve(t, &application{output: output})+address+"stdout")
		response.Body.Close()
		for {
			if _, err := io.WriteString(code, "more"); errors.Is(err, io.ErrClosedPipe) {
				return
			}
		}
	})
	t.Run("is not waited for by HEAD", func(t *testing.T) {
		output, _ := io.Pipe()
		response := do(t, http.MethodHead, serve(t, &application{output: output})+address+"stdout")
		if response.StatusCode != http.StatusOK {
			t.Error(response.Status)
		}
	})
	t.Run("of an unknown calculation", func(t *testing.T) {
		wantError(t, get(t, serve(t, &application{})+"/v1/calculations/other/stdout"), http.StatusNotFound, "ResourceNotFoundException")
	})
	for _, offset := range []string{"-1", "many", "1.5", "99999999999999999999"} {
		t.Run("refuses offset "+offset, func(t *testing.T) {
			wantError(t, get(t, serve(t, &application{})+address+"stdout?offset="+offset), http.StatusBadRequest, "InvalidRequestException")
		})
	}
}

func TestWritten(t *testing.T) {
	url := serve(t, &application{written: strings.NewReader("0123456789")}) + "/v1/calculations/"
	stdout := url + calculationID + "/stdout?follow=false"

	t.Run("is what there is now", func(t *testing.T) {
		response := get(t, stdout)
		if got := read(t, response); got != "0123456789" || response.ContentLength != 10 {
			t.Errorf("%q, %d", got, response.ContentLength)
		}
	})
	for part, want := range map[string]string{"bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89"} {
		t.Run(part, func(t *testing.T) {
			response := ranged(t, stdout, part)
			if got := read(t, response); got != want || response.StatusCode != http.StatusPartialContent {
				t.Errorf("%s %q, want %q", response.Status, got, want)
			}
		})
	}
	t.Run("has nothing behind its end", func(t *testing.T) {
		if response := ranged(t, stdout, "bytes=10-"); response.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Error(response.Status)
		}
	})
	t.Run("that breaks does not look whole", func(t *testing.T) {
		broken := &breaking{strings.NewReader("0123456789")}
		response, err := http.Get(serve(t, &application{written: broken}) + "/v1/calculations/" + calculationID + "/stdout?follow=false")
		if err != nil {
			return // nothing of it had come yet
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("it ended well: %q", body)
		}
	})
	t.Run("of a calculation that has not begun", func(t *testing.T) {
		wantError(t, get(t, url+calculationID+"/stderr?follow=false"), http.StatusNotFound, "ResourceNotFoundException")
	})
	t.Run("refuses another follow", func(t *testing.T) {
		wantError(t, get(t, url+calculationID+"/stdout?follow=no"), http.StatusBadRequest, "InvalidRequestException")
	})

	t.Run("the result document", func(t *testing.T) {
		response := get(t, url+calculationID+"/result")
		if got := read(t, response); got != `{"outputs":[]}` || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%q, %q", got, response.Header)
		}
		wantError(t, get(t, url+"other/result"), http.StatusNotFound, "ResourceNotFoundException")
	})
}

func ranged(t *testing.T, url, part string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", part)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// breaking gives half of what it has.
type breaking struct{ *strings.Reader }

func (b *breaking) Read(p []byte) (int, error) {
	if b.Len() <= 5 {
		return 0, errors.New("disk failure")
	}
	return b.Reader.Read(p[:min(len(p), 5)])
}

// WriteTo would go around Read.
func (*breaking) WriteTo(io.Writer) (int64, error) { return 0, errors.New("disk failure") }

func TestLog(t *testing.T) {
	address := "/v1/sessions/" + sessionID + "/log"

	t.Run("arrives as it is written, and ends when it ends", func(t *testing.T) {
		log, driver := io.Pipe()
		response := get(t, serve(t, &application{output: log})+address+"?follow=true")
		for _, line := range []string{"first\n", "last\n"} {
			if _, err := io.WriteString(driver, line); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(line))
			if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != line {
				t.Fatalf("%q, %v, want %q", got, err, line)
			}
		}
		driver.Close()
		if rest := read(t, response); rest != "" {
			t.Errorf("after the end: %q", rest)
		}
	})
	for _, c := range []struct {
		method, query string
		offset        int64
		follow        bool
	}{
		{"GET", "", 0, false},
		{"GET", "?follow=false", 0, false},
		{"GET", "?offset=42&follow=true", 42, true},
		{"HEAD", "?follow=true", 0, false}, // nothing to wait for
	} {
		t.Run("asked for by "+c.method+" "+c.query, func(t *testing.T) {
			a := &application{asked: make(chan int64, 1), output: io.NopCloser(strings.NewReader("log"))}
			read(t, do(t, c.method, serve(t, a)+address+c.query))
			if offset := <-a.asked; offset != c.offset || a.follow != c.follow {
				t.Errorf("offset %d, follow %v", offset, a.follow)
			}
		})
	}
	t.Run("of an unknown session", func(t *testing.T) {
		wantError(t, get(t, serve(t, &application{})+"/v1/sessions/other/log"), http.StatusNotFound, "ResourceNotFoundException")
	})
	for _, query := range []string{"offset=-1", "follow=yes", "follow=1"} {
		t.Run("refuses "+query, func(t *testing.T) {
			wantError(t, get(t, serve(t, &application{})+address+"?"+query), http.StatusBadRequest, "InvalidRequestException")
		})
	}
}
