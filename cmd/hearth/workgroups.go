package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hearth"
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
		results := value(configuration.ResultConfiguration)
		t.field("results", value(results.OutputLocation))
		demanded := value(configuration.EnableMinimumEncryptionConfiguration) && !value(configuration.EnforceWorkGroupConfiguration)
		t.field("encryption", encryptionLine(value(results.EncryptionConfiguration), demanded))
		t.field("content key", value(value(configuration.CustomerContentEncryptionConfiguration).KMSKey))
		t.field("defaults", defaultsLine(value(configuration.EngineConfiguration)))
		t.field("logging", loggingLine(value(configuration.MonitoringConfiguration)))
		t.field("role", value(configuration.ExecutionRole))
		return t.flush()
	})
}

// encryptionLine is how results are encrypted, and whether they have to be.
func encryptionLine(e athena.EncryptionConfiguration, demanded bool) string {
	line := words(value(e.EncryptionOption), value(e.KMSKey))
	switch {
	case !demanded:
		return line
	case line == "":
		return "demanded, and none is set"
	}
	return line + ", demanded"
}

// defaultsLine is what sessions have that do not say otherwise.
func defaultsLine(engine athena.EngineConfiguration) string {
	var parts []string
	for _, size := range []struct {
		name string
		dpus *int
	}{
		{"coordinator", engine.CoordinatorDPUSize},
		{"executor", engine.DefaultExecutorDPUSize},
		{"most", engine.MaxConcurrentDPUs},
	} {
		if size.dpus != nil {
			parts = append(parts, fmt.Sprintf("%s DPUs %d", size.name, *size.dpus))
		}
	}
	for _, properties := range append([]map[string]string{engine.AdditionalConfigs, engine.SparkProperties}, classified(engine)...) {
		for _, key := range slices.Sorted(maps.Keys(properties)) {
			parts = append(parts, key+"="+properties[key])
		}
	}
	return strings.Join(parts, ", ")
}

// loggingLine is where the logs of sessions go.
func loggingLine(m athena.MonitoringConfiguration) string {
	var parts []string
	place := func(name string, enabled *bool, details ...string) {
		if !value(enabled) {
			details = []string{"off"}
		}
		parts = append(parts, words(append([]string{name}, details...)...))
	}
	if c := m.ManagedLoggingConfiguration; c != nil {
		place("managed", c.Enabled, value(c.KMSKey))
	}
	if c := m.S3LoggingConfiguration; c != nil {
		place("S3", c.Enabled, value(c.LogLocation), value(c.KMSKey))
	}
	if c := m.CloudWatchLoggingConfiguration; c != nil {
		place("CloudWatch", c.Enabled, value(c.LogGroup), value(c.LogStreamNamePrefix))
	}
	return strings.Join(parts, ", ")
}

// words are those that are there, with spaces between.
func words(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(word string) bool { return word == "" }), " ")
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
	if *w == (workgroupsUpdate{Name: w.Name}) {
		return hearth.Errorf(hearth.KindInvalid, "Nothing was given to change in workgroup %s. "+
			"Give --enable or --disable, --results, --role or --description; other settings are changed with aws athena update-work-group.", w.Name)
	}
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
