package athena

import (
	"context"

	"hearth"
)

func (a *api) listEngineVersions(_ context.Context, in *ListEngineVersionsInput) (*ListEngineVersionsOutput, error) {
	versions, next, err := cut(hearth.ListingOf("engine versions"), hearth.EngineVersions(), page(in.MaxResults, in.NextToken, ruleMaxEngineVersionsCount))
	if err != nil {
		return nil, err
	}
	out := &ListEngineVersionsOutput{EngineVersions: make([]EngineVersion, 0, len(versions)), NextToken: given(string(next))}
	for _, version := range versions {
		out.EngineVersions = append(out.EngineVersions, *engineVersionShape(version))
	}
	return out, nil
}

// notebookRuntime is the only application that has DPU sizes: the example of
// Athena's reference.
const notebookRuntime = "Athena notebook version 1"

func (a *api) listApplicationDPUSizes(_ context.Context, in *ListApplicationDPUSizesInput) (*ListApplicationDPUSizesOutput, error) {
	all := []ApplicationDPUSizes{{ApplicationRuntimeID: new(notebookRuntime), SupportedDPUSizes: []int{hearth.DPUSize}}}
	sizes, next, err := cut(hearth.ListingOf("DPU sizes"), all, page(in.MaxResults, in.NextToken, ruleMaxApplicationDPUSizesCount))
	if err != nil {
		return nil, err
	}
	return &ListApplicationDPUSizesOutput{ApplicationDPUSizes: sizes, NextToken: given(string(next))}, nil
}

func engineVersionShape(v hearth.EngineVersion) *EngineVersion {
	return &EngineVersion{SelectedEngineVersion: &v.Selected, EffectiveEngineVersion: &v.Effective}
}

func engineConfiguration(in *EngineConfiguration) hearth.EngineConfiguration {
	c := hearth.EngineConfiguration{
		CoordinatorDPUSize:     value(in.CoordinatorDPUSize),
		MaxConcurrentDPUs:      value(in.MaxConcurrentDPUs),
		DefaultExecutorDPUSize: value(in.DefaultExecutorDPUSize),
		AdditionalConfigs:      in.AdditionalConfigs,
		SparkProperties:        in.SparkProperties,
	}
	for _, class := range in.Classifications {
		c.Classifications = append(c.Classifications, hearth.Classification{Name: value(class.Name), Properties: class.Properties})
	}
	return c
}

func engineConfigurationShape(c hearth.EngineConfiguration) *EngineConfiguration {
	out := &EngineConfiguration{
		CoordinatorDPUSize:     given(c.CoordinatorDPUSize),
		MaxConcurrentDPUs:      given(c.MaxConcurrentDPUs),
		DefaultExecutorDPUSize: given(c.DefaultExecutorDPUSize),
		AdditionalConfigs:      c.AdditionalConfigs,
		SparkProperties:        c.SparkProperties,
	}
	for _, class := range c.Classifications {
		out.Classifications = append(out.Classifications, Classification{Name: given(class.Name), Properties: class.Properties})
	}
	return out
}
