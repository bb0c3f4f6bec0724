package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"hearth/internal/access"
	"hearth/internal/config"
	"hearth/internal/shim"
)

type doctorCommand struct{}

// Help is kong's long help.
func (doctorCommand) Help() string {
	return `Checks the data directory, the disk, Python, Java, the Spark engine, the address and what earlier
servers left. Each finding that is not ok comes with a remedy. The exit status is 1 when sessions cannot
run as things are.`
}

// health is how bad a finding is.
type health string

const (
	healthy health = "ok"
	odd     health = "warning" // works, or will be seen to
	broken  health = "broken"  // sessions cannot run
)

// finding is the outcome of one check.
type finding struct {
	Check  string `json:"check"`
	Status health `json:"status"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"` // unless Found says it
}

// doctor checks one machine and one data directory. It changes nothing.
type doctor struct {
	settings config.Config
	at       home
	findings []finding
}

// Run makes all checks.
func (doctorCommand) Run(m *Main, g *globals) error {
	ctx, cancel := m.interruptible()
	defer cancel()
	d := &doctor{}
	if err := d.examine(ctx, g); err != nil {
		return err
	}
	if err := d.print(m, g); err != nil {
		return err
	}
	for _, f := range d.findings {
		if f.Status == broken {
			return exitStatus(statusError)
		}
	}
	return nil
}

func (d *doctor) print(m *Main, g *globals) error {
	if g.json() {
		return printJSON(m.Stdout, map[string][]finding{"checks": d.findings})
	}
	t := newTable(m.Stdout)
	for _, f := range d.findings {
		t.row(string(f.Status), f.Check, f.Found)
		if f.Remedy != "" {
			t.row("", "", "→ "+f.Remedy)
		}
	}
	return t.flush()
}

func (d *doctor) note(check string, status health, found, remedy string) {
	d.findings = append(d.findings, finding{check, status, found, remedy})
}

func (d *doctor) examine(ctx context.Context, g *globals) error {
	var err error
	d.settings, err = g.settings()
	if err == nil {
		err = d.settings.Check()
	}
	if err != nil {
		d.note("settings", broken, err.Error(), "")
		return nil // other settings are not worth a look
	}
	d.at = home(d.settings.Data)
	d.data()
	d.disk()
	d.engine(ctx)
	d.server(ctx)
	return ctx.Err()
}

const anotherDirectory = "choose another directory with --data or HEARTH_HOME"

// data looks at the data directory and its keys.
func (d *doctor) data() {
	dir, found := d.settings.Data, d.settings.Data
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		dir, found = existing(dir), found+", made at the first start"
		info, err = os.Stat(dir)
	}
	switch {
	case err != nil:
		d.note("data", broken, err.Error(), "Make it readable for this user, or "+anotherDirectory+".")
		return
	case !info.IsDir():
		d.note("data", broken, dir+" is no directory", "Remove it, or "+anotherDirectory+".")
		return
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		d.note("data", broken, err.Error(), "Make the directory writable for this user, or "+anotherDirectory+".")
		return
	}
	probe.Close()
	os.Remove(probe.Name())
	if _, err := os.Stat(d.at.keysFile()); err == nil {
		if _, err := access.Open(d.settings.Data); err != nil {
			d.note("data", broken, err.Error(), "")
			return
		}
	}
	d.note("data", healthy, found, "")
}

// Free disk, in bytes.
const (
	roomForWork = 1 << 30  // what a while of work wants
	roomToStart = 64 << 20 // with less than that the first calculation may fill the disk
)

// disk looks at the room for data. That for engines is theirs to check.
func (d *doctor) disk() {
	free, err := diskFree(existing(d.settings.Data))
	found := fmt.Sprintf("%s free for data", humanize.Bytes(free))
	switch {
	case err != nil:
		d.note("disk", odd, err.Error(), "Check that there is room for data.")
	case free < roomToStart:
		d.note("disk", broken, found, "Make room, or "+anotherDirectory+".")
	case free < roomForWork:
		d.note("disk", odd, found, "Make room, or "+anotherDirectory+".")
	default:
		d.note("disk", healthy, found, "")
	}
}

// existing is a directory, or the nearest one above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// engine looks at Spark, and at what it needs. Sessions can do without an
// engine, which they install, and without its archive.
func (d *doctor) engine(ctx context.Context) {
	for _, c := range enginesOf(d.settings).Checks(ctx) {
		status := healthy
		switch {
		case c.OK:
		case c.Name == "engine", c.Name == "class archive":
			status = odd
		default:
			status = broken
		}
		d.note(c.Name, status, c.Detail, c.Remedy)
	}
}

// server looks at the address, and at what a server left.
func (d *doctor) server(ctx context.Context) {
	record, waiting, err := findServer(ctx, d.at)
	if err == nil {
		found := fmt.Sprintf("%s, served by process %d", record.Address, record.PID)
		if waiting == "" {
			d.note("server", healthy, found, "")
		} else {
			d.note("server", odd, found+", which is not ready: "+waiting, "Wait for it.")
		}
		return
	}
	listener, err := net.Listen("tcp", d.settings.Listen)
	if err != nil {
		d.note("server", broken, err.Error(), "Stop the program that has the address, or choose another one: hearth serve --listen, or listen in "+d.at.configFile()+".")
	} else {
		listener.Close()
		d.note("server", healthy, "none runs, and "+d.settings.Listen+" is free", "")
	}
	d.leftovers()
}

// leftovers are what a server leaves on purpose, or because it was killed.
func (d *doctor) leftovers() {
	if _, err := os.Stat(d.at.recordFile()); err == nil {
		d.note("leftovers", odd, "the last server was killed", "Nothing is lost: the next start goes on from there. hearth serve")
	}
	bundles, err := filepath.Glob(filepath.Join(d.at.driversDir(), "*"))
	if err != nil {
		return // of a pattern that is none
	}
	live := 0
	for _, bundle := range bundles {
		if locked, err := shim.Locked(bundle); err == nil && locked {
			live++
		}
	}
	if live > 0 {
		d.note("leftovers", odd, fmt.Sprintf("sessions that go on without a server, until they have been idle for long enough: %d", live),
			"To use them or to end them: hearth serve")
	}
}
