package sessions_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
)

const cells = `{"cells":[],"metadata":{"own":1},"nbformat":4,"nbformat_minor":5}`

func (w *world) imported(name string) string {
	w.t.Helper()
	id, err := w.service.ImportNotebook(w.t.Context(), "KEY", hearth.NotebookImport{WorkGroup: "primary", Name: name, Content: cells})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) content(id string) string {
	w.t.Helper()
	_, content, err := w.service.NotebookContent(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return content
}

// ofNotebook asks for a session of a notebook.
func ofNotebook(id string) hearth.SessionRequest {
	return hearth.SessionRequest{
		WorkGroup: "primary", NotebookVersion: "Athena notebook version 1",
		EngineConfiguration: hearth.EngineConfiguration{AdditionalConfigs: map[string]string{hearth.AdditionalNotebookID: id}},
	}
}

func TestNotebooks(t *testing.T) {
	t.Run("one that is created is empty, and a notebook", func(t *testing.T) {
		w := newWorld(t)
		id, err := w.service.CreateNotebook(t.Context(), "KEY", hearth.NotebookRequest{WorkGroup: "primary", Name: "n"})
		if err != nil {
			t.Fatal(err)
		}
		n, err := hearth.ParseIPYNB([]byte(w.content(id)))
		if err != nil || len(n.CodeCells()) != 0 {
			t.Error(err)
		}
	})
	t.Run("one that is imported is kept to the byte, from a payload and from an object", func(t *testing.T) {
		w := newWorld(t)
		if got := w.content(w.imported("payload")); got != cells {
			t.Errorf("got %q", got)
		}
		if err := w.objects.Put(t.Context(), hearth.Object{URI: "s3://bucket/n.ipynb"}, strings.NewReader(cells)); err != nil {
			t.Fatal(err)
		}
		for _, location := range []string{"s3://bucket/n.ipynb", "S3://bucket/n.ipynb"} {
			id, err := w.service.ImportNotebook(t.Context(), "KEY", hearth.NotebookImport{WorkGroup: "primary", Name: location[:2], Location: location})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.content(id); got != cells {
				t.Errorf("got %q", got)
			}
		}
	})
	t.Run("what cannot be imported is refused", func(t *testing.T) {
		w := newWorld(t)
		large := `{"cells":[],"metadata":{"x":"` + strings.Repeat("x", hearth.MaxNotebookSize) + `"},"nbformat":4,"nbformat_minor":5}`
		if err := w.objects.Put(t.Context(), hearth.Object{URI: "s3://bucket/large"}, strings.NewReader(large)); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			request hearth.NotebookImport
			kind    hearth.Kind
			text    string
		}{
			{hearth.NotebookImport{}, hearth.KindInvalid, "either"},
			{hearth.NotebookImport{Content: cells, Location: "s3://bucket/n"}, hearth.KindInvalid, "not both"},
			{hearth.NotebookImport{Content: "{}"}, hearth.KindInvalid, "nbformat is not 4"},
			{hearth.NotebookImport{Content: large}, hearth.KindInvalid, "10 MB"},
			{hearth.NotebookImport{Location: "s3://bucket/large"}, hearth.KindInvalid, "10 MB"},
			{hearth.NotebookImport{Location: "s3://bucket/absent"}, hearth.KindNotFound, "s3://bucket/absent"},
			{hearth.NotebookImport{Content: cells, Name: "n.ipynb"}, hearth.KindInvalid, `"n"`},
			{hearth.NotebookImport{Content: cells, WorkGroup: "sql"}, hearth.KindInvalid, "not Spark"},
			{hearth.NotebookImport{Content: cells, WorkGroup: "off"}, hearth.KindInvalid, "disabled"},
			{hearth.NotebookImport{Content: cells, WorkGroup: "nowhere"}, hearth.KindNotFound, "is not found"},
		} {
			r := test.request
			if r.WorkGroup == "" {
				r.WorkGroup = "primary"
			}
			if r.Name == "" {
				r.Name = "n"
			}
			_, err := w.service.ImportNotebook(t.Context(), "KEY", r)
			refused(t, err, test.kind, test.text)
		}
		all, _, err := w.service.Notebooks(t.Context(), hearth.NotebookFilter{WorkGroup: "primary"}, hearth.Page{Limit: 10})
		if err != nil || len(all) != 0 {
			t.Errorf("there are %v, %v", all, err)
		}
	})
	t.Run("what is no notebook is not saved", func(t *testing.T) {
		w := newWorld(t)
		id := w.imported("n")
		refused(t, w.service.SaveNotebook(t.Context(), "KEY", hearth.NotebookSave{ID: id, Content: "[]"}), hearth.KindInvalid, "not a JSON object")
		if got := w.content(id); got != cells {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a file's name is no new name", func(t *testing.T) {
		w := newWorld(t)
		refused(t, w.service.RenameNotebook(t.Context(), "KEY", hearth.NotebookRename{ID: w.imported("n"), Name: "m.ipynb"}), hearth.KindInvalid, `"m"`)
	})
}

func TestNotebookTokens(t *testing.T) {
	const uuid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	w := newWorld(t)
	request := hearth.NotebookRequest{WorkGroup: "primary", Name: "n", Token: uuid}
	create := func(principal string, r hearth.NotebookRequest) (string, error) {
		return w.service.CreateNotebook(t.Context(), principal, r)
	}
	first, err := create("KEY", request)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the same request gives the same notebook", func(t *testing.T) {
		if again, err := create("KEY", request); again != first || err != nil {
			t.Errorf("%s, %v", again, err)
		}
	})
	t.Run("another request is a mismatch", func(t *testing.T) {
		other := request
		other.Name = "m"
		_, err := create("KEY", other)
		refused(t, err, hearth.KindIdempotencyMismatch, "Idempotent parameters do not match")
	})
	t.Run("of another principal, and of another operation, is another token", func(t *testing.T) {
		other := request
		other.Name = "m"
		if id, err := create("OTHER", other); id == first || err != nil {
			t.Errorf("%s, %v", id, err)
		}
		if err := w.service.RenameNotebook(t.Context(), "KEY", hearth.NotebookRename{ID: first, Name: "renamed", Token: uuid}); err != nil {
			t.Error(err)
		}
	})
}

func TestNotebookSessions(t *testing.T) {
	t.Run("a notebook has one session at a time, which holds it until its end", func(t *testing.T) {
		w := newWorld(t)
		id := w.imported("n")
		first, driver := w.start(ofNotebook(id))
		if first.NotebookID != id {
			t.Errorf("session %+v", first)
		}
		_, err := w.service.Start(t.Context(), "KEY", ofNotebook(id))
		refused(t, err, hearth.KindExists, first.ID)
		refused(t, w.service.DeleteNotebook(t.Context(), id), hearth.KindConflict, first.ID)

		driver.happens(hearth.DriverEvent{Type: hearth.DriverReady})
		w.awaitSession(first.ID, hearth.SessionIdle)
		active, err := w.service.NotebookSessions(t.Context(), id)
		if err != nil || len(active) != 1 || active[0].ID != first.ID {
			t.Errorf("active are %v, %v", active, err)
		}
		driver.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle, Reason: "idle"})
		w.awaitSession(first.ID, hearth.SessionTerminated)
		if active, err := w.service.NotebookSessions(t.Context(), id); err != nil || len(active) != 0 {
			t.Errorf("active are %v, %v", active, err)
		}
		second, _ := w.start(ofNotebook(id))
		if second.ID == first.ID {
			t.Error("the first session came back")
		}
	})
	for name, launched := range map[string]func(w *world, id string) (hearth.Session, *driver){
		"the driver is told of the session and of those before it": func(w *world, id string) (hearth.Session, *driver) {
			return w.start(ofNotebook(id))
		},
		"a driver that the next server launches is told the same": func(w *world, id string) (hearth.Session, *driver) {
			w.service.Close()
			s, err := w.service.Start(w.t.Context(), "KEY", ofNotebook(id))
			if err != nil {
				w.t.Fatal(err)
			}
			w.drivers.adoption[s.ID] = hearth.NeverLaunched
			w.restart()
			return s, <-w.drivers.launched
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id, other := w.imported("n"), w.imported("other")
			var earlier []hearth.Session
			for _, of := range []string{id, other, id} {
				s, driver := w.start(ofNotebook(of))
				driver.happens(hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitFault, Reason: "killed"})
				if s = w.awaitEnd(s.ID); of == id {
					earlier = slices.Insert(earlier, 0, s)
				}
			}
			s, d := launched(w, id)
			want := hearth.Launch{
				SessionID: s.ID, Master: d.launch.Master, Properties: d.launch.Properties, IdleTimeout: hearth.DefaultIdleTimeout,
				WorkGroup: "primary", Engine: hearth.EnginePySpark3, StartedAt: s.StartedAt, NotebookID: id, Earlier: earlier,
			}
			if diff := cmp.Diff(want, d.launch); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a repeated request gives the session, not a refusal", func(t *testing.T) {
		w := newWorld(t)
		r := ofNotebook(w.imported("n"))
		r.Token = strings.Repeat("t", 32)
		first, _ := w.start(r)
		if again, err := w.service.Start(t.Context(), "KEY", r); err != nil || again.ID != first.ID {
			t.Errorf("%s, %v", again.ID, err)
		}
	})
	t.Run("an unknown notebook is refused", func(t *testing.T) {
		w := newWorld(t)
		_, err := w.service.Start(t.Context(), "KEY", ofNotebook("absent"))
		refused(t, err, hearth.KindNotFound, "Notebook absent is not found.")
		_, err = w.service.NotebookSessions(t.Context(), "absent")
		refused(t, err, hearth.KindNotFound, "Notebook absent is not found.")
	})
}
