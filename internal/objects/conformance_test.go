package objects_test

import (
	"testing"

	"hearth"
	"hearth/internal/objectstest"
)

func TestObjects(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) (hearth.Objects, string) {
		s, _ := open(t)
		return s, "hearth"
	})
}
