// Package backup writes and reads archives of a data directory: tar files
// compressed with gzip, which any tar can open. The first entry says what the
// archive is of, the last has the checksums of all others, in the form of
// sha256sum: an archive without it is not whole.
//
// Files are streamed: memory grows with their number, not with their sizes.
package backup

import (
	"strings"
	"time"
)

// Names of the entries that are the archive's own.
const (
	FactsFile = "backup.json" // Facts; the first entry
	SumsFile  = "SHA256SUMS"  // of all other entries; the last one
)

// Format is the version of the archive's form.
const Format = 1

// Facts say what an archive is of.
type Facts struct {
	Format  int       `json:"format"`  // Format
	Version string    `json:"version"` // of the Hearth that took it
	Schema  string    `json:"schema"`  // the last step of the database's schema
	TakenAt time.Time `json:"taken_at"`
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Results bool      `json:"results"` // whether objects are in it
}

// Lines of sums are escaped as sha256sum does it: a line that begins with a
// backslash has a name with escapes.
var (
	escapes   = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
	unescapes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")
)

func sumLine(sum, name string) string {
	if escaped := escapes.Replace(name); escaped != name {
		return `\` + sum + "  " + escaped + "\n"
	}
	return sum + "  " + name + "\n"
}

func parseSumLine(line string) (sum, name string, ok bool) {
	rest, escaped := strings.CutPrefix(line, `\`)
	sum, name, ok = strings.Cut(rest, "  ")
	if escaped {
		name = unescapes.Replace(name)
	}
	return sum, name, ok
}
