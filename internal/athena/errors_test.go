package athena

import (
	"strings"
	"testing"

	"hearth"
)

func TestAnswers_EveryKindHasOne(t *testing.T) {
	for kind := hearth.Kind(0); !strings.HasPrefix(kind.String(), "Kind("); kind++ {
		if answers[kind].errorType == "" || answers[kind].status == 0 {
			t.Errorf("no answer for kind %q", kind)
		}
	}
}
