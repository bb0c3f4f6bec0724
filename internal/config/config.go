// Package config holds the server's settings. The comments of Config are the
// manual of the configuration file.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"hearth"
)

// Config is what can be set in the configuration file, which is TOML. What is
// not set there has the default that is given with it. Relative paths start at
// the folder of the file.
type Config struct {
	// Listen is the address that everything is served at: host:port. Port 0
	// takes a free one. Default: 127.0.0.1:8650.
	Listen string `toml:"listen"`

	// InsecureListen allows an address that other machines can reach without
	// TLS. Requests are signed, so nobody can forge one, but everybody on the
	// way can read code and results, and use the sessions that are opened in a
	// browser. Default: false.
	InsecureListen bool `toml:"insecure_listen"`

	// TLSCertificate and TLSKey are PEM files; both or none. The certificate's
	// file holds the whole chain, the server's own first. Files that are replaced
	// are taken up with the next connection. Default: none.
	TLSCertificate string `toml:"tls_certificate"`
	TLSKey         string `toml:"tls_key"`

	// ConnectListen is the address of Spark Connect, host:port, which is always
	// TLS: tokens open sessions to whoever reaches it. Clients of Athena add :443 to
	// what GetSessionEndpoint gives, and know no other port; clients that are given
	// the whole address, as by hearth connect, know any. Port 0 takes a free one.
	// Default: 127.0.0.1:443 where this user may listen there and nobody does, or
	// else 127.0.0.1:8651, or else a free port; the log says which, and why.
	ConnectListen string `toml:"connect_listen"`

	// ConnectCertificate and ConnectKey are PEM files for that address, as those
	// above are; both or none. Default: certificates of an authority that is made in the data
	// directory, and that hearth env has gRPC trust.
	ConnectCertificate string `toml:"connect_certificate"`
	ConnectKey         string `toml:"connect_key"`

	// ConnectTokenTTL is how long a token for Spark Connect begins operations, at
	// least 1m. What has begun goes on. sagemaker-studio asks for a new token five
	// minutes before the end, dbt two. Default: 30m.
	ConnectTokenTTL Duration `toml:"connect_token_ttl"`

	// ConnectMaxConnections is how many connections Spark Connect clients may have
	// at once, all of them together. A client has one, with up to 128 calls at a
	// time; one more than these is told so. Default: 1000.
	ConnectMaxConnections int `toml:"connect_max_connections"`

	// Data is the directory of everything that the server keeps: its database,
	// keys, objects and drivers. Default: $HEARTH_HOME, or else ~/.hearth.
	Data string `toml:"data"`

	// Engines is the directory of Spark installations. Several servers may
	// share it. Default: $HEARTH_ENGINES, or else engines in $HEARTH_HOME.
	Engines string `toml:"engines"`

	// Account is the AWS account id, 12 digits, that stands in ARNs and that
	// buckets belong to. Default: 123456789012.
	Account string `toml:"account"`

	// Region is the one that requests have to be signed for. Default:
	// us-east-1.
	Region string `toml:"region"`

	// DriverMemory is the largest heap of a session's Java process, unless the
	// session sets spark.driver.memory. It is written as Spark writes sizes: a
	// number and k, m, g or t. Default: 2g.
	DriverMemory string `toml:"driver_memory"`

	// MaxDriverMemory is the most that a session may ask for with
	// spark.driver.memory and, when spark.memory.offHeap.enabled is true,
	// spark.memory.offHeap.size. More is refused. "" is no limit. Default: "".
	MaxDriverMemory string `toml:"max_driver_memory"`

	// DriverOverhead is what a driver may use beside that: its Python with what
	// the code keeps there, Python workers, and what Java has beside its heap.
	// It counts in quota.memory and limit_memory, and nowhere else. Default: 1g.
	DriverOverhead string `toml:"driver_overhead"`

	// LimitMemory holds each driver to what it asked for and driver_overhead:
	// all its processes together where the server is in a control group
	// hearth-server, whose parent it may change (examples/hearth.service), and
	// else each of them by itself. docs/operations.md tells what happens at
	// the limit, and hearth doctor which of the two it is. Default: false.
	LimitMemory bool `toml:"limit_memory"`

	// ConcurrentStarts is how many sessions may be starting their drivers at once, at
	// least 1; the others wait, and the workgroups take turns. A start keeps a processor
	// or two busy for seconds: more at once are not sooner ready, and all else waits for
	// them. Default: the number of processors, and at least 2.
	ConcurrentStarts int `toml:"concurrent_starts"`

	// WarmDrivers is how many drivers are started ahead of sessions, which then are
	// there in a moment. Each is used once, and takes the memory of an idle session's
	// until then. Those that wait are of the kinds that were started lately. hearth run and
	// the sessions that hearth shell starts never get one: they work in the directory
	// that they are called in, which Java cannot change to later. 0 is none. Default: 1.
	WarmDrivers int `toml:"warm_drivers"`

	// WarmAge is when a driver ends that no session has had, and another one takes
	// its place; also when there is no server any more. At least 1m. Default: 1h.
	WarmAge Duration `toml:"warm_age"`

	// LightDrivers starts drivers without Spark: the engine's Python alone, with
	// neither spark nor sc. It is for tests of what surrounds Spark, which then
	// take a second and not ten. Default: false.
	LightDrivers bool `toml:"light_drivers"`

	// EventLogs has drivers write down, in their files, what Spark's history server
	// shows of them when their session has ended. A session can switch it off for
	// itself with spark.eventLog.enabled. Default: true.
	EventLogs bool `toml:"event_logs"`

	// Java is the java program of a Java 17 installation. Default: found on
	// the machine, or installed with the engine.
	Java string `toml:"java"`

	// Python is the Python program, 3.9 to 3.12, that engines are made with.
	// Default: found on the machine.
	Python string `toml:"python"`

	// PipIndexURL is the package index that engines are installed from.
	// Default: pip's own setting.
	PipIndexURL string `toml:"pip_index_url"`

	// MavenURL is the Maven repository that the jars come from which engines
	// have beside Spark's own, for S3 and for table formats. Their checksums are known, so that it need not be
	// trusted. Default: https://repo1.maven.org/maven2.
	MavenURL string `toml:"maven_url"`

	// KeepDrivers is how long the log, the journal and the files of an ended
	// session's driver are kept. Results and copies of the log are kept
	// elsewhere, as keep_results says; with 0s a driver's are, too. Default: 168h (a week).
	KeepDrivers Duration `toml:"keep_drivers"`

	// KeepRecords is how long ended sessions stay on record, with their
	// calculations, events and request tokens: at least 1h. What their drivers
	// left goes with them; results stay, unless keep_results or max_results is
	// set. 0s keeps them for ever. Default: 0s.
	KeepRecords Duration `toml:"keep_records"`

	// KeepResults is how long the results of an ended session and the managed copy
	// of its log are kept on this machine's disk: the files that Hearth itself has
	// put at the output location, and nothing else there. Records stay and say
	// that they were removed. What is in [stores] stays. 0s keeps them for ever.
	// Default: 0s.
	KeepResults Duration `toml:"keep_results"`

	// MaxResults is how much of that there may be of all ended sessions together,
	// as Spark writes sizes: a number and k, m, g or t. Over it the results of the
	// sessions that ended first are removed. "" is no limit. With either setting
	// results go with their record at the latest. Default: "".
	MaxResults string `toml:"max_results"`

	// KeepUploads is how long after its latest part a multipart upload that nobody
	// completes counts as abandoned and is deleted. It has to be longer than a
	// Spark job takes: tasks upload, and what they have uploaded is completed only
	// when the job commits. At least 1h; 0s keeps it for ever. Default: 168h.
	KeepUploads Duration `toml:"keep_uploads"`

	// MaxBody is the most bytes that the body of an API request may have.
	// The largest notebook needs about as much as the default. Default: 33554432.
	MaxBody int64 `toml:"max_body"`

	// Heartbeat is how often each process of a driver is asked whether it lives.
	// Times are a number and a unit: 500ms, 5s, 2m, 1h. Default: 5s.
	Heartbeat Duration `toml:"heartbeat"`

	// UnresponsiveAfter is how long a driver's Python, its Java, or the process
	// that supervises them may be silent until its session is shown as
	// DEGRADED. Java is silent during a garbage collection, too. Default: 30s.
	UnresponsiveAfter Duration `toml:"unresponsive_after"`

	// LostAfter is how long any of them may be silent until the driver is
	// killed and its session is FAILED. Default: 5m.
	LostAfter Duration `toml:"lost_after"`

	// CancelDeadline is how long a calculation that was asked to stop may go
	// on until its driver is stopped instead. Default: 10s.
	CancelDeadline Duration `toml:"cancel_deadline"`

	// EndGrace is how long a driver may take to end by itself when its session
	// ends. Default: 3s.
	EndGrace Duration `toml:"end_grace"`

	// Quota is the table [quota]: the most that all sessions together may take.
	Quota Quota `toml:"quota"`

	// WorkGroups are the tables [workgroups.NAME], one for each workgroup that
	// has a quota or table formats of its own. [workgroups."*"] is for each of the
	// others: of a workgroup with a table, that table is all. A workgroup without
	// either is bound by [quota] alone.
	WorkGroups map[string]WorkGroup `toml:"workgroups"`

	// Stores are the tables [stores.NAME], one for each store beside this
	// machine's disk. Default: none.
	Stores map[string]Store `toml:"stores"`

	// Buckets are the tables [buckets.NAME]: which workgroups' sessions reach a
	// bucket. A bucket without one is for all sessions. docs/s3.md tells more.
	Buckets map[string]Bucket `toml:"buckets"`

	// Throttle is the table [throttle]: how many calls of the Athena API are
	// answered.
	Throttle Throttle `toml:"throttle"`
}

// Duration is a time span that is written as 500ms, 5s, 2m or 1h.
type Duration struct{ time.Duration }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf(`%s is not a time span; write a number and a unit in quotes, like "500ms", "5s" or "2m"`, text)
	}
	return nil
}

// Default gives the settings of a server without a configuration file.
func Default() Config {
	home := os.Getenv("HEARTH_HOME")
	if home == "" {
		if user, err := os.UserHomeDir(); err == nil {
			home = filepath.Join(user, ".hearth")
		}
	}
	engines := os.Getenv("HEARTH_ENGINES")
	if engines == "" && home != "" {
		engines = filepath.Join(home, "engines")
	}
	return Config{
		Listen:            "127.0.0.1:8650",
		Data:              home,
		Engines:           engines,
		Account:           "123456789012",
		Region:            "us-east-1",
		MavenURL:          "https://repo1.maven.org/maven2",
		DriverMemory:      "2g",
		DriverOverhead:    "1g",
		ConnectTokenTTL:   Duration{hearth.DefaultConnectTokenTTL},
		EventLogs:         true,
		ConcurrentStarts:  max(2, runtime.NumCPU()),
		WarmDrivers:       1,
		WarmAge:           Duration{time.Hour},
		KeepDrivers:       Duration{7 * 24 * time.Hour},
		KeepUploads:       Duration{7 * 24 * time.Hour},
		MaxBody:           32 << 20,
		Heartbeat:         Duration{5 * time.Second},
		UnresponsiveAfter: Duration{30 * time.Second},
		LostAfter:         Duration{5 * time.Minute},
		CancelDeadline:    Duration{10 * time.Second},
		EndGrace:          Duration{3 * time.Second},
		Throttle:          Throttle{Error: ThrottlingException},

		ConnectMaxConnections: 1000,
	}
}

// Load reads a configuration file over the defaults. It does not Check, since
// flags may change what the file says. It returns KindInvalid, with the line,
// for what is not TOML, is of another type, or is no setting.
func Load(path string) (Config, error) {
	c := Default()
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, hearth.Errorf(hearth.KindInvalid, "The configuration file cannot be read: %w.", err)
	}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&c); err != nil {
		return Config{}, decodeError(path, err)
	}
	dir := filepath.Dir(path)
	for _, p := range []*string{&c.TLSCertificate, &c.TLSKey, &c.ConnectCertificate, &c.ConnectKey, &c.Data, &c.Engines} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	absolute(c.Stores, dir)
	return c, nil
}

func decodeError(path string, err error) error {
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		line, _ := first.Position()
		return hearth.Errorf(hearth.KindInvalid, "%s, line %d: %s is no setting. Correct or remove it.", path, line, strings.Join(first.Key(), "."))
	}
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := wrong.Position()
		if kind, isKind := strings.CutPrefix(wrong.Error(), "toml: cannot decode TOML "); isKind {
			kind, _, _ = strings.Cut(kind, " ")
			return hearth.Errorf(hearth.KindInvalid, "%s, line %d: %s cannot be of the type %s. See the manual for what it takes.", path, line, strings.Join(wrong.Key(), "."), kind)
		}
		return hearth.Errorf(hearth.KindInvalid, "%s, line %d, column %d: %s.", path, line, column, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return hearth.Errorf(hearth.KindInvalid, "%s: %w.", path, err)
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// Check refuses settings that cannot work, the first of them, with a message
// that names it and says what to do. The error is of KindInvalid.
func (c Config) Check() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || !isPort(port) {
		return refuse("listen", c.Listen, "write a host and a port, like 127.0.0.1:8650")
	}
	if (c.TLSCertificate == "") != (c.TLSKey == "") {
		return hearth.Errorf(hearth.KindInvalid, "tls_certificate and tls_key belong together: set both, or none.")
	}
	if !isLoopback(host) && c.TLSCertificate == "" && !c.InsecureListen {
		return refuse("listen", c.Listen, "other machines could reach it and the connection would not be encrypted. "+
			"Use 127.0.0.1, set tls_certificate and tls_key, or allow it with insecure_listen = true (--insecure-listen)")
	}
	if err := c.checkConnect(); err != nil {
		return err
	}
	const homeless = "the user has no home directory to put it in, so set HEARTH_HOME or this"
	switch {
	case c.Data == "":
		return refuse("data", c.Data, homeless)
	case c.Engines == "":
		return refuse("engines", c.Engines, homeless)
	case !accountPattern.MatchString(c.Account):
		return refuse("account", c.Account, "write 12 digits")
	case !regionPattern.MatchString(c.Region):
		return refuse("region", c.Region, "write the name of a region, like us-east-1")
	case c.MaxBody < minBody:
		return refuse("max_body", c.MaxBody, fmt.Sprintf("a calculation's code has to fit; write at least %d", minBody))
	}
	if c.PipIndexURL != "" && !isURL(c.PipIndexURL) {
		return refuse("pip_index_url", c.PipIndexURL, "write a URL, like https://pypi.org/simple")
	}
	if !isURL(c.MavenURL) {
		return refuse("maven_url", c.MavenURL, "write a URL, like https://repo1.maven.org/maven2")
	}
	if err := c.checkMemory(); err != nil {
		return err
	}
	if err := c.checkQuotas(); err != nil {
		return err
	}
	if err := c.checkStores(); err != nil {
		return err
	}
	if err := c.checkBuckets(); err != nil {
		return err
	}
	if err := c.Throttle.check(); err != nil {
		return err
	}
	return c.checkTimes()
}

// minBody holds the longest code that a calculation may have, in JSON, when
// each character takes the longest form: a pair of \uXXXX.
const minBody = 1 << 20

func (c Config) checkTimes() error {
	for _, t := range []struct {
		name string
		span Duration
	}{
		{"heartbeat", c.Heartbeat},
		{"unresponsive_after", c.UnresponsiveAfter},
		{"lost_after", c.LostAfter},
		{"cancel_deadline", c.CancelDeadline},
		{"end_grace", c.EndGrace},
	} {
		if t.span.Duration < time.Millisecond {
			return refuse(t.name, t.span, "write a time of at least 1ms, like 5s")
		}
	}
	if c.ConcurrentStarts < 1 {
		return refuse("concurrent_starts", c.ConcurrentStarts, "write how many sessions may be starting at once, at least 1")
	}
	if c.WarmDrivers < 0 {
		return refuse("warm_drivers", c.WarmDrivers, "write how many drivers are to wait for sessions; 0 is none")
	}
	if c.WarmAge.Duration < time.Minute {
		return refuse("warm_age", c.WarmAge, "a driver that is replaced costs a start, so write at least 1m")
	}
	if c.KeepDrivers.Duration < 0 {
		return refuse("keep_drivers", c.KeepDrivers, "0s keeps for ever")
	}
	if keep := c.KeepUploads.Duration; keep != 0 && keep < time.Hour {
		return refuse("keep_uploads", c.KeepUploads, "a job's uploads are completed only at its end, so write at least 1h, or 0s to keep for ever")
	}
	if keep := c.KeepRecords.Duration; keep != 0 && keep < time.Hour {
		return refuse("keep_records", c.KeepRecords, "whoever waits for a session has to see its end, so write at least 1h, or 0s to keep for ever")
	}
	if keep := c.KeepResults.Duration; keep != 0 && keep < time.Hour {
		return refuse("keep_results", c.KeepResults, "whoever waits for a result has to be able to read it, so write at least 1h, or 0s to keep for ever")
	}
	if c.UnresponsiveAfter.Duration <= c.Heartbeat.Duration {
		return refuse("unresponsive_after", c.UnresponsiveAfter, "it has to be longer than heartbeat, which is "+c.Heartbeat.String())
	}
	if c.LostAfter.Duration <= c.UnresponsiveAfter.Duration {
		return refuse("lost_after", c.LostAfter, "it has to be longer than unresponsive_after, which is "+c.UnresponsiveAfter.String())
	}
	return nil
}

func refuse(setting string, value any, remedy string) error {
	return hearth.Errorf(hearth.KindInvalid, "The setting %s cannot be %q: %s.", setting, fmt.Sprint(value), remedy)
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Host != ""
}

func isPort(text string) bool {
	_, err := netip.ParseAddrPort("127.0.0.1:" + text)
	return err == nil
}

// isLoopback reports whether only this machine can reach a host.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
