package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestSessionsShow_Memory(t *testing.T) {
	for name, c := range map[string]struct {
		story string // what /v1/ answers
		shown string // "" when the line is not there
		bytes any    // what programs are given; nil when the member is not there
	}{
		"of a session that counts with some":  {`{"id": "a", "memory": 3221225472}`, "3 GiB", float64(3 << 30)},
		"of one from before there was a rule": {`{"id": "a"}`, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1/sessions/a" {
					fmt.Fprint(w, c.story)
					return
				}
				fmt.Fprint(w, `{"SessionId": "a", "Status": {"State": "IDLE"}}`)
			})
			data := t.TempDir()
			show := func(args ...string) string {
				t.Helper()
				var out, complaint bytes.Buffer
				m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaint}
				if status := m.Run(append([]string{"sessions", "show", "a", "--data", data, "--endpoint", server.URL}, args...)); status != 0 {
					t.Fatalf("exit status %d: %s", status, complaint.String())
				}
				return out.String()
			}
			got := ""
			for line := range strings.Lines(show()) {
				if name, value, _ := strings.Cut(line, " "); name == "memory" {
					got = strings.TrimSpace(value)
				}
			}
			if got != c.shown {
				t.Errorf("its memory is %q, and not %q", got, c.shown)
			}
			var answer map[string]any
			if err := json.Unmarshal([]byte(show("--output", "json")), &answer); err != nil {
				t.Fatal(err)
			}
			if answer["Memory"] != c.bytes {
				t.Errorf("programs are told %v, and not %v", answer["Memory"], c.bytes)
			}
		})
	}
}
