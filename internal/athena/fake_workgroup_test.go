package athena_test

import (
	"context"

	"hearth"
)

func (f *fake) CreateWorkGroup(_ context.Context, g hearth.WorkGroup, tags []hearth.Tag) error {
	f.note(tags, hearth.Page{})
	f.group = g
	return f.err
}

func (f *fake) UpdateWorkGroup(_ context.Context, name string, change func(*hearth.WorkGroup)) error {
	f.note(name, hearth.Page{})
	change(&f.group)
	return f.err
}

func (f *fake) DeleteWorkGroup(_ context.Context, name string, recursive bool) error {
	f.note([2]any{name, recursive}, hearth.Page{})
	return f.err
}

func (f *fake) Tag(_ context.Context, arn string, tags []hearth.Tag) error {
	f.note([2]any{arn, tags}, hearth.Page{})
	return f.err
}

func (f *fake) Untag(_ context.Context, arn string, keys []string) error {
	f.note([2]any{arn, keys}, hearth.Page{})
	return f.err
}

func (f *fake) Tags(_ context.Context, arn string) (hearth.Tags, error) {
	f.note(arn, hearth.Page{})
	return hearth.Tags{"b": "", "a": "1"}, f.err
}
