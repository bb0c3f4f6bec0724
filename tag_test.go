package hearth_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hearth"
)

func TestNewTags(t *testing.T) {
	t.Run("keeps keys with their values", func(t *testing.T) {
		tags, err := hearth.NewTags([]hearth.Tag{{Key: "b", Value: "2"}, {Key: "a"}, {Key: "awsome"}})
		if want := (hearth.Tags{"a": "", "b": "2", "awsome": ""}); err != nil || !maps.Equal(tags, want) {
			t.Errorf("got %v, %v", tags, err)
		}
		if got, want := tags.List(), []hearth.Tag{{Key: "a"}, {Key: "awsome"}, {Key: "b", Value: "2"}}; !slices.Equal(got, want) {
			t.Errorf("listed %v", got)
		}
	})
	many := make([]hearth.Tag, hearth.MaxTags+1)
	for i := range many {
		many[i].Key = fmt.Sprint(i)
	}
	if _, err := hearth.NewTags(many[1:]); err != nil {
		t.Error(err)
	}
	for words, list := range map[string][]hearth.Tag{
		"no key": {{Value: "x"}}, "reserved": {{Key: "Aws:x"}}, "twice": {{Key: "a"}, {Key: "a"}}, "51 tags": many,
	} {
		t.Run("refuses "+words, func(t *testing.T) {
			_, err := hearth.NewTags(list)
			if hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(fmt.Sprint(err), words) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParseARN(t *testing.T) {
	for text, want := range map[string]hearth.Resource{
		"arn:aws:athena:us-east-1:123456789012:workgroup/etl":                                   {WorkGroup: "etl"},
		"arn:aws-cn:athena:cn-north-1:123456789012:workgroup/a.b_c-D":                           {WorkGroup: "a.b_c-D"},
		"arn:aws-us-gov:athena:::workgroup/etl":                                                 {WorkGroup: "etl"},
		"arn:aws:athena:us-east-1:1:workgroup/etl/session/a2c1ebba-ad01-865f-ed2d-a142b7451f7e": {WorkGroup: "etl", SessionID: "a2c1ebba-ad01-865f-ed2d-a142b7451f7e"},
	} {
		if got, err := hearth.ParseARN(text); got != want || err != nil {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "etl", "workgroup/etl", "arn:aws:athena:us-east-1:1:workgroup/", "arn:aws:athena:us-east-1:1:workgroup/etl/session/",
		"arn:aws:athena:us-east-1:1:workgroup/etl/other/x", "arn:aws:athena:us-east-1:1:datacatalog/etl", "arn:aws:s3:::workgroup/etl",
		"arn:aws:athena:us-east-1:1:workgroup/etl\n", "x arn:aws:athena:us-east-1:1:workgroup/etl",
	} {
		if got, err := hearth.ParseARN(text); hearth.KindOf(err) != hearth.KindInvalid {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}
