package athena_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"hearth/internal/athena"
)

func TestHandler_Throttle(t *testing.T) {
	for _, errorType := range []string{"ThrottlingException", "TooManyRequestsException"} {
		t.Run(errorType, func(t *testing.T) {
			var asked []string
			f := full()
			h := athena.Handler(f, athena.Options{
				Principal: func(context.Context) string { return caller },
				Allow: func(principal, operation string) bool {
					asked = append(asked, principal+" "+operation)
					return operation == "GetSession"
				},
				Throttled: errorType,
				MaxBody:   1 << 20,
				Log:       slog.New(slog.DiscardHandler),
			})
			for operation, body := range map[string]string{"GetSessionStatus": sessionBody, "ListSessions": "not read", "StartQueryExecution": `{}`} {
				w := call(h, operation, body)
				want := `{"__type":"` + errorType + `","Message":"Rate exceeded","message":"Rate exceeded"}`
				if w.Code != http.StatusBadRequest || w.Body.String() != want || w.Header().Get("X-Amzn-Errortype") != errorType {
					t.Errorf("%s: got  %d %s\nwant 400 %s", operation, w.Code, w.Body, want)
				}
			}
			if f.asked != nil {
				t.Errorf("the application was asked for %v", f.asked)
			}
			if w := call(h, "GetSession", sessionBody); w.Code != http.StatusOK {
				t.Errorf("what is allowed: %d %s", w.Code, w.Body)
			}
			call(h, "Unknown", `{}`)
			slices.Sort(asked)
			if want := []string{caller + " GetSession", caller + " GetSessionStatus", caller + " ListSessions", caller + " StartQueryExecution"}; !slices.Equal(asked, want) {
				t.Errorf("counted %v, want %v", asked, want)
			}
		})
	}
}

func TestServes(t *testing.T) {
	for operation, want := range map[string]bool{"StartSession": true, "StartQueryExecution": false, "startsession": false, "": false} {
		if athena.Serves(operation) != want {
			t.Errorf("%q: %v", operation, !want)
		}
	}
}
