package conformance

import "testing"

func TestHearth(t *testing.T) { Tell(t, Spark35, Sessions) }
