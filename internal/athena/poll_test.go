package athena_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/athena"
)

// A poll answers what GetSession and GetCalculationExecution do, whatever it
// answered before.
func TestHandler_Polls(t *testing.T) {
	times := rapid.SampledFrom([]time.Time{{}, began, began.Add(time.Second)})
	words := rapid.SampledFrom([]string{"", "one", "two <words>"})
	member := func(t *rapid.T, h http.Handler, operation, body, name string) string {
		w := call(h, operation, body)
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || answer[name] == nil {
			t.Fatalf("%s: %d %s: %v", operation, w.Code, w.Body, err)
		}
		return string(answer[name])
	}

	t.Run("GetSessionStatus", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			f := full()
			h := handler(f, new(bytes.Buffer))
			t.Repeat(map[string]func(*rapid.T){
				"id":     func(t *rapid.T) { f.session.ID = rapid.SampledFrom([]string{sessionID, calculationID}).Draw(t, "id") },
				"reason": func(t *rapid.T) { f.session.StateChangeReason = words.Draw(t, "reason") },
				"state": func(t *rapid.T) {
					f.session.State = rapid.SampledFrom([]hearth.SessionState{"IDLE", "BUSY"}).Draw(t, "state")
				},
				"started":  func(t *rapid.T) { f.session.StartedAt = times.Draw(t, "started") },
				"modified": func(t *rapid.T) { f.session.ModifiedAt = times.Draw(t, "modified") },
				"ended":    func(t *rapid.T) { f.session.EndedAt = times.Draw(t, "ended") },
				"idle":     func(t *rapid.T) { f.session.IdleSince = times.Draw(t, "idle") },
				"": func(t *rapid.T) {
					for _, name := range []string{"Status", "SessionId"} {
						got, want := member(t, h, "GetSessionStatus", sessionBody, name), member(t, h, "GetSession", sessionBody, name)
						if got != want {
							t.Fatalf("got  %s\nwant %s", got, want)
						}
					}
				},
			})
		})
	})

	t.Run("GetCalculationExecutionStatus", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			f := full()
			h := handler(f, new(bytes.Buffer))
			t.Repeat(map[string]func(*rapid.T){
				"reason": func(t *rapid.T) { f.calculation.StateChangeReason = words.Draw(t, "reason") },
				"state": func(t *rapid.T) {
					f.calculation.State = rapid.SampledFrom([]hearth.CalculationState{"RUNNING", "CANCELING"}).Draw(t, "state")
				},
				"submitted": func(t *rapid.T) { f.calculation.SubmittedAt = times.Draw(t, "submitted") },
				"completed": func(t *rapid.T) { f.calculation.CompletedAt = times.Draw(t, "completed") },
				"DPUs":      func(t *rapid.T) { f.calculation.DPUMillis = rapid.Int64Range(0, 2).Draw(t, "DPUs") },
				"progress":  func(t *rapid.T) { f.calculation.Progress = words.Draw(t, "progress") },
				"": func(t *rapid.T) {
					for _, name := range []string{"Status", "Statistics"} {
						got := member(t, h, "GetCalculationExecutionStatus", calculationBody, name)
						want := member(t, h, "GetCalculationExecution", calculationBody, name)
						if got != want {
							t.Fatalf("got  %s\nwant %s", got, want)
						}
					}
				},
			})
		})
	})
}

func TestIsPoll(t *testing.T) {
	for target, want := range map[string]bool{
		"AmazonAthena.GetSessionStatus": true, "AmazonAthena.GetCalculationExecutionStatus": true,
		"AmazonAthena.GetSession": false, "GetSessionStatus": false, "Other.GetSessionStatus": false, "": false,
	} {
		if athena.IsPoll(target) != want {
			t.Errorf("%q: %v", target, !want)
		}
	}
}
