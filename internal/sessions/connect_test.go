package sessions_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth"
)

// at is where a driver of the tests speaks Spark Connect.
var at = hearth.Endpoint{Address: "127.0.0.1:15002", Secret: "secret"}

func (w *world) token(sessionID string) string {
	w.t.Helper()
	text, _, err := w.service.Endpoint(w.t.Context(), "KEY", sessionID)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// stop ends a session as a client does.
func (w *world) stop(id string, d *driver) {
	w.t.Helper()
	if _, err := w.service.Terminate(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
	d.happens(hearth.DriverEvent{Type: hearth.DriverExited, At: w.clock.now(), Exit: hearth.ExitRequested})
	w.awaitSession(id, hearth.SessionTerminated)
}

func TestService_Endpoint(t *testing.T) {
	t.Run("gives a token at once to a session that starts", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start(hearth.SessionRequest{})
		text, token, err := w.service.Endpoint(t.Context(), "KEY", s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(text) {
			t.Errorf("%q cannot stand in a URL as it is", text)
		}
		if token.SessionID != s.ID || token.Owner != "KEY" || token.ExpiresAt.Sub(token.CreatedAt) != 30*time.Minute {
			t.Errorf("token %+v", token)
		}
		if strings.Contains(token.Digest, text) {
			t.Error("the record has the text")
		}
	})
	t.Run("gives another one each time, and all are good", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.idle()
		first, second := w.token(s.ID), w.token(s.ID)
		if first == second {
			t.Error("both are the same")
		}
		for _, text := range []string{first, second} {
			if _, err := w.service.Admit(t.Context(), text, true); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("gives one for as long as is set", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.tokens = time.Hour })
		s, _ := w.idle()
		_, token, err := w.service.Endpoint(t.Context(), "KEY", s.ID)
		if err != nil || token.ExpiresAt.Sub(token.CreatedAt) != time.Hour {
			t.Errorf("token %+v, %v", token, err)
		}
	})
	t.Run("refuses a session that is not there", func(t *testing.T) {
		_, _, err := newWorld(t).service.Endpoint(t.Context(), "KEY", "nobody")
		refused(t, err, hearth.KindNotFound, "nobody")
	})
	t.Run("refuses a session that is ending, and one that has ended", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		if _, err := w.service.Terminate(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		_, _, err := w.service.Endpoint(t.Context(), "KEY", s.ID)
		refused(t, err, hearth.KindConflict, s.ID, "STOPPED state", "TERMINATING")
		w.stop(s.ID, d)
		_, _, err = w.service.Endpoint(t.Context(), "KEY", s.ID)
		refused(t, err, hearth.KindConflict, s.ID, "STOPPED state", "TERMINATED", hearth.ReasonTerminated)
	})
}

func TestService_Admit(t *testing.T) {
	t.Run("tells the session and the owner", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.idle()
		other, _ := w.idle()
		for _, id := range []string{s.ID, other.ID} {
			token, err := w.service.Admit(t.Context(), w.token(id), true)
			if err != nil || token.SessionID != id || token.Owner != "KEY" {
				t.Errorf("token %+v, %v", token, err)
			}
		}
	})

	w := newWorld(t)
	s, _ := w.idle()
	text := w.token(s.ID)
	for name, wrong := range map[string]string{
		"nothing":               "",
		"a truncated token":     text[:42],
		"one with a byte more":  text + "A",
		"one with a space":      " " + text,
		"one in another case":   strings.ToUpper(text) + strings.ToLower(text),
		"one of nobody":         hearth.NewConnectToken(),
		"the record's digest":   hearth.DigestOf(text),
		"the id of the session": s.ID,
		"what is not text":      "\xff\x00",
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			for _, begins := range []bool{true, false} {
				_, err := w.service.Admit(t.Context(), wrong, begins)
				refused(t, err, hearth.KindDenied, "token", "GetSessionEndpoint")
			}
		})
	}

	t.Run("an expired token begins nothing, and what it began goes on", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.idle()
		text := w.token(s.ID)
		w.clock.move(29 * time.Minute)
		if _, err := w.service.Admit(t.Context(), text, true); err != nil {
			t.Fatal(err)
		}
		w.clock.move(time.Minute)
		_, err := w.service.Admit(t.Context(), text, true)
		refused(t, err, hearth.KindDenied, s.ID, "expired")
		w.clock.move(1000 * time.Hour)
		if token, err := w.service.Admit(t.Context(), text, false); err != nil || token.SessionID != s.ID {
			t.Errorf("token %+v, %v", token, err)
		}
	})
	t.Run("a token ends with its session, also for what goes on", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.records = time.Hour })
		s, d := w.idle()
		text := w.token(s.ID)
		w.stop(s.ID, d)
		for _, begins := range []bool{true, false} {
			_, err := w.service.Admit(t.Context(), text, begins)
			refused(t, err, hearth.KindDenied, s.ID, "STOPPED state", hearth.ReasonTerminated)
		}
		w.clock.move(2 * time.Hour)
		w.sweep()
		_, err := w.service.Admit(t.Context(), text, true)
		refused(t, err, hearth.KindDenied, "not known")
	})
	t.Run("a token outlives the server", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.idle()
		text := w.token(s.ID)
		w.restart()
		if token, err := w.service.Admit(t.Context(), text, true); err != nil || token.SessionID != s.ID {
			t.Errorf("token %+v, %v", token, err)
		}
	})
}

// connecting asks for a session's driver and gives the answer when it comes.
func (w *world) connecting(ctx context.Context, id string) (answer func() (hearth.Endpoint, error)) {
	var endpoint hearth.Endpoint
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		endpoint, err = w.service.Connect(ctx, id)
	}()
	return func() (hearth.Endpoint, error) {
		<-done
		return endpoint, err
	}
}

func TestService_Connect(t *testing.T) {
	t.Run("asks the driver once", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		d.listens(at)
		for range 3 {
			if got, err := w.service.Connect(t.Context(), s.ID); got != at || err != nil {
				t.Errorf("endpoint %v, %v", got, err)
			}
		}
		if told := <-d.told; told != "connect" || len(d.told) > 0 {
			t.Errorf("the driver was told %q, and %d times more", told, len(d.told))
		}
	})
	t.Run("waits until the driver is ready", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.start(hearth.SessionRequest{})
		d.listens(at)
		answer := w.connecting(t.Context(), s.ID)
		d.happens(hearth.DriverEvent{Type: hearth.DriverReady})
		if got, err := answer(); got != at || err != nil {
			t.Errorf("endpoint %v, %v", got, err)
		}
	})
	t.Run("finds the driver again after a restart", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		d.listens(at)
		w.service.Close()
		w.open()
		answer := w.connecting(t.Context(), s.ID)
		if err := w.service.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := answer(); got != at || err != nil {
			t.Errorf("endpoint %v, %v", got, err)
		}
	})
	t.Run("tells whoever waits why the session has ended", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.start(hearth.SessionRequest{})
		answer := w.connecting(t.Context(), s.ID)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, At: w.clock.now(), Exit: hearth.ExitFault, Reason: "no memory for the JVM"})
		_, err := answer()
		refused(t, err, hearth.KindDenied, s.ID, "STOPPED state", "no memory for the JVM")
	})
	t.Run("refuses what the driver refuses, as long as the session lives", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		_, err := w.service.Connect(t.Context(), s.ID)
		refused(t, err, hearth.KindUnavailable, "no Spark")
		d.listens(at)
		if got, err := w.service.Connect(t.Context(), s.ID); got != at || err != nil {
			t.Errorf("then endpoint %v, %v", got, err)
		}
	})
	t.Run("refuses a session that has ended", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		w.stop(s.ID, d)
		_, err := w.service.Connect(t.Context(), s.ID)
		refused(t, err, hearth.KindDenied, s.ID, "STOPPED state")
	})
	t.Run("waits no longer than its caller, or the server", func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start(hearth.SessionRequest{})
		ctx, cancel := context.WithCancel(t.Context())
		answer := w.connecting(ctx, s.ID)
		cancel()
		if _, err := answer(); err != context.Canceled {
			t.Errorf("error %v", err)
		}
		answer = w.connecting(t.Context(), s.ID)
		w.service.Close()
		_, err := answer()
		refused(t, err, hearth.KindUnavailable, "stopping")
	})
}
