package spark

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hearth"
)

// Engines is a directory of engines and what new ones are made with.
type Engines struct {
	Dir    string // holds a directory for each version; made when it is needed
	Python string // the Python program, 3.9 to 3.12, to build on; "" finds one
	Java   string // the java program of version 17, 11 or 8; "" finds one, or brings one
	Index  string // the package index; "" is what pip is configured with
	Maven  string // the URL of the Maven repository; "" is MavenCentral
	Memory string // the largest heap of a driver's JVM unless a session sets spark.driver.memory; "" is 1g

	// Warehouse is the URI of the directory below which tables are that are made
	// without a place of their own. "" is for drivers without the shared catalog:
	// they have one in memory.
	Warehouse string

	// EventLogs has drivers write down what Spark's history server shows of them
	// when they have ended.
	EventLogs bool

	pinned  []jar    // nil are those of the engine's line
	formats []format // likewise
}

// Engine is a Spark installation that drivers can be started from.
type Engine struct {
	Version   string            `json:"version"`
	Python    Python            `json:"python"` // of the engine's own environment
	Java      Java              `json:"java"`
	SparkHome string            `json:"spark_home"`
	ClassPath []string          `json:"class_path"`
	Archive   Archive           `json:"archive"`
	Packages  map[string]string `json:"packages"` // what the Python environment has, and in which version
	Installed time.Time         `json:"installed"`
	Edition   int               `json:"edition"` // the one of jars and archive that it has; 0 before there were any

	memory, warehouse string
	eventLogs         bool
	formats           []format // what With has put on the class path
}

const engineFile = "engine.json"

// edition is counted up with each change to how the jars and the archive of an
// engine are made. Engines of earlier ones are repaired.
const edition = 1

func (e Engines) dir(version string) string { return filepath.Join(e.Dir, version) }

// Find returns KindNotFound when the engine is not installed, or only in part.
// One whose Java is gone is an engine still, which Processes refuses: the Java is
// the machine's, and may come back.
func (e Engines) Find(version string) (*Engine, error) {
	absent := func(why string) error {
		return hearth.Errorf(hearth.KindNotFound, "The engine Spark %s %s. Install it with %s.", version, why, installCommand(version))
	}
	content, err := os.ReadFile(filepath.Join(e.dir(version), engineFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absent("is not installed")
	}
	if err != nil {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The engine Spark %s cannot be read: %w.", version, err)
	}
	engine := &Engine{memory: e.Memory, warehouse: e.Warehouse, eventLogs: e.EventLogs}
	if err := json.Unmarshal(content, engine); err != nil || engine.Version != version {
		return nil, absent(fmt.Sprintf("has a broken %s in %s", engineFile, e.dir(version)))
	}
	for _, part := range []string{engine.Python.Program, engine.SparkHome} {
		if _, err := os.Stat(part); err != nil {
			return nil, absent("lacks " + part)
		}
	}
	return engine, nil
}

// intact reports whether nothing of the engine is to be repaired.
func (e Engines) intact(engine *Engine) bool {
	return engine.Edition >= edition && engine.Java.unchanged() && (engine.Archive.File == "" || engine.Archive.whole()) && len(e.missingJars(engine)) == 0
}

// List gives the installed engines in the order of their names.
func (e Engines) List() ([]*Engine, error) {
	entries, err := os.ReadDir(e.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The engines cannot be listed: %w.", err)
	}
	var engines []*Engine
	for _, entry := range entries {
		if _, err := lineOf(entry.Name()); err != nil {
			continue
		}
		engine, err := e.Find(entry.Name())
		switch {
		case err == nil:
			engines = append(engines, engine)
		case hearth.KindOf(err) != hearth.KindNotFound:
			return nil, err
		}
	}
	return engines, nil
}

// save makes the engine one: everything of it is on disk before the file that
// says so.
func (e *Engine) save(dir string) error {
	content, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, engineFile)
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(append(content, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
