package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// hearth connect gives what Spark Connect clients take, whatever the port is.
func TestConnectCommand(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://127.0.0.1":      "sc://127.0.0.1:443/;use_ssl=true;x-aws-proxy-auth=t_-0",
		"https://127.0.0.1:8651": "sc://127.0.0.1:8651/;use_ssl=true;x-aws-proxy-auth=t_-0",
		"https://[::1]":          "sc://[::1]:443/;use_ssl=true;x-aws-proxy-auth=t_-0",
		"https://spark.example":  "sc://spark.example:443/;use_ssl=true;x-aws-proxy-auth=t_-0",
	} {
		t.Run(endpoint, func(t *testing.T) {
			server := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.Header.Get("X-Amz-Target") != "AmazonAthena.GetSessionEndpoint" || !strings.Contains(string(body), `"SessionId":"a"`) {
					t.Errorf("asked %s %s", r.Header.Get("X-Amz-Target"), body)
				}
				fmt.Fprintf(w, `{"EndpointUrl": %q, "AuthToken": "t_-0", "AuthTokenExpirationTime": 1760055300.5}`, endpoint)
			})
			run := func(args ...string) (string, string) {
				t.Helper()
				var out, said bytes.Buffer
				m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &said}
				if status := m.Run(append([]string{"connect", "a", "--data", t.TempDir(), "--endpoint", server.URL}, args...)); status != 0 {
					t.Fatalf("exit status %d: %s", status, said.String())
				}
				return out.String(), said.String()
			}
			out, said := run()
			if out != want+"\n" || strings.Contains(said, "t_-0") || !strings.Contains(said, "until") {
				t.Errorf("printed %q, and said %q", out, said)
			}
			out, _ = run("--output", "json")
			var answer map[string]any
			if err := json.Unmarshal([]byte(out), &answer); err != nil || answer["AuthToken"] != "t_-0" {
				t.Errorf("programs are given %s, %v", out, err)
			}
		})
	}
}
