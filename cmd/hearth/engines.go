package main

import (
	"context"
	"fmt"
	"slices"

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

		EventLogs: settings.EventLogs,
		Warehouse: home(settings.Data).warehouse(),
	}
}

// installEngines makes what sessions run on: the default engine, without which
// there is no server, and those that workgroups have chosen beside it, with the
// table formats that workgroups have. For want of the others the sessions that
// need them cannot start, and all others can.
func (s *server) installEngines(ctx context.Context) error {
	if _, err := s.engines.Install(ctx, spark.DefaultVersion, s.installing); err != nil {
		return err
	}
	versions, err := s.chosenVersions(ctx)
	if err != nil {
		return err
	}
	for _, version := range versions {
		_, err := s.engines.Install(ctx, version, s.installing)
		if err == nil && !s.settings.LightDrivers {
			err = s.engines.InstallFormats(ctx, version, s.settings.TableFormats(), s.installing)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.log.Warn("some sessions cannot start", "spark", version, "table_formats", s.settings.TableFormats(), "error", err)
		}
	}
	return nil
}

// chosenVersions are the default one and those of the workgroups' engines.
func (s *server) chosenVersions(ctx context.Context) ([]string, error) {
	versions := []string{spark.DefaultVersion}
	page := hearth.Page{Limit: 50}
	for {
		groups, next, err := s.store.WorkGroups(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, group := range groups {
			if version := spark.VersionOf(group.Engine.Effective); !slices.Contains(versions, version) {
				versions = append(versions, version)
			}
		}
		if next == "" {
			return versions, nil
		}
		page.After = next
	}
}

// installing is told how the installation of an engine goes.
func (s *server) installing(r spark.Report) {
	s.await(fmt.Sprintf("Spark is being installed, step %d of %d: %s", r.Step, r.Steps, r.Name))
	s.options.Progress(r)
}

type engineCommands struct {
	Install enginesInstall `cmd:"" help:"Install a Spark engine, go on with an installation, or repair one."`
	List    enginesList    `cmd:"" help:"List the installed engines."`
}

type enginesInstall struct {
	Version string               `arg:"" optional:"" default:"${engine}" help:"Version of Spark: ${engines}. (default: ${engine})"`
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
