package athena

import (
	"context"

	"hearth"
)

func (a *api) tagResource(ctx context.Context, in *TagResourceInput) (*TagResourceOutput, error) {
	return new(TagResourceOutput), a.sessions.Tag(ctx, value(in.ResourceARN), tags(in.Tags))
}

func (a *api) untagResource(ctx context.Context, in *UntagResourceInput) (*UntagResourceOutput, error) {
	return new(UntagResourceOutput), a.sessions.Untag(ctx, value(in.ResourceARN), in.TagKeys)
}

func (a *api) listTagsForResource(ctx context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	all, err := a.sessions.Tags(ctx, value(in.ResourceARN))
	if err != nil {
		return nil, err
	}
	some, next, err := cut(hearth.ListingOf("tags", value(in.ResourceARN)), all.List(), page(in.MaxResults, in.NextToken, ruleMaxTagsCount))
	if err != nil {
		return nil, err
	}
	out := &ListTagsForResourceOutput{Tags: make([]Tag, 0, len(some)), NextToken: given(string(next))}
	for _, tag := range some {
		out.Tags = append(out.Tags, Tag{Key: &tag.Key, Value: &tag.Value})
	}
	return out, nil
}

// tags keeps an absent list apart from an empty one.
func tags(in []Tag) []hearth.Tag {
	if in == nil {
		return nil
	}
	list := make([]hearth.Tag, 0, len(in))
	for _, tag := range in {
		list = append(list, hearth.Tag{Key: value(tag.Key), Value: value(tag.Value)})
	}
	return list
}
