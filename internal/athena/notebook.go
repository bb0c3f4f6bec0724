package athena

import (
	"context"

	"hearth"
	"hearth/internal/awsjson"
)

// notebookType is the one type of notebook that there is.
const notebookType = "IPYNB"

// maxNotebookSessions is the most sessions of one page: the model allows a
// request to ask for more than a response may have.
var maxNotebookSessions = awsjson.Number{Min: 1, Max: 10}

// createPresignedNotebookURL tells the end of the link's life in seconds: the
// API says no more than that it is an epoch time.
func (a *api) createPresignedNotebookURL(ctx context.Context, in *CreatePresignedNotebookURLRequest) (*CreatePresignedNotebookURLResponse, error) {
	session, err := a.sessions.Session(ctx, value(in.SessionID))
	if err != nil {
		return nil, err
	}
	if err := session.CheckOpen(); err != nil {
		return nil, err
	}
	link, err := a.link(ctx, session.ID)
	if err != nil {
		return nil, err
	}
	return &CreatePresignedNotebookURLResponse{NotebookURL: &link.URL, AuthToken: &link.Token, AuthTokenExpirationTime: new(link.Expires.Unix())}, nil
}

func (a *api) createNotebook(ctx context.Context, in *CreateNotebookInput) (*CreateNotebookOutput, error) {
	id, err := a.sessions.CreateNotebook(ctx, a.principal(ctx), hearth.NotebookRequest{
		WorkGroup: value(in.WorkGroup),
		Name:      value(in.Name),
		Token:     value(in.ClientRequestToken),
	})
	if err != nil {
		return nil, err
	}
	return &CreateNotebookOutput{NotebookID: &id}, nil
}

func (a *api) importNotebook(ctx context.Context, in *ImportNotebookInput) (*ImportNotebookOutput, error) {
	id, err := a.sessions.ImportNotebook(ctx, a.principal(ctx), hearth.NotebookImport{
		WorkGroup: value(in.WorkGroup),
		Name:      value(in.Name),
		Content:   value(in.Payload),
		Location:  value(in.NotebookS3LocationURI),
		Token:     value(in.ClientRequestToken),
	})
	if err != nil {
		return nil, err
	}
	return &ImportNotebookOutput{NotebookID: &id}, nil
}

func (a *api) exportNotebook(ctx context.Context, in *ExportNotebookInput) (*ExportNotebookOutput, error) {
	notebook, content, err := a.sessions.NotebookContent(ctx, value(in.NotebookID))
	if err != nil {
		return nil, err
	}
	return &ExportNotebookOutput{NotebookMetadata: new(notebookMetadata(notebook)), Payload: &content}, nil
}

func (a *api) getNotebookMetadata(ctx context.Context, in *GetNotebookMetadataInput) (*GetNotebookMetadataOutput, error) {
	notebook, err := a.sessions.Notebook(ctx, value(in.NotebookID))
	if err != nil {
		return nil, err
	}
	return &GetNotebookMetadataOutput{NotebookMetadata: new(notebookMetadata(notebook))}, nil
}

func (a *api) listNotebookMetadata(ctx context.Context, in *ListNotebookMetadataInput) (*ListNotebookMetadataOutput, error) {
	notebooks, next, err := a.sessions.Notebooks(ctx,
		hearth.NotebookFilter{WorkGroup: value(in.WorkGroup), Name: value(value(in.Filters).Name)},
		page(in.MaxResults, in.NextToken, ruleMaxNotebooksCount))
	if err != nil {
		return nil, err
	}
	out := &ListNotebookMetadataOutput{NotebookMetadataList: make([]NotebookMetadata, 0, len(notebooks)), NextToken: given(string(next))}
	for _, notebook := range notebooks {
		out.NotebookMetadataList = append(out.NotebookMetadataList, notebookMetadata(notebook))
	}
	return out, nil
}

func (a *api) listNotebookSessions(ctx context.Context, in *ListNotebookSessionsRequest) (*ListNotebookSessionsResponse, error) {
	all, err := a.sessions.NotebookSessions(ctx, value(in.NotebookID))
	if err != nil {
		return nil, err
	}
	sessions, next, err := cut(hearth.ListingOf("notebook sessions", value(in.NotebookID)), all, page(in.MaxResults, in.NextToken, maxNotebookSessions))
	if err != nil {
		return nil, err
	}
	out := &ListNotebookSessionsResponse{NotebookSessionsList: make([]NotebookSessionSummary, 0, len(sessions)), NextToken: given(string(next))}
	for _, session := range sessions {
		out.NotebookSessionsList = append(out.NotebookSessionsList, NotebookSessionSummary{
			SessionID:    &session.ID,
			CreationTime: awsjson.Timestamp{Time: session.StartedAt},
		})
	}
	return out, nil
}

func (a *api) updateNotebook(ctx context.Context, in *UpdateNotebookInput) (*UpdateNotebookOutput, error) {
	return &UpdateNotebookOutput{}, a.sessions.SaveNotebook(ctx, a.principal(ctx), hearth.NotebookSave{
		ID:        value(in.NotebookID),
		Content:   value(in.Payload),
		SessionID: value(in.SessionID),
		Token:     value(in.ClientRequestToken),
	})
}

func (a *api) updateNotebookMetadata(ctx context.Context, in *UpdateNotebookMetadataInput) (*UpdateNotebookMetadataOutput, error) {
	return &UpdateNotebookMetadataOutput{}, a.sessions.RenameNotebook(ctx, a.principal(ctx), hearth.NotebookRename{
		ID:    value(in.NotebookID),
		Name:  value(in.Name),
		Token: value(in.ClientRequestToken),
	})
}

func (a *api) deleteNotebook(ctx context.Context, in *DeleteNotebookInput) (*DeleteNotebookOutput, error) {
	return &DeleteNotebookOutput{}, a.sessions.DeleteNotebook(ctx, value(in.NotebookID))
}

func notebookMetadata(n hearth.Notebook) NotebookMetadata {
	return NotebookMetadata{
		NotebookID:       &n.ID,
		Name:             &n.Name,
		WorkGroup:        &n.WorkGroup,
		CreationTime:     awsjson.Timestamp{Time: n.CreatedAt},
		Type:             new(notebookType),
		LastModifiedTime: awsjson.Timestamp{Time: n.ModifiedAt},
	}
}
