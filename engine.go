package hearth

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// The names of engines: Athena's, and one that is Hearth's own. Athena's two
// Spark names run the same Spark here and differ in what a request may say (its
// dialect). The SQL engine is not here: its workgroups are kept, and have no
// sessions.
const (
	EngineAuto     = "AUTO"
	EngineSQL3     = "Athena engine version 3"
	EnginePySpark3 = "PySpark engine version 3"
	EngineSpark35  = "Apache Spark version 3.5"
	EngineSpark41  = "Apache Spark version 4.1" // Hearth's own
)

// dialect is what a request to an engine may say.
type dialect int

const (
	sql             dialect = iota
	sparkProperties         // SparkProperties and sizes of DPUs
	classifications         // Classifications in their place
)

// engines are all of them but AUTO.
var engines = []struct {
	name    string
	dialect dialect
}{
	{EnginePySpark3, sparkProperties},
	{EngineSpark35, classifications},
	{EngineSpark41, classifications},
	{EngineSQL3, sql},
}

func (v EngineVersion) dialect() dialect {
	for _, e := range engines {
		if e.name == v.Effective {
			return e.dialect
		}
	}
	return sql
}

// EngineVersion is the engine that was chosen and the one that runs.
type EngineVersion struct {
	Selected  string
	Effective string
}

// EngineVersions lists the engines a workgroup can be set to. AUTO is not
// among them: on Athena it always means the SQL engine.
func EngineVersions() (versions []EngineVersion) {
	for _, e := range engines {
		if e.dialect != sql {
			versions = append(versions, EngineVersion{Selected: e.name, Effective: e.name})
		}
	}
	return versions
}

// SelectEngine gives the engine of a name; none at all is AUTO, which Athena
// takes for the SQL engine. It returns KindInvalid for an unknown name.
func SelectEngine(name string) (EngineVersion, error) {
	if name == "" || name == EngineAuto {
		return EngineVersion{Selected: EngineAuto, Effective: EngineSQL3}, nil
	}
	for _, e := range engines {
		if e.name == name {
			return EngineVersion{Selected: name, Effective: name}, nil
		}
	}
	return EngineVersion{}, Errorf(KindInvalid, "No engine has the name %q. There are %q, %q and %q for sessions, and %q and %q for SQL.",
		name, EnginePySpark3, EngineSpark35, EngineSpark41, EngineSQL3, EngineAuto)
}

// IsSpark reports whether sessions can run on the engine.
func (v EngineVersion) IsSpark() bool { return v.dialect() != sql }

// Classifies reports whether Spark properties are given to the engine as a
// classification, and not as SparkProperties.
func (v EngineVersion) Classifies() bool { return v.dialect() == classifications }

// Sizes of a session in DPUs. Athena fixes the size of a coordinator and of an
// executor at one DPU.
const (
	DPUSize                  = 1 // the only one
	DefaultMaxConcurrentDPUs = 20
	CoresPerDPU              = 4 // one DPU is 4 cores and 16 GB (Athena's quotas page)
)

// EngineConfiguration is how large a session may grow and what Spark is told.
// A nil map means that the member was not given; an empty one that it was
// given empty: dbt always sends an empty SparkProperties.
type EngineConfiguration struct {
	CoordinatorDPUSize     int
	MaxConcurrentDPUs      int
	DefaultExecutorDPUSize int
	AdditionalConfigs      map[string]string
	SparkProperties        map[string]string
	Classifications        []Classification
	// Memory is what the driver may use, in bytes, as the server's rule
	// (DriverMemory) was when the session started. No request says it. 0 is not
	// known: of workgroups, and of sessions of versions without the rule.
	Memory int64 `json:",omitempty"`
}

// Classification is a named set of properties; the one with the name
// ClassificationSparkDefaults holds Spark properties.
type Classification struct {
	Name       string
	Properties map[string]string
}

// ClassificationSparkDefaults names the classification of Spark properties.
const ClassificationSparkDefaults = "spark-defaults"

// AdditionalWorkingDirectory is a key of AdditionalConfigs that is Hearth's
// own: the absolute directory that relative paths of the session's code start
// from. It has to be on the machine of the driver.
const AdditionalWorkingDirectory = "hearth.WorkingDirectory"

// WithDefaults fills in what was not given, from the workgroup's own settings
// first and from Athena's defaults then. Properties are joined key by key; the
// session's own win. An engine that does not take the sizes of DPUs has none.
func (c EngineConfiguration) WithDefaults(engine EngineVersion, group EngineConfiguration) EngineConfiguration {
	c.MaxConcurrentDPUs = cmp.Or(c.MaxConcurrentDPUs, group.MaxConcurrentDPUs, DefaultMaxConcurrentDPUs)
	if !engine.Classifies() {
		c.CoordinatorDPUSize = cmp.Or(c.CoordinatorDPUSize, group.CoordinatorDPUSize, DPUSize)
		c.DefaultExecutorDPUSize = cmp.Or(c.DefaultExecutorDPUSize, group.DefaultExecutorDPUSize, DPUSize)
	}
	c.AdditionalConfigs = joined(group.AdditionalConfigs, c.AdditionalConfigs)
	c.SparkProperties = joined(group.SparkProperties, c.SparkProperties)
	c.Classifications = joinedClassifications(group.Classifications, c.Classifications)
	return c
}

func joined(group, own map[string]string) map[string]string {
	if own == nil {
		return group
	}
	all := maps.Clone(group)
	if all == nil {
		return own
	}
	maps.Copy(all, own)
	return all
}

func joinedClassifications(group, own []Classification) []Classification {
	all := slices.Clone(group)
	for _, class := range own {
		i := slices.IndexFunc(all, func(c Classification) bool { return c.Name == class.Name })
		if i < 0 {
			all = append(all, class)
			continue
		}
		all[i].Properties = joined(all[i].Properties, class.Properties)
	}
	return all
}

// Check refuses what the engine's dialect does not take. The error's kind is
// KindInvalid and its message names the member.
func (c EngineConfiguration) Check(engine EngineVersion) error {
	if engine.Classifies() {
		for _, member := range []struct {
			name  string
			given bool
		}{
			{"CoordinatorDpuSize", c.CoordinatorDPUSize != 0},
			{"DefaultExecutorDpuSize", c.DefaultExecutorDPUSize != 0},
			{"SparkProperties", c.SparkProperties != nil},
		} {
			if member.given {
				return Errorf(KindInvalid, "%s is not supported for %s; use Classifications with the name %s to set Spark properties.",
					member.name, engine.Effective, ClassificationSparkDefaults)
			}
		}
	}
	for _, class := range c.Classifications {
		if class.Name != ClassificationSparkDefaults {
			return Errorf(KindInvalid, "Classification %q is not supported; the only one is %q.", class.Name, ClassificationSparkDefaults)
		}
	}
	return checkProperties(c.Properties())
}

// reservedProperties cannot be set by a session, each for its reason: they are
// what the server itself decides about a driver, or would open the driver to
// the network or put its files where nobody removes them. A name that ends in a
// dot stands for everything that begins with it. Athena has such a list too and
// does not publish it.
var reservedProperties = map[string]string{
	"spark.athena.":                   "the prefix is reserved",
	"spark.hearth.":                   "the prefix is reserved",
	"spark.master":                    "the workgroup decides where Spark runs",
	"spark.submit.":                   "the server starts the driver itself",
	"spark.launcher.":                 "the server starts the driver itself",
	"spark.app.id":                    "Spark makes it when the driver starts",
	"spark.driver.extraJavaOptions":   "the server sets the driver's Java options",
	"spark.driver.defaultJavaOptions": "the server sets the driver's Java options",
	"spark.driver.host":               "the server decides where the driver listens",
	"spark.driver.bindAddress":        "the server decides where the driver listens",
	"spark.ui.port":                   "the server picks a free port",
	"spark.ui.reverseProxy":           "the server is the proxy itself",
	"spark.ui.reverseProxyUrl":        "the server is the proxy itself",
	"spark.ui.proxyBase":              "the server is the proxy itself",
	"spark.local.dir":                 "the server gives each driver a directory of its own, and removes it",
	"spark.pyspark.python":            "the Python of the session's engine runs the code",
	"spark.python.daemon.module":      "the Python of the session's engine runs the code",
	"spark.python.worker.module":      "the Python of the session's engine runs the code",
	"spark.remote":                    "the session's driver is the one that runs the code",
	"spark.pyspark.driver.python":     "the Python of the session's engine runs the code",
}

func checkProperties(properties map[string]string) error {
	for _, key := range sortedKeys(properties) {
		for reserved, reason := range reservedProperties {
			if key == reserved || strings.HasSuffix(reserved, ".") && strings.HasPrefix(key, reserved) {
				return Errorf(KindInvalid, "Spark property %s cannot be set for a session: %s. Remove it and try again.", key, reason)
			}
		}
		if strings.ContainsAny(key+properties[key], "\x00\n\r") {
			return Errorf(KindInvalid, "Spark property %q holds a line break or a NUL character.", key)
		}
	}
	return nil
}

// Properties gives the Spark properties of either dialect. Keys that do not
// begin with "spark." are left out, as Athena ignores them.
func (c EngineConfiguration) Properties() map[string]string {
	properties := make(map[string]string)
	take := func(from map[string]string) {
		for key, value := range from {
			if strings.HasPrefix(key, "spark.") {
				properties[key] = value
			}
		}
	}
	take(c.SparkProperties)
	for _, class := range c.Classifications {
		if class.Name == ClassificationSparkDefaults {
			take(class.Properties)
		}
	}
	return properties
}

// Cores is how many tasks a driver on this machine runs at once: those of its
// executors' DPUs, but no more than the machine has cores. One DPU of
// MaxConcurrentDPUs is the coordinator's.
func (c EngineConfiguration) Cores() int {
	return max(1, min(runtime.NumCPU(), (c.MaxConcurrentDPUs-1)*CoresPerDPU))
}

// Master is Spark's name of where tasks run.
func (c EngineConfiguration) Master() string { return fmt.Sprintf("local[%d]", c.Cores()) }

// DPUs is what a session on this machine holds while a calculation runs: its
// cores in DPUs, rounded up; at least one.
func (c EngineConfiguration) DPUs() int {
	return max(1, (c.Cores()+CoresPerDPU-1)/CoresPerDPU)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
