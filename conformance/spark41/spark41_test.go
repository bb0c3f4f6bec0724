// Package spark41 tells the stories of sessions on Spark 4.1.
package spark41

import (
	"fmt"
	"os"
	"testing"

	"hearth/conformance"
)

// TestMain goes where the stories have their files.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestHearth(t *testing.T) { conformance.Tell(t, conformance.Spark41, conformance.Sessions) }
