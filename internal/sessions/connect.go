package sessions

import (
	"cmp"
	"context"

	"hearth"
)

// keptTokens is how many tokens of a session stay on record when they have expired,
// for what they began: clients that ask again and again leave no more.
const keptTokens = 1000

// Endpoint makes a token that lets a principal speak Spark Connect to a session's
// driver, which may still be starting. Its text is nowhere else. Endpoint returns
// KindNotFound, and KindConflict when the session is ending or has ended.
func (s *Service) Endpoint(ctx context.Context, principal, sessionID string) (text string, token hearth.ConnectToken, err error) {
	session, err := s.store.Session(ctx, sessionID)
	if err == nil {
		err = connectable(session, hearth.KindConflict)
	}
	if err != nil {
		return "", hearth.ConnectToken{}, err
	}
	text, now := hearth.NewConnectToken(), s.now()
	token = hearth.ConnectToken{
		Digest: hearth.DigestOf(text), SessionID: session.ID, Owner: principal,
		CreatedAt: now, ExpiresAt: now.Add(s.tokenTTL),
	}
	return text, token, s.store.CreateConnectToken(ctx, token, keptTokens)
}

// Admit tells what the text of a token is good for. begins says that it is to be
// a new operation: for one that goes on, a token does not expire, because clients
// keep the one that the operation began with. Admit returns KindDenied when the
// token is not known or has expired, and when its session is ending or has ended.
func (s *Service) Admit(ctx context.Context, text string, begins bool) (hearth.ConnectToken, error) {
	token, err := s.store.ConnectToken(ctx, hearth.DigestOf(text))
	if err == nil {
		var session hearth.Session
		if session, err = s.store.Session(ctx, token.SessionID); err == nil {
			err = connectable(session, hearth.KindDenied)
		}
	}
	switch {
	case hearth.KindOf(err) == hearth.KindNotFound:
		return hearth.ConnectToken{}, hearth.Errorf(hearth.KindDenied, "The token is not known, or its session is no more on record. Ask for a new one: GetSessionEndpoint, or hearth connect.")
	case err != nil:
		return hearth.ConnectToken{}, err
	case begins && !s.now().Before(token.ExpiresAt):
		return hearth.ConnectToken{}, hearth.Errorf(hearth.KindDenied, "The token for session %s has expired. Ask for a new one: GetSessionEndpoint, or hearth connect.", token.SessionID)
	}
	return token, nil
}

// Connect gives where the driver of a session speaks Spark Connect. It waits until
// the driver is ready. It returns KindNotFound, KindDenied when the session is
// ending or has ended, and KindUnavailable when the driver cannot or the server
// leaves.
//
// It is for whoever was admitted a moment ago: of a driver that was asked before,
// it gives what that answered without a look at the record.
func (s *Service) Connect(ctx context.Context, sessionID string) (hearth.Endpoint, error) {
	if p := s.pursuitOf(sessionID); p != nil {
		if endpoint := p.connected(); endpoint.Address != "" {
			return endpoint, nil
		}
	}
	p, err := await(ctx, s, sessionID, func() (*pursuit, bool, error) {
		session, err := s.store.Session(context.WithoutCancel(ctx), sessionID)
		if err == nil {
			err = connectable(session, hearth.KindDenied)
		}
		if err != nil {
			return nil, false, err
		}
		p := s.pursuitOf(sessionID)
		if !session.State.Ready() || p == nil || p.attached() == nil {
			return nil, true, nil
		}
		return p, false, nil
	})
	switch {
	case err != nil:
		return hearth.Endpoint{}, err
	case p == nil && ctx.Err() != nil:
		return hearth.Endpoint{}, ctx.Err()
	case p == nil:
		return hearth.Endpoint{}, errLeaving
	}
	endpoint, err := p.attached().Connect(ctx)
	if err != nil {
		return hearth.Endpoint{}, s.endedInstead(ctx, sessionID, err)
	}
	p.connect(endpoint)
	return endpoint, nil
}

// endedInstead gives the end of a session as the reason for what its driver
// refused, if it has come by now.
func (s *Service) endedInstead(ctx context.Context, sessionID string, refusal error) error {
	session, err := s.store.Session(context.WithoutCancel(ctx), sessionID)
	if err == nil {
		err = connectable(session, hearth.KindDenied)
	}
	return cmp.Or(err, refusal)
}

// connectable refuses a session that is ending or has ended. Clients look for
// STOPPED state, and then start another one (sagemaker-studio).
func connectable(session hearth.Session, kind hearth.Kind) error {
	if !session.State.Ended() && session.State != hearth.SessionTerminating {
		return nil
	}
	reason := session.StateChangeReason
	if reason != "" {
		reason = ": " + reason
	}
	return hearth.Errorf(kind, "Session %s is in the STOPPED state, because it is %s%s. Start another session.", session.ID, session.State, reason)
}
