package main

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"

	"hearth"
	"hearth/internal/config"
)

// home is the data directory: everything that a server keeps but the engines.
type home string

func (h home) storeFile() string    { return filepath.Join(string(h), "hearth.db") }
func (h home) catalogFile() string  { return filepath.Join(string(h), "catalog.db") }
func (h home) warehouseDir() string { return filepath.Join(string(h), "warehouse") }
func (h home) driversDir() string   { return filepath.Join(string(h), "drivers") }
func (h home) objectsDir() string   { return filepath.Join(string(h), "objects") }
func (h home) configFile() string   { return filepath.Join(string(h), "hearth.toml") }
func (h home) lockFile() string     { return filepath.Join(string(h), "server.lock") }
func (h home) recordFile() string   { return filepath.Join(string(h), "server.json") }
func (h home) keysFile() string     { return filepath.Join(string(h), "keys.json") }
func (h home) logFile() string      { return filepath.Join(string(h), "server.log") }
func (h home) historyFile() string  { return filepath.Join(string(h), "shell.history") }
func (h home) restoreDir() string   { return filepath.Join(string(h), "restore.partial") }

// warehouse is the URI of the tables that are made without a place of their own.
func (h home) warehouse() string {
	return (&url.URL{Scheme: "file", Path: h.warehouseDir()}).String()
}

// extractedDir has what a restore has taken out of the backup.
func (h home) extractedDir() string { return filepath.Join(h.restoreDir(), "extracted") }

// passing are the entries of a data directory that a backup does not take as
// they are: the databases and the objects, which it takes in ways of their own,
// and what belongs to this machine's processes or can be had again. All others
// are in a backup, so that a file that comes to be cannot be forgotten.
var passing = []string{
	"hearth.db*", "catalog.db*", "objects",
	"drivers", "engines",
	"server.*", "keys.json.*", "objects.key.*", "authority.pem.*", "roots.pem*", "restore.partial", ".*",
}

// kept lists the entries that are not passing. The directory of engines may
// have any name.
func (h home) kept(engines string) ([]string, error) {
	entries, err := os.ReadDir(string(h))
	if err != nil {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The data directory cannot be read: %w.", err)
	}
	var names []string
	for _, e := range entries {
		passes := slices.ContainsFunc(passing, func(pattern string) bool {
			match, _ := path.Match(pattern, e.Name()) // the patterns are well-formed
			return match
		})
		if !passes && filepath.Join(string(h), e.Name()) != engines {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// checkWhole refuses a directory with half of a backup, and one that has lost
// its database: a new one would make strays of all drivers.
func (h home) checkWhole() error {
	if _, err := os.Lstat(h.restoreDir()); !errors.Is(err, fs.ErrNotExist) {
		return hearth.Errorf(hearth.KindUnavailable, "A restore into %s was interrupted. Do it again: hearth restore FILE --data %s.", h, h)
	}
	if _, err := os.Lstat(h.storeFile()); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if drivers, _ := os.ReadDir(h.driversDir()); len(drivers) > 0 {
		return hearth.Errorf(hearth.KindUnavailable, "%s is gone, and %s has drivers whose sessions are recorded in it. Put the file back, or the one of a backup. "+
			"To begin anew instead, which ends these drivers, make it as an empty file.", h.storeFile(), h.driversDir())
	}
	return nil
}

// make creates the directory. It is its owner's alone.
func (h home) make() error {
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The data directory cannot be made: %w. Choose another one with --data or HEARTH_HOME.", err)
	}
	return nil
}

// settings are those of the configuration file and the flags. A server checks
// them.
func (g *globals) settings() (config.Config, error) {
	c, err := g.load()
	if err != nil {
		return c, err
	}
	if g.Data != "" {
		c.Data = g.Data
	}
	if c.Data == "" || c.Engines == "" {
		return c, c.Check() // made absolute, they would be wherever we happen to be
	}
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return c, err
	}
	c.Engines, err = filepath.Abs(c.Engines)
	return c, err
}

// load reads the configuration file: the one that was named, or the data
// directory's own if it has one.
func (g *globals) load() (config.Config, error) {
	if g.Config != "" {
		return config.Load(g.Config)
	}
	c := config.Default()
	if g.Data != "" {
		c.Data = g.Data
	}
	file := home(c.Data).configFile()
	if _, err := os.Stat(file); err != nil {
		return c, nil
	}
	return config.Load(file)
}
