package driver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"hearth"
	"hearth/internal/shim"
)

// Events is the directory of the event logs that the driver of a session has
// written for Spark's history server. It returns KindNotFound when there are none:
// the driver wrote none, or its files were removed.
func (d *Drivers) Events(sessionID string) (dir string, err error) {
	bundle, err := d.bundle(sessionID)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(bundle, shim.EventsDir)
	logs, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", hearth.Internal(err, "look for the event logs of session "+sessionID)
	}
	if len(logs) == 0 {
		return "", hearth.Errorf(hearth.KindNotFound, "There is no history of session %s. Either its Spark wrote no event log (it ended before Spark was up, or event_logs or spark.eventLog.enabled is false), or the files of its driver were removed (keep_drivers).", sessionID)
	}
	return dir, nil
}
