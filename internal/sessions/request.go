package sessions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
	"unicode/utf8"

	"hearth"
	"hearth/internal/faultpoint"
)

// launchPatience is how long Start waits for the driver's processes, so that
// its answer is CREATED as Athena's is. A slower launch goes on behind it, and one
// that has to wait for others is not waited for.
const launchPatience = 2 * time.Second

// Start records a session and launches its driver. It returns KindNotFound for
// an unknown workgroup or notebook, KindExists when the notebook has an active
// session, KindInvalid for a request that the workgroup's engine does not take
// and for results or a log that could not be kept, KindIdempotencyMismatch, and over a
// quota KindTooMany or, when the session has a place in its workgroup's queue, a
// session that waits. What goes wrong after the session is recorded is told by
// its state.
func (s *Service) Start(ctx context.Context, principal string, r hearth.SessionRequest) (hearth.Session, error) {
	token := token(principal, "StartSession", r.Token, r)
	session, group, err := s.prepare(ctx, principal, r)
	if err != nil {
		return s.startedBefore(ctx, token, err)
	}
	claimed := s.pool.take(session, s.enters(ctx, session))
	if claimed.member != nil {
		session = withID(session, group, claimed.id)
		session.State = hearth.SessionCreated // its driver's processes run
	}
	recorded, created, err := s.store.CreateSession(ctx, session, s.quotas, token)
	s.pool.settle(claimed, recorded, created, err)
	if err != nil || !created {
		return s.withPosition(ctx, recorded, err)
	}
	faultpoint.At("session", "recorded")
	if recorded.State == hearth.SessionCreating && !recorded.Waiting {
		s.lineUp(recorded)
	}
	s.tend(session.ID, s.launch)
	if recorded.Waiting {
		return recorded, nil
	}
	if s.starts.waits(recorded.ID) {
		return s.withPosition(ctx, recorded, nil)
	}

	patience, stop := context.WithTimeout(ctx, launchPatience)
	defer stop()
	return s.AwaitSession(patience, session.ID, hearth.SessionCreating)
}

// prepare makes the session that a request asks for, in its workgroup, or refuses
// it.
func (s *Service) prepare(ctx context.Context, principal string, r hearth.SessionRequest) (session hearth.Session, group hearth.WorkGroup, err error) {
	s.mu.Lock()
	ending := s.ending
	s.mu.Unlock()
	if ending {
		return session, group, hearth.Errorf(hearth.KindUnavailable, "The server is stopping and ends its sessions. Start the session when it is back.")
	}
	if group, err = s.store.WorkGroup(ctx, r.WorkGroup); err != nil {
		return session, group, err
	}
	if session, err = s.asked(principal, group, r); err != nil {
		return session, group, err
	}
	return session, group, s.checkPlaces(ctx, session)
}

// asked is newSession with the memory that the server's rule gives.
func (s *Service) asked(principal string, group hearth.WorkGroup, r hearth.SessionRequest) (hearth.Session, error) {
	session, err := newSession(s.now(), principal, group, r)
	if err == nil {
		c := &session.EngineConfiguration
		c.Memory, err = s.memory.Of(c.Properties())
	}
	return session, err
}

// withID is the session under another id.
func withID(session hearth.Session, group hearth.WorkGroup, id string) hearth.Session {
	session.ID = id
	session.Configuration.WorkingDirectory = group.SessionDirectory(id)
	return session
}

// startedBefore gives the session of a request that was carried out before and
// is refused now, because its workgroup has changed since, say.
func (s *Service) startedBefore(ctx context.Context, token *hearth.Token, refusal error) (hearth.Session, error) {
	if token != nil {
		if session, err := s.store.SessionOfToken(ctx, *token); err == nil {
			return s.withPosition(ctx, session, nil)
		}
	}
	return hearth.Session{}, refusal
}

func newSession(now time.Time, principal string, group hearth.WorkGroup, r hearth.SessionRequest) (hearth.Session, error) {
	if err := runsSessions(group); err != nil {
		return hearth.Session{}, err
	}
	if group.OutputLocation == "" {
		return hearth.Session{}, hearth.Errorf(hearth.KindInvalid, "WorkGroup %s has no location for results. Set the OutputLocation of its ResultConfiguration, and start the session again.", group.Name)
	}
	if group.MinimumEncryption && !group.EnforceConfiguration && group.Encryption == nil {
		return hearth.Session{}, hearth.Errorf(hearth.KindInvalid, "WorkGroup %s demands encryption of results and names none. Set the EncryptionConfiguration of its ResultConfiguration, or turn EnableMinimumEncryptionConfiguration off, and start the session again.", group.Name)
	}
	notebook := r.EngineConfiguration.AdditionalConfigs[hearth.AdditionalNotebookID]
	if notebook != "" && r.NotebookVersion == "" {
		return hearth.Session{}, hearth.Errorf(hearth.KindInvalid, "NotebookVersion is required when NotebookId is provided.")
	}
	if err := r.EngineConfiguration.Check(group.Engine); err != nil {
		return hearth.Session{}, err
	}
	var defaults hearth.EngineConfiguration
	if group.EngineConfiguration != nil {
		defaults = *group.EngineConfiguration
	}
	configuration := r.EngineConfiguration.WithDefaults(group.Engine, defaults)
	if dir := configuration.AdditionalConfigs[hearth.AdditionalWorkingDirectory]; dir != "" && !filepath.IsAbs(dir) {
		return hearth.Session{}, hearth.Errorf(hearth.KindInvalid, "%s has to be an absolute path, and %q is not.", hearth.AdditionalWorkingDirectory, dir)
	}
	timeout := r.IdleTimeout
	if timeout == 0 {
		timeout = hearth.DefaultIdleTimeout
	}
	if timeout < hearth.MinIdleTimeout || timeout > hearth.MaxIdleTimeout {
		return hearth.Session{}, hearth.Errorf(hearth.KindInvalid, "The idle timeout has to be %v to %v minutes, and %v is not.",
			hearth.MinIdleTimeout.Minutes(), hearth.MaxIdleTimeout.Minutes(), timeout.Minutes())
	}
	role := r.ExecutionRole
	if role == "" {
		role = group.ExecutionRole
	}
	monitoring := r.Monitoring.WithDefaults(group.Monitoring)
	if err := monitoring.Check(); err != nil {
		return hearth.Session{}, err
	}
	tags, err := sessionTags(group, r)
	if err != nil {
		return hearth.Session{}, err
	}
	return withID(hearth.Session{
		WorkGroup:           group.Name,
		Description:         r.Description,
		Owner:               principal,
		Engine:              group.Engine,
		EngineConfiguration: configuration,
		NotebookID:          notebook,
		NotebookVersion:     r.NotebookVersion,
		Configuration: hearth.SessionConfiguration{
			ExecutionRole: role,
			IdleTimeout:   timeout,
			Encryption:    group.Encryption,
			Ownership:     hearth.Ownership{BucketOwner: group.ExpectedBucketOwner, ACL: group.ACL},
		},
		Monitoring: monitoring,
		Tags:       tags,
		State:      hearth.SessionCreating,
		StartedAt:  now,
		ModifiedAt: now,
	}, group, hearth.NewID(now)), nil
}

// checkPlaces refuses a session whose results or log would have no place, or
// not the encryption that they are to have. Of the results' names, the longest
// is asked for.
func (s *Service) checkPlaces(ctx context.Context, session hearth.Session) error {
	c := session.Configuration
	example := hearth.Calculation{WorkingDirectory: c.WorkingDirectory + "/" + session.ID} // as long as an id of its own
	err := s.objects.Check(ctx, c.Object(example.ResultDocumentURI(), ""))
	if refusedForGood(err) {
		return hearth.Errorf(hearth.KindInvalid, "The results of WorkGroup %s cannot be kept: %s Mend that, or change its ResultConfiguration, and start the session again.", session.WorkGroup, hearth.MessageOf(err))
	}
	for _, uri := range session.Logs().Copies {
		if err == nil {
			err = s.objects.Check(ctx, c.Object(uri, ""))
		}
		if refusedForGood(err) {
			return hearth.Errorf(hearth.KindInvalid, "The log cannot be kept: %s Change the MonitoringConfiguration of the session or of WorkGroup %s, and start the session again.", hearth.MessageOf(err), session.WorkGroup)
		}
	}
	return err
}

// sessionTags are the workgroup's, unless they are not wanted, and the
// session's own, which win.
func sessionTags(group hearth.WorkGroup, r hearth.SessionRequest) (hearth.Tags, error) {
	tags, err := hearth.NewTags(r.Tags)
	if err != nil || r.OwnTagsOnly {
		return tags, err
	}
	tags = group.Tags.With(tags)
	return tags, tags.Check()
}

// runsSessions refuses a workgroup for sessions and what belongs to them.
func runsSessions(group hearth.WorkGroup) error {
	switch {
	case !group.Engine.IsSpark():
		return hearth.Errorf(hearth.KindInvalid, "Workgroup EngineVersion is not Spark.")
	case !group.Enabled:
		return hearth.Errorf(hearth.KindInvalid, "WorkGroup %s is disabled. Enable it, or use another one.", group.Name)
	case group.ContentKey != "":
		return hearth.Errorf(hearth.KindInvalid, "WorkGroup %s demands that its notebooks and code are encrypted with the KMS key %s, and there is no key management service here. Remove its CustomerContentEncryptionConfiguration, or use another workgroup.", group.Name, group.ContentKey)
	}
	return nil
}

// Terminate asks for a session's end and returns its state, which is
// TERMINATING unless it has ended before. It returns KindNotFound.
func (s *Service) Terminate(ctx context.Context, id string) (hearth.SessionState, error) {
	if err := s.settle(ctx, id, func(f facts) (step, error) { return onTerminate(f), nil }); err != nil {
		return "", err
	}
	s.wake(id)
	session, err := s.store.Session(ctx, id)
	return session.State, err
}

// Submit records a calculation, takes its session from IDLE to BUSY and hands
// it to the driver. It returns KindNotFound for an unknown session, KindConflict
// (hearth.NotIdle), KindInvalid for code that is too long, and
// KindIdempotencyMismatch.
func (s *Service) Submit(ctx context.Context, principal string, r hearth.CalculationRequest) (hearth.Calculation, error) {
	if n := utf8.RuneCountInString(r.Code); n > hearth.MaxCodeLength {
		return hearth.Calculation{}, hearth.Errorf(hearth.KindInvalid, "The code has %d characters; at most %d are allowed.", n, hearth.MaxCodeLength)
	}
	session, err := s.store.Session(ctx, r.SessionID)
	if err != nil {
		return hearth.Calculation{}, err
	}
	now := s.now()
	id := hearth.NewID(now)
	c, created, err := s.store.CreateCalculation(ctx, hearth.Calculation{
		ID:               id,
		SessionID:        session.ID,
		Description:      r.Description,
		Code:             r.Code,
		State:            hearth.CalculationCreating,
		SubmittedAt:      now,
		WorkingDirectory: session.Configuration.WorkingDirectory + "/" + id,
	}, token(principal, "StartCalculationExecution", r.Token, r))
	if err == nil && created {
		faultpoint.At("calculation", "recorded")
		s.changes.tell(session.ID)
		s.wake(session.ID)
	}
	return c, err
}

// Cancel asks for a calculation's stop and returns its state, which is
// CANCELING unless it has ended before. It returns KindNotFound.
func (s *Service) Cancel(ctx context.Context, id string) (hearth.CalculationState, error) {
	c, err := s.store.Calculation(ctx, id)
	if err != nil {
		return "", err
	}
	err = s.settle(ctx, c.SessionID, func(f facts) (step, error) {
		if !f.runs(id) {
			return step{}, nil
		}
		return onCancel(f), nil
	})
	if err != nil {
		return "", err
	}
	s.wake(c.SessionID)
	c, err = s.store.Calculation(ctx, id)
	return c.State, err
}

// token makes a request repeatable. Principals and operations have tokens of
// their own. That the parameters have the token among them changes nothing: it
// is the same whenever digests are compared.
func token(principal, operation, value string, parameters any) *hearth.Token {
	if value == "" {
		return nil
	}
	text, err := json.Marshal(parameters) // maps are written in the order of their keys
	if err != nil {
		panic(fmt.Sprintf("parameters of %s cannot be written as JSON: %v", operation, err))
	}
	digest := sha256.Sum256(text)
	return &hearth.Token{
		Scope:  principal + "/" + operation,
		Value:  value,
		Digest: hex.EncodeToString(digest[:]),
	}
}
