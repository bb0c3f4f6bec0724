package main

import "hearth/internal/shim"

// shimCommand is the process that owns one driver. Servers start it.
type shimCommand struct {
	Bundle string `arg:"" help:"Directory of the driver."`
}

// Run supervises the driver until it has ended.
func (c *shimCommand) Run() error {
	if status := shim.Main(c.Bundle); status != 0 {
		return exitStatus(status)
	}
	return nil
}
