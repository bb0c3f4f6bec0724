package main

import (
	"runtime/debug"

	"github.com/alecthomas/kong"
)

const description = `Amazon Athena for Apache Spark's sessions on this machine: each is a real Spark driver.

Run a program in a session of its own:

  hearth run program.py

Serve AWS SDKs and the AWS CLI:

  hearth serve
  eval "$(hearth env)"        in another shell`

// commandLine is all that can be asked of the program.
type commandLine struct {
	globals
	Version kong.VersionFlag `help:"Show the version."`

	Run          runCommand          `cmd:"" help:"Run a Python program in a Spark session of its own."`
	Shell        shellCommand        `cmd:"" help:"Run what is typed, in a session of its own or in one that is there."`
	Serve        serveCommand        `cmd:"" help:"Serve the Athena API."`
	Env          envCommand          `cmd:"" help:"Print what AWS clients need, as exports for a shell."`
	Sessions     sessionsCommands    `cmd:"" help:"Start, list, show, open, wait for and stop sessions."`
	Connect      connectCommand      `cmd:"" help:"Print an address for a session's Spark Connect clients."`
	Calculations calculationCommands `cmd:"" help:"Start, list, show, read and stop calculations."`
	Workgroups   workgroupCommands   `cmd:"" help:"List, show, make, change and delete workgroups."`
	Engines      engineCommands      `cmd:"" help:"Install and list Spark engines."`
	Backup       backupCommand       `cmd:"" help:"Write all that the data directory keeps to a file, also while a server runs."`
	Restore      restoreCommand      `cmd:"" help:"Put a backup into an empty data directory."`
	Doctor       doctorCommand       `cmd:"" help:"Check what sessions need, and say how to mend what is wrong."`
	Bench        benchCommand        `cmd:"" help:"Measure Hearth beside its neighbours."`
	Shim         shimCommand         `cmd:"" hidden:"" help:"Supervise one driver. The server starts it."`
}

// globals are the flags of every command.
type globals struct {
	Data     string `help:"Directory that holds everything. (default: $$HEARTH_HOME, or ~/.hearth)" placeholder:"DIR"`
	Config   string `help:"Configuration file. (default: hearth.toml in the data directory, if it is there)" env:"HEARTH_CONFIG" placeholder:"FILE"`
	Endpoint string `help:"Address of the server. (default: of the one that serves the data directory)" placeholder:"URL"`
	Output   string `help:"How to print answers: text or json." enum:"text,json" default:"text"`
}

func (g *globals) json() bool { return g.Output == "json" }

// version is the module's version: a tag, or the date and the revision of what it
// was built from, with "+dirty" where that was changed. It is "(devel)" where the
// build was told no revision, as with -buildvcs=false.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return build.Main.Version
}
