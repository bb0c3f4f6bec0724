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

func workGroupState(g hearth.WorkGroup) *string {
	if g.Enabled {
		return new("ENABLED")
	}
	return new("DISABLED")
}

// workGroupConfiguration gives what Terraform reads back. A block that nobody
// asked for would be a change in its eyes, so there is none.
func workGroupConfiguration(g hearth.WorkGroup) *WorkGroupConfiguration {
	c := &WorkGroupConfiguration{
		ResultConfiguration: &ResultConfiguration{
			OutputLocation:          given(g.OutputLocation),
			EncryptionConfiguration: encryptionShape(g.Encryption),
		},
		EnforceWorkGroupConfiguration:        &g.EnforceConfiguration,
		PublishCloudWatchMetricsEnabled:      &g.PublishMetrics,
		RequesterPaysEnabled:                 new(false),
		EnableMinimumEncryptionConfiguration: new(false),
		EngineVersion:                        engineVersionShape(g.Engine),
		ExecutionRole:                        given(g.ExecutionRole),
	}
	if g.EngineConfiguration != nil {
		c.EngineConfiguration = engineConfigurationShape(*g.EngineConfiguration)
	}
	return c
}
