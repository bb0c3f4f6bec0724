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
	"hearth/internal/spark"
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

// finding is the outcome of one check: what was found and, unless that is
// well, what to do.
type finding struct {
	Check   string `json:"check"`
	Status  health `json:"status"`
	Message string `json:"message"`
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
		t.row(string(f.Status), f.Check, f.Message)
	}
	return t.flush()
}

func (d *doctor) note(check string, status health, format string, args ...any) {
	d.findings = append(d.findings, finding{check, status, fmt.Sprintf(format, args...)})
}

func (d *doctor) examine(ctx context.Context, g *globals) error {
	var err error
	d.settings, err = g.settings()
	if err == nil {
		err = d.settings.Check()
	}
	if err != nil {
		d.note("settings", broken, "%v", err)
		return nil // of other settings there is nothing to say
	}
	d.at = home(d.settings.Data)
	d.data()
	d.disk()
	d.engine(ctx)
	d.server(ctx)
	return ctx.Err()
}

// data looks at the data directory and its keys.
func (d *doctor) data() {
	info, err := os.Stat(string(d.at))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.note("Data", healthy, "%s will be made at the first start.", d.at)
		return
	case err != nil:
		d.note("Data", broken, "The data directory cannot be read: %v. Choose another one with --data or HEARTH_HOME.", err)
		return
	case !info.IsDir():
		d.note("Data", broken, "%s is not a directory. Choose another one with --data or HEARTH_HOME.", d.at)
		return
	}
	probe, err := os.CreateTemp(string(d.at), ".doctor-*")
	if err != nil {
		d.note("Data", broken, "The data directory cannot be written: %v. Give it to this user, or choose another one with --data or HEARTH_HOME.", err)
		return
	}
	probe.Close()
	os.Remove(probe.Name())
	if _, err := os.Stat(d.at.keysFile()); err == nil {
		if _, err := access.Open(string(d.at)); err != nil {
			d.note("Data", broken, "%v", err)
			return
		}
	}
	d.note("Data", healthy, "%s", d.at)
}

// Free bytes that are wanted: for an installation of an engine, with what pip
// unpacks meanwhile, and for a while of work.
const (
	roomForEngine = 3 << 30
	roomForWork   = 1 << 30
)

// disk looks at the room in the file systems of the data and the engines.
func (d *doctor) disk() {
	needs := map[string]uint64{d.settings.Data: roomForWork}
	if _, err := enginesOf(d.settings).Find(spark.DefaultVersion); err != nil {
		needs[d.settings.Engines] = roomForEngine
	}
	for _, dir := range []string{d.settings.Data, d.settings.Engines} {
		need, asked := needs[dir]
		if !asked {
			continue
		}
		free, err := diskFree(existing(dir))
		switch {
		case err != nil:
			d.note("Disk", odd, "How much room %s has cannot be told: %v.", dir, err)
		case free < need:
			d.note("Disk", broken, "%s has %s free and needs %s. Make room, or choose another disk with HEARTH_HOME or HEARTH_ENGINES.", dir, humanize.IBytes(free), humanize.IBytes(need))
		default:
			d.note("Disk", healthy, "%s free in %s", humanize.IBytes(free), dir)
		}
	}
}

// existing is the directory itself, or the nearest above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// engine looks at Spark and what it runs on.
func (d *doctor) engine(ctx context.Context) {
	engine, err := enginesOf(d.settings).Find(spark.DefaultVersion)
	_ = engine
	_ = err
}

// server looks at the address and at what earlier servers left.
func (d *doctor) server(ctx context.Context) {
	record, waiting, err := findServer(ctx, d.at)
	switch {
	case err == nil && waiting == "":
		d.note("Address", healthy, "%s, served by process %d", record.Address, record.PID)
		return
	case err == nil:
		d.note("Address", odd, "%s, served by process %d, which is not ready: %s. Wait for it.", record.Address, record.PID, waiting)
		return
	}
	listener, err := net.Listen("tcp", d.settings.Listen)
	if err != nil {
		d.note("Address", broken, "hearth serve cannot listen at %s: %v. Choose another address with --listen, or listen in %s.", d.settings.Listen, err, d.at.configFile())
	} else {
		listener.Close()
		d.note("Address", healthy, "%s is free; no server runs", d.settings.Listen)
	}
	d.leftovers()
}

// leftovers are what a server leaves on purpose, or because it was killed.
func (d *doctor) leftovers() {
	if _, err := os.Stat(d.at.recordFile()); err == nil {
		d.note("Leftovers", odd, "The last server was killed. The next start cleans up after it: hearth serve.")
	}
	bundles, err := os.ReadDir(d.at.driversDir())
	if err != nil {
		return // there are none
	}
	live := 0
	for _, bundle := range bundles {
		if locked, err := shim.Locked(filepath.Join(d.at.driversDir(), bundle.Name())); err == nil && locked {
			live++
		}
	}
	if live > 0 {
		d.note("Leftovers", odd, "%d sessions run without a server, until their idle timeout. To take them up: hearth serve.", live)
	}
}
