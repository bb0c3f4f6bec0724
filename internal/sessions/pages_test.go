package sessions_test

import (
	"context"
	"strings"
	"testing"

	"hearth"
)

// histories shows every session that has ended, at an address that says which.
type histories struct{}

func (histories) Show(_ context.Context, session hearth.Session) (hearth.Endpoint, error) {
	return hearth.Endpoint{Address: session.ID}, nil
}

func TestPages(t *testing.T) {
	w := newWorld(t)

	t.Run("of a session that starts are not there yet", func(t *testing.T) {
		w := newWorld(t, under(oneAtATime))
		w.start(hearth.SessionRequest{})
		waiting := w.join(hearth.SessionRequest{})
		_, err := w.service.Pages(t.Context(), waiting.ID)
		if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), "its driver has no pages yet") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("of a live session are its driver's", func(t *testing.T) {
		s, _ := w.idle()
		if _, err := w.service.Pages(t.Context(), s.ID); hearth.MessageOf(err) != hearth.MessageOf(errNoConnect) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("of one that has ended are its history", func(t *testing.T) {
		s, d := w.idle()
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle})
		w.awaitEnd(s.ID)
		if pages, err := w.service.Pages(t.Context(), s.ID); err != nil || pages.Address != s.ID {
			t.Errorf("%+v, %v", pages, err)
		}
	})
	t.Run("of none are not found", func(t *testing.T) {
		if _, err := w.service.Pages(t.Context(), "never"); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("error %v", err)
		}
	})
}

func TestSessionOf(t *testing.T) {
	w := newWorld(t)
	s, _ := w.idle()
	const account = "arn:aws:athena:us-east-1:123456789012:workgroup/"
	if got, err := w.service.SessionOf(t.Context(), account+"primary/session/"+s.ID); err != nil || got.ID != s.ID {
		t.Errorf("%+v, %v", got, err)
	}
	for arn, kind := range map[string]hearth.Kind{
		account + "primary":                    hearth.KindInvalid,
		account + "off/session/" + s.ID:        hearth.KindNotFound,
		account + "primary/session/never":      hearth.KindNotFound,
		"arn:aws:s3:::primary/session/" + s.ID: hearth.KindInvalid,
		s.ID:                                   hearth.KindInvalid,
	} {
		t.Run("refuses "+arn, func(t *testing.T) {
			if _, err := w.service.SessionOf(t.Context(), arn); hearth.KindOf(err) != kind {
				t.Errorf("error %v", err)
			}
		})
	}
}
