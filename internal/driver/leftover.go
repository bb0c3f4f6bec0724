package driver

import (
	"errors"
	"io/fs"
	"os"

	"hearth"
	"hearth/internal/shim"
)

// Homeless finds the shims that run though their bundle is gone, by the paths
// of the bundles. Nothing but their idle timeout would end them: without its
// socket and its token nobody reaches a shim.
func (d *Drivers) Homeless() (map[string]shim.Identity, error) {
	found, err := shim.Running(d.config.Dir)
	if err != nil {
		return nil, hearth.Internal(err, "look for processes of drivers")
	}
	for bundle := range found {
		if _, err := os.Lstat(bundle); !errors.Is(err, fs.ErrNotExist) {
			delete(found, bundle)
		}
	}
	return found, nil
}
