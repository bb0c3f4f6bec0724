package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hearth"
	"hearth/bench"
	"hearth/internal/config"
)

type benchCommand struct {
	List       bool          `help:"List the figures and measure nothing."`
	Only       []string      `help:"Measure only these figures." placeholder:"FIGURE"`
	Runs       int           `help:"How often what takes seconds is measured." default:"3" placeholder:"N"`
	Period     time.Duration `name:"seconds" help:"How long what is a rate is measured." default:"5s" placeholder:"D"`
	Sessions   int           `help:"Idle sessions at once, of the figure memory." default:"4" placeholder:"N"`
	Storm      int           `help:"Sessions that are started at once, of the figure storm." default:"200" placeholder:"N"`
	For        time.Duration `help:"How long the figure long takes." default:"30m" placeholder:"D"`
	Peers      string        `help:"Where bench/peers/setup.sh has installed what Hearth is compared with, or none. (default: peers in HEARTH_HOME)" placeholder:"DIR"`
	Livy       string        `help:"An unpacked distribution of Apache Livy for Scala 2.12, to be compared with, too." placeholder:"DIR"`
	JSON       string        `name:"json" help:"Also write the report, with all that was measured, to this file." placeholder:"FILE"`
	BareServer string        `hidden:"" placeholder:"HOST:PORT"`
}

// Help is kong's long help.
func (benchCommand) Help() string {
	return `Measures Hearth beside its neighbours, on this machine and in one run: read the ratios. Each figure serves a
scratch directory with this program, on loopback, and ends what it has started; the data directory is not
touched. Installs Spark when there is none. docs/benchmarks.md tells how each figure is measured.`
}

// Run measures, or lists what can be.
func (c *benchCommand) Run(m *Main, g *globals) error {
	ctx, cancel := m.interruptible()
	defer cancel()
	switch {
	case c.BareServer != "":
		return bench.ServeBare(ctx, c.BareServer)
	case c.List:
		return c.list(m, g)
	}
	options, err := c.options(m, g)
	if err != nil {
		return err
	}
	report, err := bench.Run(ctx, options)
	if report == nil || errors.Is(err, context.Canceled) && len(report.Rows) == 0 {
		return err
	}
	if g.json() {
		err = errors.Join(err, printJSON(m.Stdout, report))
	} else {
		err = errors.Join(err, report.Print(m.Stdout))
	}
	if c.JSON != "" {
		err = errors.Join(err, report.Write(c.JSON))
	}
	return err
}

func (c *benchCommand) list(m *Main, g *globals) error {
	if g.json() {
		return printJSON(m.Stdout, map[string]any{"figures": bench.Figures()})
	}
	t := newTable(m.Stdout)
	for _, f := range bench.Figures() {
		about := f.About
		if f.OnlyNamed {
			about += " (only when named)"
		}
		t.row(f.Name, about)
	}
	return t.flush()
}

func (c *benchCommand) options(m *Main, g *globals) (bench.Options, error) {
	settings, err := g.settings()
	if err != nil {
		return bench.Options{}, err
	}
	binary, err := os.Executable()
	if err != nil {
		return bench.Options{}, hearth.Internal(err, "finding the program itself")
	}
	o := bench.Options{
		Binary: binary, Version: version(), Engines: enginesOf(settings), Command: "hearth " + strings.Join(os.Args[1:], " "),
		Only: c.Only, Runs: c.Runs, Period: c.Period, Sessions: c.Sessions, Storm: c.Storm, For: c.For,
		Peers: c.Peers, Livy: c.Livy, Progress: m.Stderr,
	}
	switch c.Peers {
	case "":
		o.Peers = filepath.Join(config.Default().Data, "peers")
	case "none":
		o.Peers = ""
	}
	if err := o.Check(); err != nil {
		return o, usageError{err}
	}
	if c.JSON != "" {
		if err := writable(c.JSON); err != nil {
			return o, usagef("the report cannot be written: %v", err)
		}
	}
	return o, nil
}

// writable tries whether a file can be written, before there is something to
// write, and leaves it as it was.
func writable(path string) error {
	_, before := os.Stat(path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	err = file.Close()
	if errors.Is(before, fs.ErrNotExist) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
