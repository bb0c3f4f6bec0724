package hearth_test

import (
	"testing"

	"hearth"
)

func TestEncryptionCheck(t *testing.T) {
	for _, good := range []*hearth.Encryption{
		nil, {Option: hearth.SSES3}, {Option: hearth.SSEKMS, KMSKey: "alias/k"}, {Option: hearth.CSEKMS, KMSKey: "alias/k"},
	} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	engine, err := hearth.SelectEngine(hearth.EnginePySpark3)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []*hearth.Encryption{{Option: hearth.SSES3, KMSKey: "alias/k"}, {Option: hearth.SSEKMS}, {Option: hearth.CSEKMS}} {
		if err := bad.Check(); hearth.KindOf(err) != hearth.KindInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
		group := hearth.WorkGroup{Engine: engine, WorkGroupSettings: hearth.WorkGroupSettings{ExecutionRole: "role", Encryption: bad}}
		if err := group.Check(); hearth.KindOf(err) != hearth.KindInvalid {
			t.Errorf("a workgroup with %+v: %v", bad, err)
		}
	}
}
