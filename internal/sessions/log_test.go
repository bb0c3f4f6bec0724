package sessions_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"hearth"
)

var exited = hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested}

// monitored starts a session whose log is to go where m says.
func (w *world) monitored(m *hearth.Monitoring) (hearth.Session, *driver) {
	w.t.Helper()
	s, d := w.start(hearth.SessionRequest{Monitoring: m})
	d.happens(hearth.DriverEvent{Type: hearth.DriverReady})
	return w.awaitSession(s.ID, hearth.SessionIdle), d
}

// ended ends the session of a driver that has logged a line.
func (w *world) ended(s hearth.Session, d *driver) hearth.Session {
	w.t.Helper()
	w.drivers.logged(s.ID, "a line\n")
	d.happens(exited)
	return w.awaitSession(s.ID, hearth.SessionTerminated)
}

// notes are what the event log says beside the states.
func (w *world) notes(id string) string {
	w.t.Helper()
	events, err := w.service.Events(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	var notes []string
	for _, e := range events {
		notes = append(notes, e.Note)
	}
	return strings.Join(notes, "|")
}

func (w *world) log(id string, offset int64, follow bool) (string, error) {
	content, err := w.service.Log(w.t.Context(), id, offset, follow)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(content)
	return string(text), errors.Join(err, content.Close())
}

func TestLog_published(t *testing.T) {
	managed := func(s hearth.Session) string { return "s3://hearth/" + s.ID + "/logs/SPARK_DRIVER/stderr" }
	place := func(s hearth.Session) string { return "s3://logs/etl/" + s.ID + "/SPARK_DRIVER/stderr" }
	s3 := &hearth.S3Logging{Enabled: true, Location: "s3://logs/etl/"}

	t.Run("under the session's output location unless somebody says otherwise", func(t *testing.T) {
		w := newWorld(t)
		s := w.ended(w.idle())
		if got := w.objects.text(managed(s)); got != "a line\n" {
			t.Errorf("the copy is %q", got)
		}
	})
	t.Run("where S3 logging says, too", func(t *testing.T) {
		w := newWorld(t)
		s := w.ended(w.monitored(&hearth.Monitoring{S3: s3}))
		if w.objects.text(managed(s)) != "a line\n" || w.objects.text(place(s)) != "a line\n" {
			t.Errorf("the copies are %q", w.objects.byURI)
		}
	})
	t.Run("nowhere when nobody wants it", func(t *testing.T) {
		w := newWorld(t)
		s := w.ended(w.monitored(&hearth.Monitoring{Managed: &hearth.ManagedLogging{}, S3: &hearth.S3Logging{Location: "s3://logs/"}}))
		if len(w.objects.byURI) != 0 {
			t.Errorf("there are copies: %q", w.objects.byURI)
		}
		if got, err := w.log(s.ID, 0, false); got != "a line\n" {
			t.Errorf("the driver's own is %q, %v", got, err)
		}
	})
	t.Run("a failed session's too, and one's that was never launched has none", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		w.drivers.logged(s.ID, "a line\n")
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "killed"})
		if s = w.awaitSession(s.ID, hearth.SessionFailed); w.objects.text(managed(s)) != "a line\n" {
			t.Errorf("the copies are %q", w.objects.byURI)
		}
		w.drivers.refusal = hearth.Errorf(hearth.KindUnavailable, "no Java 17 was found")
		s, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		if err != nil || s.State != hearth.SessionFailed || w.notes(s.ID) != "|" {
			t.Fatalf("session is %s, %v, notes %q", s.State, err, w.notes(s.ID))
		}
		_, err = w.log(s.ID, 0, true)
		refused(t, err, hearth.KindNotFound, "its driver never ran. The driver could not be launched: no Java 17 was found")
	})
	t.Run("before the session's end is told, when the store is back", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		w.drivers.logged(s.ID, "a line\n")
		w.objects.setDown(true)
		d.happens(exited)
		<-w.objects.denied
		if s, err := w.service.Session(t.Context(), s.ID); err != nil || s.State.Ended() {
			t.Errorf("session is %s before its log is there (%v)", s.State, err)
		}
		w.objects.setDown(false)
		w.awaitSession(s.ID, hearth.SessionTerminated)
		if w.objects.text(managed(s)) != "a line\n" {
			t.Errorf("the copies are %q", w.objects.byURI)
		}
	})
	t.Run("by the next server, when this one leaves in between", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		w.drivers.logged(s.ID, "a line\n")
		w.objects.setDown(true)
		d.happens(exited)
		<-w.objects.denied
		w.service.Close()
		w.objects.setDown(false)
		w.restart()
		w.awaitSession(s.ID, hearth.SessionTerminated)
		if w.objects.text(managed(s)) != "a line\n" {
			t.Errorf("the copies are %q", w.objects.byURI)
		}
	})
	t.Run("a place that is gone meanwhile is noted and holds nothing up", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.monitored(&hearth.Monitoring{S3: s3})
		w.objects.gone = true
		s = w.ended(s, d)
		for _, uri := range []string{managed(s), place(s)} {
			if want := "The log could not be copied to " + uri + ": There is no bucket for " + uri; !strings.Contains(w.notes(s.ID), want) {
				t.Errorf("notes %q are without %q", w.notes(s.ID), want)
			}
		}
		if s.StateChangeReason != hearth.ReasonTerminated {
			t.Errorf("the reason is %q", s.StateChangeReason)
		}
	})
}

func TestLog(t *testing.T) {
	t.Run("is the driver's while there is one, and a copy after", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		if _, err := w.log(s.ID, 0, false); hearth.KindOf(err) != hearth.KindNotFound || !strings.Contains(err.Error(), "no log yet") {
			t.Errorf("before there is one: %v", err)
		}
		w.drivers.logged(s.ID, "before\n")
		if got, err := w.log(s.ID, 3, false); got != "ore\n" {
			t.Errorf("live: %q, %v", got, err)
		}
		w.ended(s, d)
		w.drivers.forget(s.ID)
		if got, err := w.log(s.ID, 3, true); got != "ore\na line\n" {
			t.Errorf("ended: %q, %v", got, err)
		}
	})
	t.Run("that is kept nowhere any more", func(t *testing.T) {
		w := newWorld(t)
		s := w.ended(w.monitored(&hearth.Monitoring{Managed: &hearth.ManagedLogging{}}))
		w.drivers.forget(s.ID)
		_, err := w.log(s.ID, 0, false)
		refused(t, err, hearth.KindNotFound, "asked for no copy")

		s = w.ended(w.idle())
		w.drivers.forget(s.ID)
		w.objects.byURI = nil
		_, err = w.log(s.ID, 0, false)
		refused(t, err, hearth.KindNotFound, "there is nothing at s3://hearth/"+s.ID)
	})
	t.Run("a follower waits for the launch, until the server leaves", func(t *testing.T) {
		w := newWorld(t)
		w.service.Close() // nobody launches
		s, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary"})
		if err != nil || s.State != hearth.SessionCreating {
			t.Fatalf("session is %s, %v", s.State, err)
		}
		_, err = w.service.Log(context.Background(), s.ID, 0, true)
		refused(t, err, hearth.KindUnavailable, "stopping")

		w.open()
		w.drivers.adoption[s.ID] = hearth.NeverLaunched
		w.drivers.logged(s.ID, "a line\n")
		logged := make(chan string)
		go func() {
			text, err := w.log(s.ID, 0, true)
			if err != nil {
				text = err.Error()
			}
			logged <- text
		}()
		if err := w.service.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := <-logged; got != "a line\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("of an unknown session", func(t *testing.T) {
		_, err := newWorld(t).log("nothing", 0, true)
		refused(t, err, hearth.KindNotFound, "Session nothing is not found")
	})
}

func TestStart_refusesLogs(t *testing.T) {
	w := newWorld(t)
	for text, m := range map[string]*hearth.Monitoring{
		"no KMS here":        {Managed: &hearth.ManagedLogging{Enabled: true, KMSKey: "alias/logs"}},
		"KMS key alias/s3":   {S3: &hearth.S3Logging{Enabled: true, Location: "s3://logs", KMSKey: "alias/s3"}},
		"not a valid S3":     {S3: &hearth.S3Logging{Enabled: true, Location: "https://logs"}},
		"has no LogLocation": {S3: &hearth.S3Logging{Enabled: true}},
	} {
		_, err := w.service.Start(t.Context(), "KEY", hearth.SessionRequest{WorkGroup: "primary", Monitoring: m})
		refused(t, err, hearth.KindInvalid, text)
	}
	if live, err := w.store.LiveSessions(t.Context()); err != nil || len(live) != 0 {
		t.Errorf("%d sessions were recorded (%v)", len(live), err)
	}
	group := hearth.WorkGroup{Name: "logs", Engine: version(hearth.EnginePySpark3), WorkGroupSettings: settings}
	group.Monitoring = &hearth.Monitoring{S3: &hearth.S3Logging{Location: "/var/log"}}
	refused(t, w.service.CreateWorkGroup(t.Context(), group, nil), hearth.KindInvalid, "not a valid S3 path")
	refused(t, w.service.UpdateWorkGroup(t.Context(), "primary", func(g *hearth.WorkGroup) { g.Monitoring = group.Monitoring }), hearth.KindInvalid, "not a valid S3 path")
}
