package main

import (
	"hearth"
	"hearth/internal/config"
	"hearth/internal/spark"
)

// enginesOf are the engines of a server with these settings.
func enginesOf(settings config.Config) spark.Engines {
	return spark.Engines{
		Dir:    settings.Engines,
		Python: settings.Python,
		Java:   settings.Java,
		Index:  settings.PipIndexURL,
		Maven:  settings.MavenURL,
		Memory: settings.DriverMemory,

		Warehouse: home(settings.Data).warehouse(),
	}
}

type engineCommands struct {
	Install enginesInstall `cmd:"" help:"Install a Spark engine, or go on with an installation."`
	List    enginesList    `cmd:"" help:"List the installed engines."`
}

type enginesInstall struct {
	Version string               `arg:"" optional:"" default:"${engine}" help:"Version of Spark. (default: ${engine})"`
	With    []hearth.TableFormat `help:"Also the table formats: iceberg, delta or both. The server does it for those in its configuration." placeholder:"FORMAT,…" enum:"iceberg,delta"`
}

// Run installs the engine.
func (c *enginesInstall) Run(m *Main, g *globals) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	ctx, cancel := m.interruptible()
	defer cancel()
	engines, progress := enginesOf(settings), spark.TerminalProgress(m.Stderr)
	engine, err := engines.Install(ctx, c.Version, progress)
	if err == nil {
		err = engines.InstallFormats(ctx, c.Version, c.With, progress)
	}
	if err != nil {
		return err
	}
	return showEngines(m, g, engine)
}

type enginesList struct{}

// Run lists the engines.
func (enginesList) Run(m *Main, g *globals) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	engines, err := enginesOf(settings).List()
	if err != nil {
		return err
	}
	return showEngines(m, g, engines...)
}

func showEngines(m *Main, g *globals, engines ...*spark.Engine) error {
	if g.json() {
		return printJSON(m.Stdout, map[string][]*spark.Engine{"engines": engines})
	}
	t := newTable(m.Stdout, "SPARK", "PYTHON", "JAVA", "INSTALLED", "HOME")
	for _, engine := range engines {
		t.row(engine.Version, engine.Python.Version, engine.Java.Version, shown(engine.Installed), engine.SparkHome)
	}
	return t.flush()
}
