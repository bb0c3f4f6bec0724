package main

import (
	"context"

	"hearth/internal/athena"
)

type workgroupCommands struct {
	List workgroupsList `cmd:"" help:"List the workgroups by name."`
	Show workgroupsShow `cmd:"" help:"Show all about a workgroup."`
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
