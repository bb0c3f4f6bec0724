package spark

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth"
)

// anEventLog is what Spark writes of a driver that did nothing.
const anEventLog = `{"Event":"SparkListenerLogStart","Spark Version":"3.5.7"}
{"Event":"SparkListenerApplicationStart","App Name":"hearth-one","App ID":"local-1","Timestamp":1763800000000,"User":"somebody"}
{"Event":"SparkListenerEnvironmentUpdate","JVM Information":{},"Spark Properties":{},"Hadoop Properties":{},"System Properties":{},"Metrics Properties":{},"Classpath Entries":{}}
{"Event":"SparkListenerApplicationEnd","Timestamp":1763800009000}
`

// TestEngine_History runs Spark's own history servers.
func TestEngine_History(t *testing.T) {
	for _, version := range Versions() {
		t.Run(version, func(t *testing.T) { historyOf(t, realEngineOf(t, version)) })
	}
}

func historyOf(t *testing.T, engine *Engine) {
	events := filepath.Join(t.TempDir(), "event logs")
	if err := errors.Join(os.Mkdir(events, 0o700), os.WriteFile(filepath.Join(events, "local-1"), []byte(anEventLog), 0o600)); err != nil {
		t.Fatal(err)
	}
	server, err := engine.History(events)
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = t.Output()
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill() }) // if it goes on
	const secret = "only Hearth knows"
	io.WriteString(input, secret+"\n")
	said := bufio.NewReader(output)
	address, err := said.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	get := func(t *testing.T, path, secret string) (status int, to, page string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+strings.TrimSpace(address)+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(hearth.PageSecretHeader, secret)
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, to, _ = strings.Cut(answer.Header.Get("Location"), strings.TrimSpace(address))
		return answer.StatusCode, to, string(text)
	}

	t.Run("listens on the loopback address", func(t *testing.T) {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			t.Error(address)
		}
	})
	t.Run("answers nobody without its secret", func(t *testing.T) {
		for _, shown := range []string{"", "guess", secret + "x"} {
			for _, path := range []string{"/", "/history/local-1/jobs/", "/static/webui.js", "/api/v1/applications", "/nothing"} {
				if status, _, page := get(t, path, shown); status != http.StatusForbidden {
					t.Errorf("%s with %q is %d: %.200s", path, shown, status, page)
				}
			}
		}
	})
	for path, want := range map[string]string{
		"/":                         "/history/local-1/jobs/",
		"/jobs/":                    "/history/local-1/jobs/",
		"/stages/stage/?id=0&a=%2F": "/history/local-1/stages/stage/?id=0&a=%2F",
	} {
		t.Run("leads from where "+path+" was to its history", func(t *testing.T) {
			if status, to, _ := get(t, path, secret); status != http.StatusFound || to != want {
				t.Errorf("%d to %s", status, to)
			}
		})
	}
	t.Run("shows what the event log tells", func(t *testing.T) {
		if status, _, page := get(t, "/api/v1/applications/local-1", secret); status != http.StatusOK || !strings.Contains(page, "hearth-one") {
			t.Errorf("%d %s", status, page)
		}
	})
	t.Run("has no secret among its arguments and in its environment", func(t *testing.T) {
		if all := strings.Join(append(server.Args, server.Env...), " "); strings.Contains(all, secret) {
			t.Error(all)
		}
	})
	t.Run("ends with its input", func(t *testing.T) {
		input.Close()
		if rest, err := io.ReadAll(said); err != nil || len(rest) > 0 {
			t.Errorf("it says %q, %v", rest, err)
		}
		if err := server.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestEngine_History_Refused(t *testing.T) {
	engine := pretended(t) // whose jars are not ours
	if _, err := engine.History(t.TempDir()); hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), "hearth engines install") {
		t.Errorf("error %v", err)
	}
}
