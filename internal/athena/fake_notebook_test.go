package athena_test

import (
	"context"

	"hearth"
)

const notebookID = "05f6225d-bdcc-4935-bc25-a8e19434652d"

func notebook() hearth.Notebook {
	return hearth.Notebook{ID: notebookID, WorkGroup: "primary", Name: "taxi", CreatedAt: began, ModifiedAt: began}
}

func (f *fake) CreateNotebook(_ context.Context, _ string, r hearth.NotebookRequest) (string, error) {
	f.note(r, hearth.Page{})
	return notebookID, f.err
}

func (f *fake) ImportNotebook(_ context.Context, _ string, r hearth.NotebookImport) (string, error) {
	f.note(r, hearth.Page{})
	return notebookID, f.err
}

func (f *fake) Notebook(_ context.Context, id string) (hearth.Notebook, error) {
	f.note(id, hearth.Page{})
	return notebook(), f.err
}

func (f *fake) NotebookContent(_ context.Context, id string) (hearth.Notebook, string, error) {
	f.note(id, hearth.Page{})
	return notebook(), hearth.EmptyIPYNB, f.err
}

func (f *fake) Notebooks(_ context.Context, filter hearth.NotebookFilter, p hearth.Page) ([]hearth.Notebook, hearth.Cursor, error) {
	f.note(filter, p)
	return []hearth.Notebook{notebook()}, f.next, f.err
}

func (f *fake) NotebookSessions(_ context.Context, id string) ([]hearth.Session, error) {
	f.note(id, hearth.Page{})
	return []hearth.Session{f.session}, f.err
}

func (f *fake) RenameNotebook(_ context.Context, _ string, r hearth.NotebookRename) error {
	f.note(r, hearth.Page{})
	return f.err
}

func (f *fake) SaveNotebook(_ context.Context, _ string, r hearth.NotebookSave) error {
	f.note(r, hearth.Page{})
	return f.err
}

func (f *fake) DeleteNotebook(_ context.Context, id string) error {
	f.note(id, hearth.Page{})
	return f.err
}
