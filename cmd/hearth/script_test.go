package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"hearth/internal/testenv"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"hearth":    main,
		"handed-on": func() { fmt.Print(handedOn()) }, // see TestHandedOn
		"mortal-hearth": func() { // see TestWalk
			testenv.Moments(os.Getenv("MOMENTS")).Heed("the command")
			main()
		},
	})
}

// The scripts run the program as a shell does. None of them gets as far as
// Spark: package conformance does.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HEARTH_HOME", e.WorkDir+"/home")
			return nil
		},
	})
}
