package sessions_test

import (
	"context"
	"testing"

	"hearth"
)

func group(name string) hearth.WorkGroup {
	return hearth.WorkGroup{Name: name, Engine: version(hearth.EnginePySpark3), WorkGroupSettings: settings}
}

func TestUpdateWorkGroup(t *testing.T) {
	t.Run("is made again to what somebody else changed meanwhile", func(t *testing.T) {
		w := newWorld(t)
		first := true
		err := w.service.UpdateWorkGroup(t.Context(), "primary", func(g *hearth.WorkGroup) {
			g.PublishMetrics = true
			if !first {
				return
			}
			first = false
			err := w.service.UpdateWorkGroup(t.Context(), "primary", func(g *hearth.WorkGroup) { g.Description = "meanwhile" })
			if err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		g, err := w.service.WorkGroup(t.Context(), "primary")
		if err != nil || g.Description != "meanwhile" || !g.PublishMetrics {
			t.Errorf("workgroup %+v, %v", g, err)
		}
	})
	t.Run("that is refused changes nothing", func(t *testing.T) {
		w := newWorld(t)
		err := w.service.UpdateWorkGroup(t.Context(), "primary", func(g *hearth.WorkGroup) {
			g.Description, g.OutputLocation = "half", "nowhere"
		})
		refused(t, err, hearth.KindInvalid, "outputLocation")
		if g, err := w.service.WorkGroup(t.Context(), "primary"); err != nil || g.Description != "" {
			t.Errorf("workgroup %+v, %v", g, err)
		}
	})
}

func TestDeleteWorkGroup(t *testing.T) {
	busy := func(t *testing.T) (*world, hearth.Session, *driver) {
		w := newWorld(t)
		if err := w.service.CreateWorkGroup(t.Context(), group("etl"), nil); err != nil {
			t.Fatal(err)
		}
		s, d := w.start(hearth.SessionRequest{WorkGroup: "etl"})
		return w, s, d
	}
	t.Run("ends its sessions first, and only its own", func(t *testing.T) {
		w, s, d := busy(t)
		stays, _ := w.idle()
		deleted := make(chan error, 1)
		go func() { deleted <- w.service.DeleteWorkGroup(context.Background(), "etl", true) }()
		w.told(d, "end")
		if _, err := w.service.WorkGroup(t.Context(), "etl"); err != nil {
			t.Errorf("it is gone before its sessions are: %v", err)
		}
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		if err := <-deleted; err != nil {
			t.Fatal(err)
		}
		w.awaitSession(s.ID, hearth.SessionTerminated)
		_, err := w.service.WorkGroup(t.Context(), "etl")
		refused(t, err, hearth.KindNotFound, "is not found")
		if stays, err = w.service.Session(t.Context(), stays.ID); err != nil || stays.State != hearth.SessionIdle {
			t.Errorf("the session of another workgroup is %s, %v", stays.State, err)
		}
	})
	t.Run("is given up with the server, and can be asked for again", func(t *testing.T) {
		w, _, d := busy(t)
		deleted := make(chan error, 1)
		go func() { deleted <- w.service.DeleteWorkGroup(context.Background(), "etl", true) }()
		w.told(d, "end")
		w.service.Close()
		refused(t, <-deleted, hearth.KindUnavailable, "stopping")
		d.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested})
		w.restart()
		if err := w.service.DeleteWorkGroup(t.Context(), "etl", true); err != nil {
			t.Error(err)
		}
	})
	t.Run("without its sessions is refused and ends none", func(t *testing.T) {
		w, s, _ := busy(t)
		refused(t, w.service.DeleteWorkGroup(t.Context(), "etl", false), hearth.KindConflict, "is not empty")
		w.awaitSession(s.ID, hearth.SessionCreated)
	})
}

func TestSessionTags(t *testing.T) {
	t.Run("are at most fifty with the workgroup's, and a refusal leaves no session", func(t *testing.T) {
		w := newWorld(t)
		tags := make([]hearth.Tag, hearth.MaxTags)
		for i := range tags {
			tags[i].Key = string(rune('A' + i))
		}
		if err := w.service.CreateWorkGroup(t.Context(), group("tagged"), tags); err != nil {
			t.Fatal(err)
		}
		r := hearth.SessionRequest{WorkGroup: "tagged", Tags: []hearth.Tag{{Key: "one more"}}}
		_, err := w.service.Start(t.Context(), "KEY", r)
		refused(t, err, hearth.KindInvalid, "51 tags")
		if live, err := w.store.LiveSessions(t.Context()); err != nil || len(live) != 0 {
			t.Errorf("%d sessions were recorded (%v)", len(live), err)
		}
		r.OwnTagsOnly = true
		s, err := w.service.Start(t.Context(), "KEY", r)
		if err != nil || len(s.Tags) != 1 {
			t.Errorf("tags %v, %v", s.Tags, err)
		}
	})
}
