package athena

import (
	"context"
	"time"

	"hearth"
	"hearth/internal/awsjson"
)

func (a *api) startSession(ctx context.Context, in *StartSessionRequest) (*StartSessionResponse, error) {
	session, err := a.sessions.Start(ctx, a.principal(ctx), hearth.SessionRequest{
		WorkGroup:           value(in.WorkGroup),
		Description:         value(in.Description),
		EngineConfiguration: engineConfiguration(in.EngineConfiguration),
		NotebookVersion:     value(in.NotebookVersion),
		IdleTimeout:         time.Duration(value(in.SessionIdleTimeoutInMinutes)) * time.Minute,
		ExecutionRole:       value(in.ExecutionRole),
		Monitoring:          monitoring(in.MonitoringConfiguration),
		Tags:                tags(in.Tags),
		OwnTagsOnly:         in.CopyWorkGroupTags != nil && !*in.CopyWorkGroupTags,
		Token:               value(in.ClientRequestToken),
	})
	if hearth.KindOf(err) == hearth.KindExists { // the one session that its notebook may have
		return nil, &awsjson.Error{Type: "SessionAlreadyExistsException", Message: hearth.MessageOf(err)}
	}
	if err != nil {
		return nil, err
	}
	return &StartSessionResponse{SessionID: &session.ID, State: new(string(session.State))}, nil
}

func (a *api) getSession(ctx context.Context, in *GetSessionRequest) (*GetSessionResponse, error) {
	session, err := a.session(ctx, value(in.SessionID))
	if err != nil {
		return nil, err
	}
	return &GetSessionResponse{
		SessionID:               &session.ID,
		Description:             given(session.Description),
		WorkGroup:               &session.WorkGroup,
		EngineVersion:           &session.Engine.Effective,
		EngineConfiguration:     engineConfigurationShape(session.EngineConfiguration),
		NotebookVersion:         given(session.NotebookVersion),
		MonitoringConfiguration: monitoringShape(session.Monitoring),
		SessionConfiguration:    sessionConfigurationShape(session.Configuration),
		Status:                  sessionStatus(session),
		Statistics:              &SessionStatistics{DPUExecutionInMillis: &session.DPUMillis},
	}, nil
}

// sessionFacts are what a GetSessionStatusResponse is made of.
type sessionFacts struct {
	id, reason                      string
	state                           hearth.SessionState
	started, modified, ended, idled time.Time
}

func (a *api) getSessionStatus(ctx context.Context, in *GetSessionStatusRequest) (*awsjson.Ready, error) {
	s, err := a.session(ctx, value(in.SessionID))
	if err != nil {
		return nil, err
	}
	return a.sessionAnswers.answer(sessionFacts{
		id: s.ID, reason: s.StateChangeReason, state: s.State,
		started: s.StartedAt, modified: s.ModifiedAt, ended: s.EndedAt, idled: s.IdleSince,
	}, func() any {
		return &GetSessionStatusResponse{SessionID: new(s.ID), Status: sessionStatus(s)}
	}), nil
}

func (a *api) listSessions(ctx context.Context, in *ListSessionsRequest) (*ListSessionsResponse, error) {
	sessions, next, err := a.sessions.Sessions(ctx,
		hearth.SessionFilter{WorkGroup: value(in.WorkGroup), State: hearth.SessionState(value(in.StateFilter))},
		page(in.MaxResults, in.NextToken, ruleMaxSessionsCount))
	if err != nil {
		return nil, err
	}
	out := &ListSessionsResponse{Sessions: make([]SessionSummary, 0, len(sessions)), NextToken: given(string(next))}
	for _, session := range sessions {
		out.Sessions = append(out.Sessions, SessionSummary{
			SessionID:       &session.ID,
			Description:     given(session.Description),
			EngineVersion:   engineVersionShape(session.Engine),
			NotebookVersion: given(session.NotebookVersion),
			Status:          sessionStatus(session),
		})
	}
	return out, nil
}

func (a *api) terminateSession(ctx context.Context, in *TerminateSessionRequest) (*TerminateSessionResponse, error) {
	state, err := a.sessions.Terminate(ctx, value(in.SessionID))
	if err != nil {
		return nil, err
	}
	return &TerminateSessionResponse{State: new(string(state))}, nil
}

// getSessionEndpoint answers at once, also while the session starts: whoever
// connects waits. Clients take any error for "not yet".
func (a *api) getSessionEndpoint(ctx context.Context, in *GetSessionEndpointRequest) (*GetSessionEndpointResponse, error) {
	text, token, err := a.sessions.Endpoint(ctx, a.principal(ctx), value(in.SessionID))
	if err != nil {
		return nil, err
	}
	return &GetSessionEndpointResponse{
		EndpointURL:             new(a.endpointURL(ctx)),
		AuthToken:               &text,
		AuthTokenExpirationTime: awsjson.Timestamp{Time: token.ExpiresAt},
	}, nil
}

func sessionStatus(s hearth.Session) *SessionStatus {
	return &SessionStatus{
		StartDateTime:        awsjson.Timestamp{Time: s.StartedAt},
		LastModifiedDateTime: awsjson.Timestamp{Time: s.ModifiedAt},
		EndDateTime:          awsjson.Timestamp{Time: s.EndedAt},
		IdleSinceDateTime:    awsjson.Timestamp{Time: s.IdleSince},
		State:                new(string(s.State)),
		StateChangeReason:    given(s.StateChangeReason),
	}
}

// sessionConfigurationShape gives the idle timeout under both of its names, in
// seconds and in minutes.
func sessionConfigurationShape(c hearth.SessionConfiguration) *SessionConfiguration {
	return &SessionConfiguration{
		ExecutionRole:               given(c.ExecutionRole),
		WorkingDirectory:            given(c.WorkingDirectory),
		IdleTimeoutSeconds:          new(int64(c.IdleTimeout / time.Second)),
		SessionIdleTimeoutInMinutes: new(int(c.IdleTimeout / time.Minute)),
		EncryptionConfiguration:     encryptionShape(c.Encryption),
	}
}

func encryptionShape(e *hearth.Encryption) *EncryptionConfiguration {
	if e == nil {
		return nil
	}
	return &EncryptionConfiguration{EncryptionOption: &e.Option, KMSKey: given(e.KMSKey)}
}
