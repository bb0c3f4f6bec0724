package sessions_test

import (
	"testing"
	"time"

	"hearth"
)

func TestOperations(t *testing.T) {
	operating := hearth.DriverEvent{Type: hearth.DriverOperating}
	rested := hearth.DriverEvent{Type: hearth.DriverRested, Operated: 2 * time.Second}

	t.Run("keep the session BUSY, and are accounted when they have ended", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		d.happens(operating)
		w.awaitSession(s.ID, hearth.SessionBusy)
		_, err := w.service.Submit(t.Context(), "KEY", hearth.CalculationRequest{SessionID: s.ID, Code: "1+1"})
		refused(t, err, hearth.KindConflict, "Session is in the BUSY state; needs to be IDLE to accept Calculations.")
		d.happens(rested)
		s = w.awaitSession(s.ID, hearth.SessionIdle)
		if want := 2000 * int64(s.EngineConfiguration.DPUs()); s.DPUMillis != want {
			t.Errorf("%d DPU milliseconds, want %d", s.DPUMillis, want)
		}
		w.submit(s.ID)
	})
	t.Run("outlast a calculation, and a calculation outlasts them", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		first := w.submit(s.ID)
		d.happens(operating)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: first.ID, Outcome: hearth.OutcomeOK, Operating: true})
		w.awaitCalculation(first.ID, hearth.CalculationCompleted)
		w.awaitSession(s.ID, hearth.SessionBusy)
		d.happens(rested)
		w.awaitSession(s.ID, hearth.SessionIdle)

		second := w.submit(s.ID)
		d.happens(operating)
		d.happens(rested)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationStarted, CalculationID: second.ID})
		w.awaitCalculation(second.ID, hearth.CalculationRunning)
		w.awaitSession(s.ID, hearth.SessionBusy)
		d.happens(hearth.DriverEvent{Type: hearth.CalculationEnded, CalculationID: second.ID, Outcome: hearth.OutcomeOK})
		w.awaitSession(s.ID, hearth.SessionIdle)
	})
	t.Run("are found running by the next server, and accounted once", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		d.happens(operating)
		w.awaitSession(s.ID, hearth.SessionBusy)
		w.restart()
		w.awaitSession(s.ID, hearth.SessionBusy)
		w.service.Close()
		d.happens(rested)
		w.restart()
		s = w.awaitSession(s.ID, hearth.SessionIdle)
		w.restart()
		d.happens(operating)
		if got := w.awaitSession(s.ID, hearth.SessionBusy); got.DPUMillis != s.DPUMillis || s.DPUMillis == 0 {
			t.Errorf("%d DPU milliseconds, and after a restart %d", s.DPUMillis, got.DPUMillis)
		}
	})
	t.Run("run on while the driver does not answer", func(t *testing.T) {
		w := newWorld(t)
		s, d := w.idle()
		d.happens(operating)
		d.happens(hearth.DriverEvent{Type: hearth.DriverUnresponsive, Reason: "no heartbeat for 30 s"})
		w.awaitSession(s.ID, hearth.SessionDegraded)
		d.happens(hearth.DriverEvent{Type: hearth.DriverResponsive, Operating: true})
		w.awaitSession(s.ID, hearth.SessionBusy)

		d.happens(hearth.DriverEvent{Type: hearth.DriverUnresponsive, Reason: "no heartbeat for 30 s"})
		d.happens(rested)
		d.happens(hearth.DriverEvent{Type: hearth.DriverResponsive})
		w.awaitSession(s.ID, hearth.SessionIdle)
	})
	t.Run("end with the driver, and with the session", func(t *testing.T) {
		w := newWorld(t)
		lost, d := w.idle()
		d.happens(operating)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "killed by signal 9", Operated: time.Second})
		if got := w.awaitEnd(lost.ID); got.State != hearth.SessionFailed || got.StateChangeReason != "killed by signal 9" || got.DPUMillis == 0 {
			t.Errorf("it ended %s (%s) with %d DPU milliseconds", got.State, got.StateChangeReason, got.DPUMillis)
		}
		s, d := w.idle()
		d.happens(operating)
		w.awaitSession(s.ID, hearth.SessionBusy)
		if _, err := w.service.Terminate(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		w.told(d, "end")
		d.happens(rested)
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested, Reason: "ended"})
		if got := w.awaitEnd(s.ID); got.State != hearth.SessionTerminated || got.DPUMillis == 0 {
			t.Errorf("it ended %s with %d DPU milliseconds", got.State, got.DPUMillis)
		}
	})
}
