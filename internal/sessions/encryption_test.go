package sessions_test

import (
	"testing"

	"hearth"
)

// group makes a workgroup with other settings than the others'.
func (w *world) group(name string, change func(*hearth.WorkGroupSettings)) {
	w.t.Helper()
	g := hearth.WorkGroup{Name: name, Enabled: true, Engine: version(hearth.EnginePySpark3), WorkGroupSettings: settings}
	change(&g.WorkGroupSettings)
	if err := w.service.EnsureWorkGroup(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
}

func TestEncryption(t *testing.T) {
	// startRefused checks that no session is started, with words of the reason.
	startRefused := func(w *world, group string, kind hearth.Kind, words ...string) {
		w.t.Helper()
		_, err := w.service.Start(w.t.Context(), "KEY", hearth.SessionRequest{WorkGroup: group})
		for _, word := range words {
			refused(w.t, err, kind, word)
		}
		if live, err := w.store.LiveSessions(w.t.Context()); err != nil || len(live) != 0 {
			w.t.Errorf("%d sessions were recorded (%v)", len(live), err)
		}
	}

	for _, encryption := range []*hearth.Encryption{nil, {Option: hearth.SSES3}, {Option: hearth.SSEKMS, KMSKey: "alias/k"}} {
		t.Run("all files of a calculation are put with the workgroup's", func(t *testing.T) {
			w := newWorld(t)
			w.group("encrypted", func(s *hearth.WorkGroupSettings) { s.Encryption = encryption })
			s, d := w.start(hearth.SessionRequest{WorkGroup: "encrypted"})
			d.happens(hearth.DriverEvent{Type: hearth.DriverReady})
			w.awaitSession(s.ID, hearth.SessionIdle)
			c := w.submit(s.ID)
			d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
			c = w.awaitCalculation(c.ID, hearth.CalculationCompleted)
			for _, uri := range []string{c.StdoutURI(), c.StderrURI(), c.ResultDocumentURI()} {
				got, put := w.objects.encryption(uri)
				if !put || (got == nil) != (encryption == nil) || got != nil && *got != *encryption {
					t.Errorf("%s was put: %t, with %+v", uri, put, got)
				}
			}
		})
	}
	t.Run("the owner and the ACL of results go with them, and not with a log elsewhere", func(t *testing.T) {
		w := newWorld(t)
		w.group("owned", func(s *hearth.WorkGroupSettings) {
			s.ExpectedBucketOwner, s.ACL = "123456789012", hearth.BucketOwnerFullControl
			s.Monitoring = &hearth.Monitoring{S3: &hearth.S3Logging{Enabled: true, Location: "s3://logs/"}}
		})
		s, d := w.start(hearth.SessionRequest{WorkGroup: "owned"})
		d.happens(hearth.DriverEvent{Type: hearth.DriverReady})
		w.awaitSession(s.ID, hearth.SessionIdle)
		c := w.submit(s.ID)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: c.ID, Outcome: hearth.OutcomeOK})
		c = w.awaitCalculation(c.ID, hearth.CalculationCompleted)
		w.drivers.logged(s.ID, "log\n")
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle})
		s = w.awaitSession(s.ID, hearth.SessionTerminated)
		ours := hearth.Ownership{BucketOwner: "123456789012", ACL: hearth.BucketOwnerFullControl}
		copies := s.Logs().Copies
		for uri, want := range map[string]hearth.Ownership{c.StdoutURI(): ours, c.ResultDocumentURI(): ours, copies[0]: ours, copies[1]: {}} {
			if got := w.objects.ownership(uri); got != want || w.objects.text(uri) == "" && uri == copies[1] {
				t.Errorf("%s was put with %+v, want %+v", uri, got, want)
			}
		}
	})
	t.Run("no session starts with one that the store does not have", func(t *testing.T) {
		w := newWorld(t)
		w.group("encrypted", func(s *hearth.WorkGroupSettings) {
			s.Encryption = &hearth.Encryption{Option: hearth.CSEKMS, KMSKey: "alias/k"}
		})
		startRefused(w, "encrypted", hearth.KindInvalid, "WorkGroup encrypted", "There is no CSE_KMS.", "ResultConfiguration")
	})
	t.Run("no session starts without a bucket for its results", func(t *testing.T) {
		w := newWorld(t)
		w.objects.gone = true
		startRefused(w, "primary", hearth.KindInvalid, "WorkGroup primary", "There is no bucket for s3://hearth/", "ResultConfiguration")
	})
	t.Run("no session starts while the output location is down", func(t *testing.T) {
		w := newWorld(t)
		w.objects.setDown(true)
		startRefused(w, "primary", hearth.KindUnavailable, "down")
	})
	t.Run("no session starts without the encryption that is demanded", func(t *testing.T) {
		w := newWorld(t)
		w.group("minimum", func(s *hearth.WorkGroupSettings) { s.MinimumEncryption = true })
		startRefused(w, "minimum", hearth.KindInvalid, "WorkGroup minimum", "EnableMinimumEncryptionConfiguration")
		w.group("more", func(s *hearth.WorkGroupSettings) {
			s.MinimumEncryption, s.Encryption = true, &hearth.Encryption{Option: hearth.SSES3}
		})
		w.start(hearth.SessionRequest{WorkGroup: "more"})
		w.group("enforced", func(s *hearth.WorkGroupSettings) { s.MinimumEncryption, s.EnforceConfiguration = true, true })
		w.start(hearth.SessionRequest{WorkGroup: "enforced"})
	})
	t.Run("no code and no notebook is taken that a KMS key has to encrypt", func(t *testing.T) {
		w := newWorld(t)
		w.group("keyed", func(s *hearth.WorkGroupSettings) { s.ContentKey = "alias/code" })
		startRefused(w, "keyed", hearth.KindInvalid, "WorkGroup keyed", "alias/code", "CustomerContentEncryptionConfiguration")
		_, err := w.service.CreateNotebook(t.Context(), "KEY", hearth.NotebookRequest{WorkGroup: "keyed", Name: "n"})
		refused(t, err, hearth.KindInvalid, "alias/code")
		_, err = w.service.ImportNotebook(t.Context(), "KEY", hearth.NotebookImport{WorkGroup: "keyed", Name: "n", Content: hearth.EmptyIPYNB})
		refused(t, err, hearth.KindInvalid, "alias/code")
		if all, _, err := w.service.Notebooks(t.Context(), hearth.NotebookFilter{WorkGroup: "keyed"}, hearth.Page{Limit: 1}); err != nil || len(all) != 0 {
			t.Errorf("notebooks %+v, %v", all, err)
		}
	})
}
