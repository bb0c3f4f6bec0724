package main

import (
	"errors"
	"log/slog"

	"hearth/internal/spark"
)

type serveCommand struct {
	Listen            string `help:"Address to listen at. (default: 127.0.0.1:8650)" placeholder:"HOST:PORT"`
	InsecureListen    bool   `help:"Allow an address that other machines reach, without TLS."`
	WarmDrivers       *int   `help:"How many drivers wait for sessions. (default: 1)" placeholder:"N"`
	EndSessionsOnExit bool   `help:"End all sessions when the server ends, and the drivers that wait for some."`
}

// Help is kong's long help.
func (serveCommand) Help() string {
	return `Serves the Athena API at POST /, S3 objects at /bucket/key, sessions for browsers at /ui/ and /ok, all
at one address. Requests have to be signed with a key of the data directory; hearth env prints it. A
browser is let in by hearth sessions open.

The server logs to stderr. It is ready when /ok answers 200; until then it answers what it waits for:
the first start installs Spark. Sessions go on when it is stopped, and the next start takes them up.`
}

// Run serves until a signal comes.
func (c *serveCommand) Run(m *Main, g *globals) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	if c.Listen != "" {
		settings.Listen = c.Listen
	}
	if c.WarmDrivers != nil {
		settings.WarmDrivers = *c.WarmDrivers
	}
	settings.InsecureListen = settings.InsecureListen || c.InsecureListen
	if err := settings.Check(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(m.Stderr, nil))
	s, err := newServer(settings, serverOptions{EndSessions: c.EndSessionsOnExit, Log: log, Progress: logged(log)})
	if err != nil {
		return err
	}
	ctx, cancel := m.interruptible()
	defer cancel()
	err = s.Run(ctx)
	return errors.Join(err, s.Close())
}

// logged writes a line for each step of an installation.
func logged(log *slog.Logger) spark.Progress {
	step := 0
	return func(r spark.Report) {
		if r.Step != step && !r.End {
			step = r.Step
			log.Info("installing Spark", "step", r.Step, "steps", r.Steps, "name", r.Name)
		}
	}
}
