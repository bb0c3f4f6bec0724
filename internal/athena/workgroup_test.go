package athena_test

import (
	"bytes"
	"reflect"
	"testing"

	"hearth"
)

func TestHandler_WorkGroupsAndTags(t *testing.T) {
	const arn = "arn:aws:athena:us-east-1:123456789012:workgroup/etl"
	for _, test := range []struct {
		operation string
		body      string
		asked     any
		answer    string
	}{
		{
			"CreateWorkGroup", `{"Name":"etl","Tags":[{"Key":"b","Value":"2"},{"Key":"a"}]}`,
			[]hearth.Tag{{Key: "b", Value: "2"}, {Key: "a"}},
			"",
		},
		{"CreateWorkGroup", `{"Name":"etl"}`, []hearth.Tag(nil), ""},
		{"CreateWorkGroup", `{"Name":"etl","Tags":[]}`, []hearth.Tag{}, ""},
		{"UpdateWorkGroup", `{"WorkGroup":"etl"}`, "etl", ""},
		{"DeleteWorkGroup", `{"WorkGroup":"etl"}`, [2]any{"etl", false}, ""},
		{"DeleteWorkGroup", `{"WorkGroup":"etl","RecursiveDeleteOption":true}`, [2]any{"etl", true}, ""},
		{"TagResource", `{"ResourceARN":"` + arn + `","Tags":[{"Key":"a","Value":""}]}`, [2]any{arn, []hearth.Tag{{Key: "a"}}}, ""},
		{"UntagResource", `{"ResourceARN":"` + arn + `","TagKeys":["a","b"]}`, [2]any{arn, []string{"a", "b"}}, ""},
		{"ListTagsForResource", `{"ResourceARN":"` + arn + `"}`, arn, `{"Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":""}]}`},
		{"ListApplicationDPUSizes", `{}`, nil, `{"ApplicationDPUSizes":[{"ApplicationRuntimeId":"Athena notebook version 1","SupportedDPUSizes":[1]}]}`},
	} {
		t.Run(test.operation+" "+test.body, func(t *testing.T) {
			f := bare()
			w := call(handler(f, new(bytes.Buffer)), test.operation, test.body)
			if w.Code != 200 || w.Body.String() != test.answer {
				t.Errorf("got  %d %s\nwant 200 %s", w.Code, w.Body, test.answer)
			}
			if !reflect.DeepEqual(f.asked, test.asked) {
				t.Errorf("asked for %#v, want %#v", f.asked, test.asked)
			}
		})
	}

	const one = "1 validation error detected: Value at '"
	for body, message := range map[string]string{
		`{"WorkGroup":"etl","State":"GONE"}`: one + "state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]",
		`{"WorkGroup":"etl","ConfigurationUpdates":{"BytesScannedCutoffPerQuery":1}}`: one + "configurationUpdates.bytesScannedCutoffPerQuery' failed to satisfy constraint: " +
			"Member must have value greater than or equal to 10000000",
	} {
		t.Run("UpdateWorkGroup "+body, func(t *testing.T) {
			if w := call(handler(full(), new(bytes.Buffer)), "UpdateWorkGroup", body); w.Body.String() != invalidRequest("INVALID_INPUT", message) {
				t.Errorf("got  %s\nwant %s", w.Body, invalidRequest("INVALID_INPUT", message))
			}
		})
	}
}
