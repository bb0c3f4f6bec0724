package sessions

import (
	"context"
	"slices"

	"hearth"
)

// WorkGroup gives a workgroup. It returns KindNotFound.
func (s *Service) WorkGroup(ctx context.Context, name string) (hearth.WorkGroup, error) {
	return s.store.WorkGroup(ctx, name)
}

// WorkGroups lists workgroups by name. It returns KindInvalid for a bad cursor.
func (s *Service) WorkGroups(ctx context.Context, p hearth.Page) ([]hearth.WorkGroup, hearth.Cursor, error) {
	return s.store.WorkGroups(ctx, p)
}

// CreateWorkGroup makes an enabled workgroup. Of its engine only the selected
// name is looked at, and tags are given apart. It returns KindInvalid for
// settings that its engine does not take, and KindExists.
func (s *Service) CreateWorkGroup(ctx context.Context, g hearth.WorkGroup, tags []hearth.Tag) error {
	var err error
	if g.Engine, err = hearth.SelectEngine(g.Engine.Selected); err != nil {
		return err
	}
	if tags != nil && len(tags) == 0 {
		return hearth.Errorf(hearth.KindInvalid, "Tags provided upon WorkGroup creation must not be empty")
	}
	if g.Tags, err = hearth.NewTags(tags); err != nil {
		return err
	}
	if err := g.Check(); err != nil {
		return err
	}
	g.Enabled, g.CreatedAt = true, s.now()
	return s.store.CreateWorkGroup(ctx, g)
}

// EnsureWorkGroup makes a workgroup unless one of its name is there.
func (s *Service) EnsureWorkGroup(ctx context.Context, g hearth.WorkGroup) error {
	g.CreatedAt = s.now()
	err := s.store.CreateWorkGroup(ctx, g)
	if hearth.KindOf(err) == hearth.KindExists {
		return nil
	}
	return err
}

// UpdateWorkGroup changes a workgroup by change, which may be called again
// when somebody else changes it meanwhile: it has to replace members, not what
// they point to. Sessions that were started before keep what they have. It
// returns KindNotFound, and KindInvalid for settings that the workgroup's
// engine does not take and for an engine of another type.
func (s *Service) UpdateWorkGroup(ctx context.Context, name string, change func(*hearth.WorkGroup)) error {
	for {
		was, err := s.store.WorkGroup(ctx, name)
		if err != nil {
			return err
		}
		g := was
		change(&g)
		if g.Engine.Selected != was.Engine.Selected {
			if g.Engine, err = hearth.SelectEngine(g.Engine.Selected); err != nil {
				return err
			}
		}
		if err := g.CheckUpdate(was); err != nil {
			return err
		}
		if err = s.store.UpdateWorkGroup(ctx, g); hearth.KindOf(err) != hearth.KindConflict {
			return err
		}
	}
}

// DeleteWorkGroup removes a workgroup. One that is not empty is refused with
// KindConflict, unless recursive: then its sessions are ended first, which is
// waited for, and its notebooks go with it. It returns KindNotFound, and
// KindInvalid for the primary workgroup.
func (s *Service) DeleteWorkGroup(ctx context.Context, name string, recursive bool) error {
	if name == hearth.WorkGroupPrimary {
		return hearth.Errorf(hearth.KindInvalid, "WorkGroup %s cannot be deleted. Disable it, if nobody should use it.", name)
	}
	for {
		err := s.store.DeleteWorkGroup(ctx, name, recursive)
		if !recursive || hearth.KindOf(err) != hearth.KindConflict {
			return err
		}
		live, err := s.store.LiveSessions(ctx)
		if err != nil {
			return err
		}
		live = slices.DeleteFunc(live, func(session hearth.Session) bool { return session.WorkGroup != name })
		if err := s.endEach(ctx, live); err != nil {
			return err
		}
	}
}

// Tag sets tags of the workgroup or the session that an ARN names. It returns
// KindNotFound, and KindInvalid for what is no such ARN, for impossible tags
// and for too many.
func (s *Service) Tag(ctx context.Context, arn string, tags []hearth.Tag) error {
	r, err := hearth.ParseARN(arn)
	if err != nil {
		return err
	}
	set, err := hearth.NewTags(tags)
	if err != nil {
		return err
	}
	return s.store.Tag(ctx, r, set, nil)
}

// Untag removes tags by their keys; a key that no tag has is no error. It
// returns KindNotFound and KindInvalid as Tag does.
func (s *Service) Untag(ctx context.Context, arn string, keys []string) error {
	r, err := hearth.ParseARN(arn)
	if err != nil {
		return err
	}
	return s.store.Tag(ctx, r, nil, keys)
}

// Tags gives the tags of what an ARN names. It returns KindNotFound, and
// KindInvalid for what is no ARN of a workgroup or a session.
func (s *Service) Tags(ctx context.Context, arn string) (hearth.Tags, error) {
	r, err := hearth.ParseARN(arn)
	if err != nil {
		return nil, err
	}
	if r.SessionID == "" {
		g, err := s.store.WorkGroup(ctx, r.WorkGroup)
		return g.Tags, err
	}
	session, err := s.sessionOf(ctx, r)
	return session.Tags, err
}

// SessionOf gives the session that an ARN names. It returns KindNotFound, and
// KindInvalid for what is no ARN of a session.
func (s *Service) SessionOf(ctx context.Context, arn string) (hearth.Session, error) {
	r, err := hearth.ParseARN(arn)
	if err == nil && r.SessionID == "" {
		err = hearth.Errorf(hearth.KindInvalid, "%q is the ARN of a workgroup. A session's has /session/ID after that.", arn)
	}
	if err != nil {
		return hearth.Session{}, err
	}
	return s.sessionOf(ctx, r)
}

func (s *Service) sessionOf(ctx context.Context, r hearth.Resource) (hearth.Session, error) {
	session, err := s.store.Session(ctx, r.SessionID)
	if err == nil && session.WorkGroup != r.WorkGroup {
		err = hearth.SessionNotFound(r.SessionID)
	}
	if err != nil {
		return hearth.Session{}, err
	}
	return session, nil
}
