package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/backup"
	"hearth/internal/config"
	"hearth/internal/faultpoint"
	"hearth/internal/metastore"
	"hearth/internal/objects"
	"hearth/internal/shim"
	"hearth/internal/sqlite"
)

type backupCommand struct {
	File           string `arg:"" help:"File to write, or - for standard output."`
	WithoutResults bool   `help:"Leave out the objects: calculations' results and files."`
}

// Help is kong's long help.
func (backupCommand) Help() string {
	return `Writes one file with all that the data directory keeps: the databases as they are at one moment, keys,
settings, objects and tables. It works whether or not a server runs, and disturbs none. The file appears when
it is whole, and is its owner's alone: it holds the keys. Drivers are not in it: sessions that are live
when it is taken are FAILED after a restore.

hearth restore brings it back; docs/operations.md tells more.`
}

// backupAnswer is what --output json prints.
type backupAnswer struct {
	File string `json:"file"`
	backup.Facts
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"` // before compression
}

// Run takes the backup.
func (c *backupCommand) Run(m *Main, g *globals) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	ctx, cancel := m.interruptible()
	defer cancel()
	if c.File == "-" {
		_, err := c.write(ctx, settings, m.Stdout, os.TempDir())
		return err
	}
	answer, err := c.toFile(ctx, settings)
	if err != nil {
		return err
	}
	if g.json() {
		return printJSON(m.Stdout, answer)
	}
	with := "with results"
	if !answer.Results {
		with = "without results"
	}
	fmt.Fprintf(m.Stdout, "%s has %s, %s: %d files, %s before compression.\n",
		c.File, settings.Data, with, answer.Files, humanize.Bytes(uint64(answer.Bytes)))
	return nil
}

// toFile writes beside the file, which is replaced when all is on disk.
func (c *backupCommand) toFile(ctx context.Context, settings config.Config) (answer backupAnswer, err error) {
	file, err := filepath.Abs(c.File)
	if err != nil {
		return answer, err
	}
	if inside(settings.Data, file) {
		return answer, hearth.Errorf(hearth.KindInvalid, "%s is in the data directory, and would be lost with it. Choose a place outside of %s, best on another disk.", c.File, settings.Data)
	}
	unwritten := func(err error) error {
		if hearth.KindOf(err) != hearth.KindInternal || ctx.Err() != nil {
			return err
		}
		return hearth.Errorf(hearth.KindUnavailable, "The backup could not be taken, and nothing of it is left: %w.", err)
	}
	aside, err := asideOf(file)
	if err != nil {
		return answer, unwritten(err)
	}
	defer aside.Close()
	defer os.RemoveAll(aside.Name())
	f, err := os.OpenFile(filepath.Join(aside.Name(), "backup"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return answer, unwritten(err)
	}
	answer, err = c.write(ctx, settings, f, aside.Name())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return answer, unwritten(err)
	}
	faultpoint.At("backup", "to be put in place")
	if err := os.Rename(f.Name(), file); err != nil {
		return answer, unwritten(err)
	}
	faultpoint.At("backup", "in place")
	if err := shim.SyncDir(filepath.Dir(file)); err != nil {
		return answer, unwritten(err)
	}
	answer.File = file
	return answer, nil
}

// asideOf makes the directory in which a file comes to be, beside it and empty.
// It is ours until it is closed. What a backup left in it that was killed has the
// keys in it, and goes.
func asideOf(file string) (*os.File, error) {
	name := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".partial")
	if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = hearth.Errorf(hearth.KindConflict, "Another backup is being written to %s. Wait for it, or choose another file.", file)
	}
	var left []fs.DirEntry
	if err == nil {
		left, err = dir.ReadDir(-1)
	}
	for _, e := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(name, e.Name())))
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// write writes the archive, with copies of the databases that are made in a
// directory of its own under aside.
//
// The databases come first: what hearth.db refers to was complete by then, and
// is never changed after. The files of the catalog's tables may be: sessions go
// on writing them. Whatever else there is comes last, so that no object
// needs a key that is not in the archive.
func (c *backupCommand) write(ctx context.Context, settings config.Config, to io.Writer, aside string) (answer backupAnswer, err error) {
	at := home(settings.Data)
	aside, err = os.MkdirTemp(aside, ".hearth-backup-*")
	if err != nil {
		return answer, err
	}
	defer os.RemoveAll(aside)
	database := filepath.Join(aside, "database")
	answer.Facts = backup.Facts{
		Format: backup.Format, Version: version(), TakenAt: time.Now().UTC(), Account: settings.Account, Region: settings.Region, Results: !c.WithoutResults,
	}
	if answer.Schema, err = sqlite.Snapshot(ctx, at.storeFile(), database); err != nil {
		if hearth.KindOf(err) == hearth.KindNotFound {
			err = hearth.Errorf(hearth.KindNotFound, "There is nothing to back up: no server has kept anything in %s. Name another directory with --data or HEARTH_HOME.", at)
		}
		return answer, err
	}
	faultpoint.At("database", "copied")
	w, err := backup.NewWriter(ctx, to, answer.Facts)
	if err != nil {
		return answer, err
	}
	if err := w.Add(filepath.Base(at.storeFile()), database); err != nil {
		return answer, err
	}
	catalog := filepath.Join(aside, "catalog")
	if err := metastore.Snapshot(ctx, at.catalogFile(), catalog); err != nil && hearth.KindOf(err) != hearth.KindNotFound {
		return answer, err
	}
	if err := w.Add(filepath.Base(at.catalogFile()), catalog); err != nil {
		return answer, err
	}
	if answer.Results {
		if err := w.Add(filepath.Base(at.objectsDir()), at.objectsDir(), objects.Temporaries); err != nil {
			return answer, err
		}
	}
	entries, err := at.kept(settings.Engines)
	if err != nil {
		return answer, err
	}
	for _, name := range entries {
		if err := w.Add(name, filepath.Join(string(at), name)); err != nil {
			return answer, err
		}
	}
	answer.Files, answer.Bytes = w.Files, w.Bytes
	return answer, w.Close()
}

// inside reports whether a path is in a directory.
func inside(dir, path string) bool {
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	relative, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(relative)
}

type restoreCommand struct {
	File string `arg:"" help:"File that hearth backup wrote, or - for standard input."`
}

// Help is kong's long help.
func (restoreCommand) Help() string {
	return `Puts a backup into a data directory that has nothing yet, beside engines. A backup that is damaged, or
of a newer version of Hearth, is refused, and nothing is changed. After it, start the server:

  hearth restore hearth.tar.gz --data /srv/hearth
  hearth serve --data /srv/hearth`
}

// Run restores.
func (c *restoreCommand) Run(m *Main, g *globals) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	if settings.Data == "" {
		return settings.Check()
	}
	from := m.Stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return hearth.Errorf(hearth.KindInvalid, "The backup cannot be read: %w.", err)
		}
		defer f.Close()
		from = f
	}
	ctx, cancel := m.interruptible()
	defer cancel()
	facts, err := restore(ctx, from, home(settings.Data), settings.Engines)
	if err != nil {
		return err
	}
	if g.json() {
		return printJSON(m.Stdout, facts)
	}
	fmt.Fprintf(m.Stdout, "%s has the backup of %s, taken by Hearth %s. Start the server: hearth serve --data %s\n",
		settings.Data, shown(facts.TakenAt), facts.Version, settings.Data)
	if settings, err := g.settings(); err == nil && (settings.Account != facts.Account || settings.Region != facts.Region) {
		fmt.Fprintf(m.Stdout, "It was taken with the account %s and the region %s, and the settings here say %s and %s. Set account and region in %s if clients expect them.\n",
			facts.Account, facts.Region, settings.Account, settings.Region, home(settings.Data).configFile())
	}
	return nil
}

// restore extracts an archive aside, inside the data directory, and moves what
// it has in place when all of it is there and right. No server can start
// meanwhile, nor after a restore that was interrupted.
func restore(ctx context.Context, from io.Reader, at home, engines string) (facts backup.Facts, err error) {
	if err := at.make(); err != nil {
		return facts, err
	}
	lock, err := lockData(at, "hearth restore")
	if err != nil {
		return facts, err
	}
	defer lock.release()
	if err := at.takeBack(); err != nil {
		return facts, hearth.Errorf(hearth.KindUnavailable, "The data directory cannot be written: %w.", err)
	}
	if err := at.checkEmpty(engines); err != nil {
		return facts, err
	}
	if err := os.MkdirAll(at.extractedDir(), 0o700); err != nil {
		return facts, hearth.Errorf(hearth.KindUnavailable, "The data directory cannot be written: %w.", err)
	}
	faultpoint.At("restore", "begun")
	if facts, err = backup.Extract(ctx, from, at.extractedDir(), checkSchema); err != nil {
		return facts, errors.Join(err, os.RemoveAll(at.restoreDir()))
	}
	faultpoint.At("restore", "extracted")
	return facts, at.takeIn()
}

// checkSchema refuses a backup of a newer version.
func checkSchema(facts backup.Facts) error {
	if sqlite.KnowsSchema(facts.Schema) {
		return nil
	}
	return hearth.Errorf(hearth.KindInvalid, "The backup was taken by Hearth %s, whose database has the schema %s; this version, %s, knows schemas up to %s. Restore it with Hearth %s or a newer version.",
		facts.Version, facts.Schema, version(), sqlite.Schema(), facts.Version)
}

// checkEmpty refuses a directory that has anything a restore could replace.
func (h home) checkEmpty(engines string) error {
	names, err := h.kept(engines)
	if err != nil {
		return err
	}
	for _, path := range []string{h.storeFile(), h.catalogFile(), h.objectsDir(), h.driversDir()} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			names = append(names, filepath.Base(path))
		}
	}
	if len(names) > 0 {
		return hearth.Errorf(hearth.KindExists, "A backup is restored into an empty data directory, and %s has %s. Choose another one with --data, or move these away.",
			h, strings.Join(names, ", "))
	}
	return nil
}

// takenFile has, in the directory of a restore, the names that are moved from it
// into the data directory.
const takenFile = "taken.json"

// takeIn moves what was extracted in place, the database last.
func (h home) takeIn() error {
	entries, err := os.ReadDir(h.extractedDir())
	if err != nil {
		return err
	}
	database := filepath.Base(h.storeFile())
	names := []string{}
	for _, e := range entries {
		if e.Name() != database {
			names = append(names, e.Name())
		}
	}
	names = append(names, database)
	unix.Sync()
	if err := shim.Save(h.restoreDir(), takenFile, names); err != nil {
		return h.unmoved(err)
	}
	faultpoint.At("restore", "to be taken in")
	for _, name := range names {
		if err := os.Rename(filepath.Join(h.extractedDir(), name), filepath.Join(string(h), name)); err != nil {
			return h.unmoved(err)
		}
		faultpoint.At("taken in", name)
	}
	if err := shim.SyncDir(string(h)); err != nil {
		return h.unmoved(err)
	}
	faultpoint.At("restore", "taken in")
	return errors.Join(os.RemoveAll(h.restoreDir()), shim.SyncDir(string(h)))
}

func (h home) unmoved(err error) error {
	return hearth.Errorf(hearth.KindUnavailable, "The backup could not be moved into the data directory: %w. Mend that, and restore again.", err)
}

// takeBack removes what a restore left that was interrupted, also what it had
// moved in place: no server has started since.
func (h home) takeBack() error {
	var names []string
	if _, err := shim.Load(h.restoreDir(), takenFile, &names); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(h.extractedDir(), name)); err == nil {
			continue // it was not moved: what has its name is somebody else's
		}
		if err := os.RemoveAll(filepath.Join(string(h), name)); err != nil {
			return err
		}
	}
	faultpoint.At("restore", "taken back")
	return os.RemoveAll(h.restoreDir())
}
