package main

import (
	"os"
	"path/filepath"

	"hearth"
	"hearth/internal/config"
)

// home is the data directory: everything that a server keeps but the engines.
type home string

func (h home) storeFile() string  { return filepath.Join(string(h), "hearth.db") }
func (h home) driversDir() string { return filepath.Join(string(h), "drivers") }
func (h home) objectsDir() string { return filepath.Join(string(h), "objects") }
func (h home) configFile() string { return filepath.Join(string(h), "hearth.toml") }
func (h home) lockFile() string   { return filepath.Join(string(h), "server.lock") }
func (h home) recordFile() string { return filepath.Join(string(h), "server.json") }
func (h home) keysFile() string   { return filepath.Join(string(h), "keys.json") }
func (h home) logFile() string    { return filepath.Join(string(h), "server.log") }

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
