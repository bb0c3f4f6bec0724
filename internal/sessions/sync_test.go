package sessions_test

import (
	"slices"
	"strings"
	"testing"

	"hearth"
)

// unsynced are the objects that are on record.
func (w *world) unsynced() (uris []string) {
	w.t.Helper()
	all, err := w.store.Unsynced(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range all {
		uris = append(uris, u.URI)
	}
	slices.Sort(uris)
	return uris
}

func (o *objects) syncedNow() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(slices.Values(o.synced))
}

// ran has a calculation end that has written something.
func (w *world) ran(s hearth.Session, d *driver, stdout string) hearth.Calculation {
	w.t.Helper()
	c := w.submit(s.ID)
	<-d.told
	d.writes(c.ID, hearth.Stdout, stdout)
	d.writes(c.ID, "result", "{}")
	d.happens(hearth.DriverEvent{Type: hearth.CalculationStarted, CalculationID: c.ID})
	d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
	return w.awaitCalculation(c.ID, hearth.CalculationCompleted)
}

func files(c hearth.Calculation) []string {
	return []string{c.ResultDocumentURI(), c.StderrURI(), c.StdoutURI()}
}

func TestPlacedFiles(t *testing.T) {
	t.Run("are on record with the end until they are synced, and are released then", func(t *testing.T) {
		var recorded []string
		w := newWorld(t, func(w *world) {
			w.before = func(change hearth.Change) {
				for _, u := range change.Unsynced {
					recorded = append(recorded, u.URI)
				}
			}
		})
		s, d := w.idle()
		c := w.ran(s, d, "text")
		if got := w.objects.text(c.StdoutURI()); got != "text" {
			t.Errorf("stdout is %q", got)
		}
		released := <-w.objects.released
		if slices.Sort(recorded); !slices.Equal(recorded, files(c)) || len(released) != 3 {
			t.Errorf("on record were %q, and %d were released", recorded, len(released))
		}
		if got := w.objects.syncedNow(); !slices.Equal(got, files(c)) {
			t.Errorf("synced were %q", got)
		}
		if left := w.unsynced(); len(left) > 0 {
			t.Errorf("on record are still %q", left)
		}
	})

	t.Run("are small: others are put", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		for _, size := range []int{64<<10 - 2, 64<<10 - 1, 64 << 10, 1 << 20} { // beside the result, which has two bytes
			text := strings.Repeat("x", size)
			c := w.ran(s, d, text)
			if got := w.objects.text(c.StdoutURI()); got != text {
				t.Errorf("of %d bytes %d are there", size, len(got))
			}
			if small := size+2 <= 64<<10; small {
				<-w.objects.released
			}
			if placed := slices.Contains(w.objects.syncedNow(), c.StdoutURI()); placed != (size+2 <= 64<<10) {
				t.Errorf("of %d bytes: placed %t", size, placed)
			}
		}
	})

	t.Run("are released when the end is another one by then", func(t *testing.T) {
		var w *world
		var c hearth.Calculation
		w = newWorld(t, func(fresh *world) {
			fresh.before = func(change hearth.Change) {
				if change.Calculation != nil && change.Calculation.To == hearth.CalculationCompleted {
					if _, err := w.service.Cancel(w.t.Context(), c.ID); err != nil {
						t.Error(err)
					}
				}
			}
		})
		s, d := w.idle()
		c = w.submit(s.ID)
		<-d.told
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		w.awaitCalculation(c.ID, hearth.CalculationCanceled)
		for n := 0; n < 6; { // three of each decision
			n += len(<-w.objects.released)
		}
		if left := w.unsynced(); len(left) > 0 {
			t.Errorf("on record are %q", left)
		}
	})

	t.Run("are synced by a server that leaves", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		c := w.ran(s, d, "text")
		w.service.Close()
		if left := w.unsynced(); len(left) > 0 || !slices.Equal(w.objects.syncedNow(), files(c)) {
			t.Errorf("on record are %q, synced were %q", left, w.objects.syncedNow())
		}
	})

	t.Run("of an earlier server are put in place before anybody reads them", func(t *testing.T) {
		w := newWorld(t)
		left := []hearth.Unsynced{{ID: "earlier 1", URI: "s3://hearth/a", Kept: []byte("first")}, {ID: "earlier 2", URI: "s3://hearth/a", Kept: []byte("second")}}
		w.left(left...)
		if err := w.service.SyncLeft(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.objects.text("s3://hearth/a"); got != "second" || len(w.unsynced()) > 0 {
			t.Errorf("there is %q, and on record %q", got, w.unsynced())
		}
	})

	t.Run("of an earlier server stay on record while their place is down", func(t *testing.T) {
		w := newWorld(t)
		w.left(hearth.Unsynced{ID: "earlier 1", URI: "s3://hearth/a", Kept: []byte("text")})
		w.objects.setDown(true)
		if err := w.service.SyncLeft(t.Context()); hearth.KindOf(err) != hearth.KindUnavailable || len(w.unsynced()) != 1 {
			t.Errorf("error %v, and on record are %q", err, w.unsynced())
		}
	})

	t.Run("of an earlier server are given up when their bucket is gone, and others are not", func(t *testing.T) {
		w := newWorld(t)
		w.left(hearth.Unsynced{ID: "earlier 1", URI: "s3://no-such-bucket/a", Kept: []byte("a")}, hearth.Unsynced{ID: "earlier 2", URI: "s3://hearth/b", Kept: []byte("b")})
		if err := w.service.SyncLeft(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.objects.text("s3://hearth/b") != "b" || len(w.unsynced()) > 0 {
			t.Errorf("there is %q, and on record %q", w.objects.text("s3://hearth/b"), w.unsynced())
		}
	})
}

// left records objects as an earlier server did.
func (w *world) left(all ...hearth.Unsynced) {
	w.t.Helper()
	s, d := w.idle()
	c := w.submit(s.ID)
	<-d.told
	err := w.store.Apply(w.t.Context(), hearth.Change{
		Calculation: &hearth.CalculationChange{ID: c.ID, To: hearth.CalculationRunning, At: c.SubmittedAt}, Unsynced: all,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
