package main

import (
	"io"
	"log/slog"

	"hearth/internal/metastore"
	"hearth/internal/shim"
)

// shimCommand is the process that owns one driver. Servers start it.
type shimCommand struct {
	Bundle string `arg:"" help:"Directory of the driver."`
}

// Run supervises the driver until it has ended.
func (c *shimCommand) Run() error {
	if status := shim.Main(c.Bundle, serveCatalog); status != 0 {
		return exitStatus(status)
	}
	return nil
}

// serveCatalog is the shim's way to the catalog.
func serveCatalog(path, bundle string, files *shim.Files, log *slog.Logger) (io.Closer, []string, error) {
	return metastore.Serve(path, bundle, files, log)
}
