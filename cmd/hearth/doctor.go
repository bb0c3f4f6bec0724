package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/dustin/go-humanize"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/authority"
	"hearth/internal/certificate"
	"hearth/internal/config"
	"hearth/internal/metastore"
	"hearth/internal/shim"
	"hearth/internal/spark"
	"hearth/internal/sqlite"
)

type doctorCommand struct {
	Probe bool `help:"Also begin, and give up, an upload to each named bucket of the stores of others, which tells whether results can be written there. No object comes to be."`
	Fix   bool `help:"Remove what earlier servers left and nobody needs: files and processes of drivers whose sessions are not on record, and temporary files."`
}

// Help is kong's long help.
func (doctorCommand) Help() string {
	return `Checks the data directory, the database, the disk, memory, stores of others, Python, Java, the Spark engine,
certificates, the address and what earlier servers left. Each finding that is not ok comes with a remedy. Nothing is changed without --fix,
and nothing of a session on record with it. The exit status is 1 when sessions cannot run as things are.`
}

// health is how bad a finding is.
type health string

const (
	healthy health = "ok"
	odd     health = "warning" // works, or will be seen to
	broken  health = "broken"  // sessions cannot run
	fixed   health = "fixed"   // was odd
)

// finding is the outcome of one check.
type finding struct {
	Check  string `json:"check"`
	Status health `json:"status"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"` // unless Found says it
}

// doctor checks one machine and one data directory. Unless it is to fix what it
// finds, it changes nothing.
type doctor struct {
	probe    bool // write to stores as far as that leaves nothing
	fix      bool
	settings config.Config
	at       home
	findings []finding
}

// Run makes all checks.
func (c *doctorCommand) Run(m *Main, g *globals) error {
	ctx, cancel := m.interruptible()
	defer cancel()
	d := &doctor{probe: c.Probe, fix: c.Fix}
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
	d.database(ctx)
	d.catalog(ctx)
	d.disk()
	d.memory(ctx)
	d.stores(ctx)
	d.engine(ctx)
	d.certificates()
	d.authority()
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

// database looks through the database, if there is one.
func (d *doctor) database(ctx context.Context) {
	schema, err := sqlite.Examine(ctx, d.at.storeFile())
	switch {
	case hearth.KindOf(err) == hearth.KindNotFound:
	case err != nil:
		d.note("database", broken, inFull(err), "")
	case !sqlite.KnowsSchema(schema):
		d.note("database", broken, fmt.Sprintf("its schema %s is of a newer version of Hearth; this one knows schemas up to %s", schema, sqlite.Schema()),
			"Use the newer version, or "+anotherDirectory+".")
	default:
		d.note("database", healthy, "whole, with the schema "+schema, "")
	}
}

// inFull words an error for whoever has the machine, from whom nothing is kept.
func inFull(err error) string {
	if hearth.KindOf(err) == hearth.KindInternal {
		return err.Error()
	}
	return hearth.MessageOf(err)
}

// catalog looks through the catalog, if there is one.
func (d *doctor) catalog(ctx context.Context) {
	has, err := metastore.Examine(ctx, d.at.catalogFile())
	switch {
	case hearth.KindOf(err) == hearth.KindNotFound:
	case err != nil:
		d.note("catalog", broken, inFull(err), "")
	default:
		d.note("catalog", healthy, fmt.Sprintf("whole, with %d databases and %d tables", has.Databases, has.Tables), "")
	}
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

// memory looks at what sessions may use of it, and at what holds them to that.
func (d *doctor) memory(ctx context.Context) {
	machine, known := machineMemory(os.DirFS("/"))
	rule := d.settings.Memory()
	found := fmt.Sprintf("a session's driver may use %s", hearth.ShowMemory(rule.Heap+rule.Overhead))
	switch server, _, err := findServer(ctx, d.at); {
	case !d.settings.LimitMemory:
		found += " and is not held to it"
	case err == nil && shim.Grouped(server.PID), err != nil && shim.Grouped(os.Getpid()):
		found += ", and its control group holds it to that"
	case runtime.GOOS == "linux":
		found += ", and each of its processes is held to that by itself"
	default:
		found += "; here only Java can be held to its part of it"
	}
	quotas, err := quotasOf(d.settings)
	switch all := quotas.Account.Memory; {
	case err != nil:
		d.note("memory", broken, hearth.MessageOf(err), "")
	case all == 0:
		d.note("memory", healthy, found+"; nothing bounds all of them together", "")
	case known && all > machine:
		d.note("memory", odd, fmt.Sprintf("%s; all of them together %s, of %s that there are", found, hearth.ShowMemory(all), humanize.IBytes(uint64(machine))),
			`Lower memory of [quota], or let the machine decide with "auto".`)
	case rule.Heap+rule.Overhead > all:
		d.note("memory", broken, fmt.Sprintf("%s; all of them together %s", found, hearth.ShowMemory(all)),
			"Raise memory of [quota], or lower driver_memory.")
	default:
		d.note("memory", healthy, fmt.Sprintf("%s; all of them together %s", found, hearth.ShowMemory(all)), "")
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

// engine looks at the Spark that all servers have, and at the others that are
// installed.
func (d *doctor) engine(ctx context.Context) {
	versions := []string{spark.DefaultVersion}
	installed, err := enginesOf(d.settings).List()
	if err != nil {
		d.note("engines", broken, hearth.MessageOf(err), "")
	}
	for _, engine := range installed {
		if engine.Version != spark.DefaultVersion {
			versions = append(versions, engine.Version)
		}
	}
	for _, version := range versions {
		d.version(ctx, version)
	}
}

// version looks at an engine, and at what it needs. Sessions can do without its
// archive; the server's start installs the engine.
func (d *doctor) version(ctx context.Context, version string) {
	for _, c := range enginesOf(d.settings).Checks(ctx, version) {
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
	d.formats(version)
}

// formats looks at the table formats that workgroups have. Without them the
// sessions of other workgroups run.
func (d *doctor) formats(version string) {
	for _, format := range d.settings.TableFormats() {
		c := enginesOf(d.settings).CheckFormat(version, format)
		status := healthy
		if !c.OK {
			status = odd
		}
		d.note(c.Name, status, c.Detail, c.Remedy)
	}
}

// renewal is how long before its end a certificate had better been renewed, as
// most programs that do so have by then.
const renewal = 7 * 24 * time.Hour

// certificates looks at those that are the user's.
func (d *doctor) certificates() {
	for _, c := range []struct{ check, file, key string }{
		{"certificate", d.settings.TLSCertificate, d.settings.TLSKey},
		{"Spark Connect's certificate", d.settings.ConnectCertificate, d.settings.ConnectKey},
	} {
		if c.file == "" {
			continue
		}
		files, err := certificate.Open(c.file, c.key, slog.New(slog.DiscardHandler))
		if err != nil {
			d.note(c.check, broken, hearth.MessageOf(err), "")
			continue
		}
		found, left := c.file+", until "+shown(files.Until()), time.Until(files.Until())
		const remedy = "Renew it. A server that runs takes up the new files by itself."
		switch {
		case left <= 0:
			d.note(c.check, broken, found, remedy)
		case left < renewal:
			d.note(c.check, odd, found, remedy)
		default:
			d.note(c.check, healthy, found, "")
		}
	}
}

// authority looks at what certificates are signed with that Hearth makes, if there
// is any. The server's next start renews it in time.
func (d *doctor) authority() {
	if d.settings.ConnectCertificate != "" {
		return
	}
	until, err := authority.Examine(d.settings.Data)
	switch {
	case hearth.KindOf(err) == hearth.KindNotFound:
	case err != nil:
		d.note("Spark Connect's authority", broken, hearth.MessageOf(err), "")
	default:
		d.note("Spark Connect's authority", healthy, "until "+shown(until), "")
	}
}

// connect looks at the address of Spark Connect when no server has it.
func (d *doctor) connect() {
	var refusals []error
	for _, address := range d.settings.ConnectAddresses() {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		listener.Close()
		d.note("Spark Connect", healthy, listener.Addr().String()+" is free", "")
		return
	}
	d.note("Spark Connect", broken, errors.Join(refusals...).Error(), "Stop the program that has the address, or choose another one with connect_listen in "+d.at.configFile()+".")
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
		d.leftovers(ctx, true)
		return
	}
	if holder := lockHolder(d.at); holder != "" {
		d.note("server", broken, holder+" has the data directory and does not answer", silentRemedy)
		d.leftovers(ctx, true)
		return
	}
	listener, err := net.Listen("tcp", d.settings.Listen)
	if err != nil {
		d.note("server", broken, err.Error(), "Stop the program that has the address, or choose another one: hearth serve --listen, or listen in "+d.at.configFile()+".")
	} else {
		listener.Close()
		d.note("server", healthy, "none runs, and "+d.settings.Listen+" is free", "")
	}
	d.connect()
	d.leftovers(ctx, false)
}
