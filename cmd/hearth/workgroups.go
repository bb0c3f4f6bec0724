package main

import (
	"cmp"
	"context"

	"hearth/internal/athena"
)

type workgroupCommands struct {
	List   workgroupsList   `cmd:"" help:"List the workgroups by name."`
	Show   workgroupsShow   `cmd:"" help:"Show all about a workgroup."`
	Create workgroupsCreate `cmd:"" help:"Make a workgroup."`
	Update workgroupsUpdate `cmd:"" help:"Change a workgroup; sessions that were started before keep what they have."`
	Delete workgroupsDelete `cmd:"" help:"Delete a workgroup."`
}

type workgroupsList struct{}

func (workgroupsList) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		var all athena.ListWorkGroupsOutput
		for request := (athena.ListWorkGroupsInput{}); ; {
			var page athena.ListWorkGroupsOutput
			if _, err := c.call(ctx, "ListWorkGroups", request, &page); err != nil {
				return err
			}
			all.WorkGroups = append(all.WorkGroups, page.WorkGroups...)
			if request.NextToken = page.NextToken; request.NextToken == nil {
				break
			}
		}
		if g.json() {
			return printJSON(m.Stdout, all)
		}
		t := newTable(m.Stdout, "WORKGROUP", "STATE", "ENGINE", "DESCRIPTION")
		for _, group := range all.WorkGroups {
			t.row(value(group.Name), value(group.State), value(value(group.EngineVersion).EffectiveEngineVersion), clipped(value(group.Description), 60))
		}
		return t.flush()
	})
}

type workgroupsShow struct {
	Name string `arg:"" name:"workgroup" help:"Name of the workgroup."`
}

func (w *workgroupsShow) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		var answer athena.GetWorkGroupOutput
		raw, err := c.call(ctx, "GetWorkGroup", athena.GetWorkGroupInput{WorkGroup: &w.Name}, &answer)
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, raw)
		}
		group := value(answer.WorkGroup)
		configuration := value(group.Configuration)
		t := newTable(m.Stdout)
		t.field("workgroup", value(group.Name))
		t.field("state", value(group.State))
		t.field("description", value(group.Description))
		t.field("created", shown(group.CreationTime.Time))
		t.field("engine", value(value(configuration.EngineVersion).EffectiveEngineVersion))
		t.field("results", value(value(configuration.ResultConfiguration).OutputLocation))
		t.field("role", value(configuration.ExecutionRole))
		return t.flush()
	})
}

type workgroupsCreate struct {
	Name        string `arg:"" name:"workgroup" help:"Name of the workgroup."`
	Engine      string `help:"Engine of its sessions, as Athena names it. (default: ${default})" default:"PySpark engine version 3" placeholder:"NAME"`
	Results     string `help:"Location for results. (default: s3://hearth/WORKGROUP/)" placeholder:"S3-URI"`
	Role        string `help:"Execution role that clients are shown. (default: the one of the first workgroups)" placeholder:"ARN"`
	Description string `help:"Description of the workgroup." placeholder:"TEXT"`
}

func (w *workgroupsCreate) Run(m *Main, g *globals) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	return m.ask(g, func(ctx context.Context, c *client) error {
		_, err := c.call(ctx, "CreateWorkGroup", athena.CreateWorkGroupInput{
			Name:        &w.Name,
			Description: given(w.Description),
			Configuration: &athena.WorkGroupConfiguration{
				EngineVersion:       &athena.EngineVersion{SelectedEngineVersion: &w.Engine},
				ExecutionRole:       new(cmp.Or(w.Role, defaultRole(settings.Account))),
				ResultConfiguration: &athena.ResultConfiguration{OutputLocation: new(cmp.Or(w.Results, "s3://"+resultsBucket+"/"+w.Name+"/"))},
			},
		}, nil)
		return err
	})
}

type workgroupsUpdate struct {
	Name        string  `arg:"" name:"workgroup" help:"Name of the workgroup."`
	Enable      bool    `help:"Take new sessions." xor:"state"`
	Disable     bool    `help:"Take no new sessions." xor:"state"`
	Results     string  `help:"Location for results." placeholder:"S3-URI"`
	Role        string  `help:"Execution role that clients are shown." placeholder:"ARN"`
	Description *string `help:"Description of the workgroup." placeholder:"TEXT"`
}

func (w *workgroupsUpdate) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		request := athena.UpdateWorkGroupInput{
			WorkGroup:   &w.Name,
			Description: w.Description,
			ConfigurationUpdates: &athena.WorkGroupConfigurationUpdates{
				ExecutionRole:              given(w.Role),
				ResultConfigurationUpdates: &athena.ResultConfigurationUpdates{OutputLocation: given(w.Results)},
			},
		}
		switch {
		case w.Enable:
			request.State = new("ENABLED")
		case w.Disable:
			request.State = new("DISABLED")
		}
		_, err := c.call(ctx, "UpdateWorkGroup", request, nil)
		return err
	})
}

type workgroupsDelete struct {
	Name      string `arg:"" name:"workgroup" help:"Name of the workgroup."`
	Recursive bool   `help:"End its sessions and delete its notebooks too."`
}

func (w *workgroupsDelete) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		_, err := c.call(ctx, "DeleteWorkGroup", athena.DeleteWorkGroupInput{WorkGroup: &w.Name, RecursiveDeleteOption: &w.Recursive}, nil)
		return err
	})
}
