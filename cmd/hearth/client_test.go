package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"hearth"
	"hearth/internal/athena"
)

// dial is a client of servers that come and go: each look for the server
// finds the next of them.
func dial(t *testing.T, servers ...*httptest.Server) *client {
	t.Helper()
	return &client{region: "us-east-1", locate: func(context.Context) (string, error) {
		if len(servers) == 0 {
			return "", errNoServer
		}
		next := servers[0]
		servers = servers[1:]
		return next.URL, nil
	}}
}

func serveFunc(t *testing.T, f http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s
}

func TestClient_call(t *testing.T) {
	session := athena.GetSessionRequest{SessionID: new("a")}
	t.Run("a request is signed and names its operation", func(t *testing.T) {
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, `{"Description": %q}`, strings.Join([]string{
				r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"), r.Header.Get("X-Hearth-While"), string(body),
				strings.Fields(r.Header.Get("Authorization"))[0],
			}, " "))
		}))
		answer, _, err := c.session(t.Context(), "a", hearth.SessionCreated)
		want := `POST / AmazonAthena.GetSession CREATED {"SessionId":"a"} AWS4-HMAC-SHA256`
		if err != nil || value(answer.Description) != want {
			t.Errorf("%s, %v", value(answer.Description), err)
		}
	})
	t.Run("times are decoded", func(t *testing.T) {
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"Status": {"StartDateTime": 1665767135.746}}`)
		}))
		answer, _, err := c.session(t.Context(), "a", "")
		if err != nil || answer.Status.StartDateTime.UnixMilli() != 1665767135746 {
			t.Errorf("%+v, %v", answer.Status, err)
		}
	})
	t.Run("a refusal is its message", func(t *testing.T) {
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type": "InvalidRequestException", "Message": "Session a is not found."}`)
		}))
		_, err := c.call(t.Context(), "GetSession", session, nil)
		refusal, ok := errors.AsType[*apiError](err)
		if !ok || refusal.Type != "InvalidRequestException" || err.Error() != "Session a is not found." {
			t.Error(err)
		}
	})
	t.Run("a call that came too soon is made again, and one over a quota is not", func(t *testing.T) {
		refusals := []string{"Rate exceeded", "Maximum allowed sessions reached: the account has 1 of 1 sessions."}
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
			if len(refusals) > 0 {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"__type": "TooManyRequestsException", "Message": %q}`, refusals[0])
				refusals = refusals[1:]
			}
		}))
		if _, err := c.call(t.Context(), "GetSession", session, nil); err == nil || !strings.HasPrefix(err.Error(), "Maximum allowed sessions") {
			t.Error(err)
		}
	})
	t.Run("a call that came too soon is given up when nobody waits for it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type": "ThrottlingException", "Message": "Rate exceeded"}`)
			cancel()
		}))
		if _, err := c.call(ctx, "GetSession", session, nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("a server that went away is followed to its successor", func(t *testing.T) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		c := dial(t, gone, serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"Description": "here"}`)
		}))
		answer, _, err := c.session(t.Context(), "a", "")
		if err != nil || value(answer.Description) != "here" {
			t.Errorf("%s, %v", value(answer.Description), err)
		}
	})
	t.Run("nobody left is an error", func(t *testing.T) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		if _, err := dial(t, gone).call(t.Context(), "GetSession", session, nil); !errors.Is(err, errNoServer) {
			t.Error(err)
		}
	})
}

func Test_awaitServer(t *testing.T) {
	t.Run("finds the one that comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			looks := 0
			address, err := awaitServer(t.Context(), func(context.Context) (string, error) {
				if looks++; looks < 20 {
					return "", hearth.Errorf(hearth.KindUnavailable, "No server.")
				}
				return "here", nil
			})
			if address != "here" || err != nil {
				t.Errorf("%s, %v", address, err)
			}
		})
	})
	t.Run("gives up when none does", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, err := awaitServer(t.Context(), func(context.Context) (string, error) {
				return "", hearth.Errorf(hearth.KindUnavailable, "No server.")
			})
			if hearth.KindOf(err) != hearth.KindUnavailable {
				t.Error(err)
			}
		})
	})
	t.Run("ends with its caller", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := awaitServer(ctx, func(context.Context) (string, error) {
			cancel()
			return "", hearth.Errorf(hearth.KindUnavailable, "No server.")
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestClient_copyOutput(t *testing.T) {
	const printed = "one\ntwo\nthree\n"
	// output serves the calculation's output from the offset that was asked
	// for, and breaks off after a number of bytes, unless that is 0.
	output := func(t *testing.T, state string, breakAfter int) *httptest.Server {
		return serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				fmt.Fprintf(w, `{"Status": {"State": %q}}`, state)
				return
			}
			var offset int
			fmt.Sscan(r.URL.Query().Get("offset"), &offset)
			if breakAfter == 0 {
				io.WriteString(w, printed[offset:])
				return
			}
			io.WriteString(w, printed[offset:offset+breakAfter])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
	}
	t.Run("what is lost with a server is read from the next", func(t *testing.T) {
		first := output(t, "RUNNING", 5)
		second := output(t, "COMPLETED", 0)
		c := dial(t, first, second)
		var text strings.Builder
		got := writerFunc(func(p []byte) (int, error) {
			first.Listener.Close() // nobody answers there any more
			return text.Write(p)
		})
		if err := c.copyOutput(t.Context(), "a", hearth.Stdout, got); err != nil || text.String() != printed {
			t.Errorf("%q, %v", text.String(), err)
		}
	})
	t.Run("an end is believed only of a calculation that has ended", func(t *testing.T) {
		states := []string{"RUNNING", "COMPLETED"}
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost:
				fmt.Fprintf(w, `{"Status": {"State": %q}}`, states[0])
			case states[0] == "RUNNING":
				states = states[1:]
				io.WriteString(w, printed[:4])
			default:
				io.WriteString(w, printed[4:])
			}
		}))
		var got strings.Builder
		if err := c.copyOutput(t.Context(), "a", hearth.Stdout, &got); err != nil || got.String() != printed {
			t.Errorf("%q, %v", got.String(), err)
		}
	})
	t.Run("a reader that left ends it", func(t *testing.T) {
		reader, writer := io.Pipe()
		reader.Close()
		err := dial(t, output(t, "RUNNING", 0)).copyOutput(t.Context(), "a", hearth.Stdout, writer)
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
}

func TestClient_copyLog(t *testing.T) {
	t.Run("what there is, without waiting for the session", func(t *testing.T) {
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Method+" "+r.URL.String())
		}))
		var got strings.Builder
		if err := c.copyLog(t.Context(), "a", false, &got); err != nil || got.String() != "GET /v1/sessions/a/log?follow=false&offset=0" {
			t.Errorf("%q, %v", got.String(), err)
		}
	})
	t.Run("followed, all until the session has ended", func(t *testing.T) {
		states := []string{"TERMINATING", "TERMINATED"}
		c := dial(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost:
				fmt.Fprintf(w, `{"Status": {"State": %q}}`, states[0])
				states = states[1:]
			case len(states) > 0: // its driver is gone, or not there yet
				io.WriteString(w, "one ")
			default:
				io.WriteString(w, "and "+r.URL.String())
			}
		}))
		var got strings.Builder
		if err := c.copyLog(t.Context(), "a", true, &got); err != nil || got.String() != "one and /v1/sessions/a/log?follow=true&offset=4" {
			t.Errorf("%q, %v", got.String(), err)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
