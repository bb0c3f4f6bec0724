package sessions

import (
	"context"
	"io"

	"hearth"
)

// CreateNotebook makes an empty notebook and returns its id. It returns
// KindNotFound for an unknown workgroup, KindInvalid for one that runs no
// Spark and for a file's name, KindExists when the name is taken, and
// KindIdempotencyMismatch.
func (s *Service) CreateNotebook(ctx context.Context, principal string, r hearth.NotebookRequest) (string, error) {
	return s.addNotebook(ctx, r.WorkGroup, r.Name, hearth.EmptyIPYNB, token(principal, "CreateNotebook", r.Token, r))
}

// ImportNotebook makes a notebook of a file and returns its id. It returns the
// errors of CreateNotebook, KindInvalid also for a file that is no notebook or
// is too large, and those of hearth.Objects.
func (s *Service) ImportNotebook(ctx context.Context, principal string, r hearth.NotebookImport) (string, error) {
	content := r.Content
	switch {
	case (r.Content == "") == (r.Location == ""):
		return "", hearth.Errorf(hearth.KindInvalid, "Give either Payload or NotebookS3LocationUri, and not both.")
	case r.Location != "":
		var err error
		if content, err = s.fetchNotebook(ctx, r.Location); err != nil {
			return "", err
		}
	}
	if err := checkContent(content); err != nil {
		return "", err
	}
	return s.addNotebook(ctx, r.WorkGroup, r.Name, content, token(principal, "ImportNotebook", r.Token, r))
}

// fetchNotebook reads one byte more than a notebook may have, to know that it
// has too many.
func (s *Service) fetchNotebook(ctx context.Context, location string) (string, error) {
	at, err := hearth.ParseLocation(location)
	if err != nil {
		return "", err
	}
	file, err := s.objects.Open(ctx, at.String())
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, hearth.MaxNotebookSize+1))
	if err != nil {
		return "", hearth.Internal(err, "read "+location)
	}
	return string(content), nil
}

func checkContent(content string) error {
	if len(content) > hearth.MaxNotebookSize {
		return hearth.Errorf(hearth.KindInvalid, "The notebook is larger than %d MB. Clear the outputs of some cells.", hearth.MaxNotebookSize>>20)
	}
	_, err := hearth.ParseIPYNB([]byte(content))
	return err
}

func (s *Service) addNotebook(ctx context.Context, workGroup, name, content string, token *hearth.Token) (string, error) {
	if err := hearth.CheckNotebookName(name); err != nil {
		return "", err
	}
	group, err := s.store.WorkGroup(ctx, workGroup)
	if err != nil {
		return "", err
	}
	if err := runsSessions(group); err != nil {
		return "", err
	}
	now := s.now()
	return s.store.CreateNotebook(ctx, hearth.Notebook{
		ID:         hearth.NewNotebookID(),
		WorkGroup:  group.Name,
		Name:       name,
		CreatedAt:  now,
		ModifiedAt: now,
	}, content, token)
}

// Notebook gives a notebook. It returns KindNotFound.
func (s *Service) Notebook(ctx context.Context, id string) (hearth.Notebook, error) {
	return s.store.Notebook(ctx, id)
}

// NotebookContent gives a notebook and its document, as it was saved last. It
// returns KindNotFound.
func (s *Service) NotebookContent(ctx context.Context, id string) (hearth.Notebook, string, error) {
	return s.store.NotebookContent(ctx, id)
}

// Notebooks lists the notebooks of a workgroup, newest first. It returns
// KindNotFound for an unknown workgroup and KindInvalid for a bad cursor.
func (s *Service) Notebooks(ctx context.Context, f hearth.NotebookFilter, p hearth.Page) ([]hearth.Notebook, hearth.Cursor, error) {
	if _, err := s.store.WorkGroup(ctx, f.WorkGroup); err != nil {
		return nil, "", err
	}
	return s.store.Notebooks(ctx, f, p)
}

// NotebookSessions lists the sessions of a notebook that have not ended: one,
// or none. It returns KindNotFound.
func (s *Service) NotebookSessions(ctx context.Context, id string) ([]hearth.Session, error) {
	if _, err := s.store.Notebook(ctx, id); err != nil {
		return nil, err
	}
	session, err := s.store.NotebookSession(ctx, id)
	switch {
	case hearth.KindOf(err) == hearth.KindNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	sessions := []hearth.Session{session}
	return sessions, s.withPositions(ctx, sessions)
}

// RenameNotebook gives a notebook another name. It returns KindNotFound,
// KindInvalid for a file's name, KindExists when the name is taken, KindConflict
// while the notebook has an active session, and KindIdempotencyMismatch.
func (s *Service) RenameNotebook(ctx context.Context, principal string, r hearth.NotebookRename) error {
	if err := hearth.CheckNotebookName(r.Name); err != nil {
		return err
	}
	return s.store.RenameNotebook(ctx, r.ID, r.Name, s.now(), token(principal, "UpdateNotebookMetadata", r.Token, r))
}

// SaveNotebook replaces a notebook's document. It returns KindNotFound,
// KindInvalid for what is no notebook or is too large and for a session that is
// not of the notebook, KindConflict when the notebook has an active session and
// another or none is named, and KindIdempotencyMismatch.
func (s *Service) SaveNotebook(ctx context.Context, principal string, r hearth.NotebookSave) error {
	if err := checkContent(r.Content); err != nil {
		return err
	}
	return s.store.SaveNotebook(ctx, r.ID, r.Content, r.SessionID, s.now(), token(principal, "UpdateNotebook", r.Token, r))
}

// DeleteNotebook returns KindNotFound, and KindConflict while the notebook has
// an active session.
func (s *Service) DeleteNotebook(ctx context.Context, id string) error {
	return s.store.DeleteNotebook(ctx, id)
}
