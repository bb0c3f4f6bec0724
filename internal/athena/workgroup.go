package athena

import (
	"context"

	"hearth"
	"hearth/internal/awsjson"
)

func (a *api) getWorkGroup(ctx context.Context, in *GetWorkGroupInput) (*GetWorkGroupOutput, error) {
	group, err := a.sessions.WorkGroup(ctx, value(in.WorkGroup))
	if err != nil {
		return nil, err
	}
	return &GetWorkGroupOutput{WorkGroup: &WorkGroup{
		Name:          &group.Name,
		State:         workGroupState(group),
		Configuration: workGroupConfiguration(group),
		Description:   given(group.Description),
		CreationTime:  awsjson.Timestamp{Time: group.CreatedAt},
	}}, nil
}

// listWorkGroups gives an empty description as "", which getWorkGroup leaves
// out: so does Athena.
func (a *api) listWorkGroups(ctx context.Context, in *ListWorkGroupsInput) (*ListWorkGroupsOutput, error) {
	groups, next, err := a.sessions.WorkGroups(ctx, page(in.MaxResults, in.NextToken, ruleMaxWorkGroupsCount))
	if err != nil {
		return nil, err
	}
	out := &ListWorkGroupsOutput{WorkGroups: make([]WorkGroupSummary, 0, len(groups)), NextToken: given(string(next))}
	for _, group := range groups {
		out.WorkGroups = append(out.WorkGroups, WorkGroupSummary{
			Name:          &group.Name,
			State:         workGroupState(group),
			Description:   &group.Description,
			CreationTime:  awsjson.Timestamp{Time: group.CreatedAt},
			EngineVersion: engineVersionShape(group.Engine),
		})
	}
	return out, nil
}

func (a *api) createWorkGroup(ctx context.Context, in *CreateWorkGroupInput) (*CreateWorkGroupOutput, error) {
	c := value(in.Configuration)
	group := hearth.WorkGroup{Name: value(in.Name), Description: value(in.Description), WorkGroupSettings: workGroupSettings(c)}
	group.Engine.Selected = value(value(c.EngineVersion).SelectedEngineVersion)
	return new(CreateWorkGroupOutput), a.sessions.CreateWorkGroup(ctx, group, tags(in.Tags))
}

func (a *api) updateWorkGroup(ctx context.Context, in *UpdateWorkGroupInput) (*UpdateWorkGroupOutput, error) {
	return new(UpdateWorkGroupOutput), a.sessions.UpdateWorkGroup(ctx, value(in.WorkGroup), func(g *hearth.WorkGroup) {
		set(&g.Description, in.Description)
		if in.State != nil {
			g.Enabled = *in.State == enabled
		}
		if in.ConfigurationUpdates != nil {
			updateWorkGroup(g, in.ConfigurationUpdates)
		}
	})
}

func (a *api) deleteWorkGroup(ctx context.Context, in *DeleteWorkGroupInput) (*DeleteWorkGroupOutput, error) {
	return new(DeleteWorkGroupOutput), a.sessions.DeleteWorkGroup(ctx, value(in.WorkGroup), value(in.RecursiveDeleteOption))
}

const enabled, disabled = "ENABLED", "DISABLED"

func workGroupState(g hearth.WorkGroup) *string {
	if g.Enabled {
		return new(enabled)
	}
	return new(disabled)
}
