package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/driver"
	"hearth/internal/objects"
	"hearth/internal/shim"
	"hearth/internal/sqlite"
)

// leftovers are things of one kind that no session needs, and how one of them
// is removed.
type leftovers struct {
	kind   string
	names  []string
	remove func(ctx context.Context, name string) error
}

// removal is how long a driver may take to end.
const removal = time.Minute

// leftovers are what a server leaves on purpose, or because it was killed. What
// a live session needs is never among what is removed: a driver counts as a
// leftover only when its session is not on record, which it is before the driver
// is.
func (d *doctor) leftovers(ctx context.Context, served bool) {
	if !served {
		if _, err := os.Stat(d.at.recordFile()); err == nil {
			d.note("leftovers", odd, "the last server was killed", "Nothing is lost: the next start goes on from there. hearth serve")
		}
		if err := d.at.checkWhole(); err != nil {
			d.note("leftovers", broken, err.Error(), "")
		}
	}
	if _, err := os.Stat(d.settings.Data); err != nil {
		return
	}
	if d.fix && !served {
		lock, err := lockData(d.at, "hearth doctor") // so that no server starts meanwhile
		if _, held := errors.AsType[heldError](err); held {
			served = true
		} else if err != nil {
			d.note("leftovers", broken, err.Error(), "")
			return
		} else {
			defer lock.release()
		}
	}
	for _, l := range d.find(ctx, served) {
		d.clear(ctx, l)
	}
}

// find looks for leftovers of all kinds.
func (d *doctor) find(ctx context.Context, served bool) []leftovers {
	drivers := driver.New(driver.Config{Dir: d.at.driversDir()})
	all := []leftovers{d.strays(ctx, drivers, served)}
	if homeless, err := drivers.Homeless(); err == nil {
		all = append(all, leftovers{"drivers that run though their files are gone", slices.Sorted(maps.Keys(homeless)), func(_ context.Context, bundle string) error {
			return homeless[bundle].KillLeftovers()
		}})
	}
	if !served { // or they may be somebody's
		var files []string
		for _, pattern := range []string{".doctor-*", "keys.json.*", "objects.key.*", "server.json.new", filepath.Join("objects", objects.Temporaries, "*")} {
			found, _ := filepath.Glob(filepath.Join(string(d.at), pattern)) // the patterns are well-formed
			files = append(files, found...)
		}
		all = append(all, leftovers{"temporary files", files, removeAll})
	}
	return all
}

func removeAll(_ context.Context, path string) error { return os.RemoveAll(path) }

// strays are the drivers whose session is not on record, as after its record
// was deleted or another database was put in place. Those of sessions on record
// are the server's to find, and so are those that wait for a session.
func (d *doctor) strays(ctx context.Context, drivers *driver.Drivers, served bool) leftovers {
	strays := leftovers{kind: "drivers whose sessions are not on record", remove: func(ctx context.Context, id string) error { return removeDriver(ctx, drivers, id) }}
	ids, err := drivers.Known(ctx)
	if err != nil || len(ids) == 0 {
		return strays
	}
	// Who waits is asked first: a session that claims one meanwhile is on record
	// before it does.
	waiting := make(map[string]bool)
	locked := func(id string) bool {
		locked, err := shim.Locked(filepath.Join(d.at.driversDir(), id))
		return err == nil && locked
	}
	for _, id := range ids {
		if _, err := drivers.Warm(ctx, id); err == nil && locked(id) {
			waiting[id] = true
		}
	}
	recorded, err := sqlite.Recorded(ctx, d.at.storeFile(), ids)
	if err != nil {
		d.note("leftovers", odd, fmt.Sprintf("whose drivers are in %s cannot be told: %s", d.at.driversDir(), inFull(err)), "Mend the database first.")
		return strays
	}
	live, ahead := 0, 0
	for _, id := range ids {
		switch {
		case waiting[id] && !recorded[id]:
			ahead++
		case !recorded[id]:
			strays.names = append(strays.names, id)
		case locked(id):
			live++
		}
	}
	switch {
	case ahead > 0 && served:
		d.note("warm drivers", healthy, fmt.Sprintf("waiting for sessions: %d", ahead), "")
	case ahead > 0:
		d.note("warm drivers", healthy, fmt.Sprintf("waiting for sessions, until the next server comes or they are %v old: %d", d.settings.WarmAge, ahead), "")
	}
	if live > 0 && !served {
		d.note("leftovers", odd, fmt.Sprintf("sessions that go on without a server, until they have been idle for long enough: %d", live),
			"To use them or to end them: hearth serve")
	}
	return strays
}

// removeDriver ends a driver and removes what it leaves.
func removeDriver(ctx context.Context, drivers *driver.Drivers, id string) error {
	ctx, cancel := context.WithTimeout(ctx, removal)
	defer cancel()
	found, adoption, err := drivers.Recover(ctx, id)
	if err != nil {
		return err
	}
	if adoption == hearth.Alive {
		if err := found.End(ctx); err != nil {
			return err
		}
		if err := found.Follow(ctx, 0, func(hearth.DriverEvent) error { return nil }); err != nil {
			return err
		}
	}
	return awaitRemoval(ctx, drivers, id)
}

// awaitRemoval waits for a shim that has told its end and has its bundle a
// moment longer.
func awaitRemoval(ctx context.Context, drivers *driver.Drivers, id string) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := drivers.Remove(ctx, id)
		if hearth.KindOf(err) != hearth.KindConflict {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

// clear notes leftovers, and removes them if that is wanted.
func (d *doctor) clear(ctx context.Context, l leftovers) {
	if len(l.names) == 0 {
		return
	}
	if !d.fix {
		d.note("leftovers", odd, l.kind+": "+some(l.names), "To remove them: hearth doctor --fix")
		return
	}
	var removed []string
	for _, name := range l.names {
		if err := l.remove(ctx, name); err != nil {
			d.note("leftovers", odd, fmt.Sprintf("%s: %s could not be removed: %v", l.kind, name, err), "")
			continue
		}
		removed = append(removed, name)
	}
	if len(removed) > 0 {
		d.note("leftovers", fixed, l.kind+", removed: "+some(removed), "")
	}
}

// some names what is in a list that may be long.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
