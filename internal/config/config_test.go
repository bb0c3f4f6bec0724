package config_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/config"
)

// load writes a file and reads it.
func load(t *testing.T, text string) (config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hearth.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path)
}

func TestDefault(t *testing.T) {
	t.Run("is good", func(t *testing.T) {
		if err := config.Default().Check(); err != nil {
			t.Error(err)
		}
	})
	t.Run("is what an empty file gives", func(t *testing.T) {
		got, err := load(t, "")
		if err != nil || !reflect.DeepEqual(got, config.Default()) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("keeps everything in HEARTH_HOME", func(t *testing.T) {
		t.Setenv("HEARTH_HOME", "/srv/hearth")
		t.Setenv("HEARTH_ENGINES", "")
		if c := config.Default(); c.Data != "/srv/hearth" || c.Engines != "/srv/hearth/engines" {
			t.Errorf("data %s, engines %s", c.Data, c.Engines)
		}
	})
	t.Run("keeps engines in HEARTH_ENGINES", func(t *testing.T) {
		t.Setenv("HEARTH_HOME", "/srv/hearth")
		t.Setenv("HEARTH_ENGINES", "/opt/engines")
		if c := config.Default(); c.Data != "/srv/hearth" || c.Engines != "/opt/engines" {
			t.Errorf("data %s, engines %s", c.Data, c.Engines)
		}
	})
	t.Run("without a home says what to set", func(t *testing.T) {
		for _, name := range []string{"HOME", "HEARTH_HOME", "HEARTH_ENGINES"} {
			t.Setenv(name, "")
		}
		wantInvalid(t, config.Default().Check(), "HEARTH_HOME")
	})
}

func TestLoad(t *testing.T) {
	t.Run("reads every setting", func(t *testing.T) {
		got, err := load(t, `
			listen = "0.0.0.0:443"
			insecure_listen = true
			tls_certificate = "tls/cert.pem"
			tls_key = "/etc/key.pem"
			connect_listen = "0.0.0.0:8443"
			connect_certificate = "tls/connect.pem"
			connect_key = "tls/connect.key"
			connect_token_ttl = "2h"
			connect_max_connections = 20
			data = "data"
			engines = "/opt/engines"
			account = "000000000001"
			region = "eu-central-1"
			driver_memory = "512m"
			max_driver_memory = "4g"
			driver_overhead = "512m"
			limit_memory = true
			concurrent_starts = 1
			warm_drivers = 3
			warm_age = "10m"
			light_drivers = true
			event_logs = false
			java = "/opt/java/bin/java"
			python = "python3.11"
			pip_index_url = "https://pypi.example/simple"
			maven_url = "https://maven.example/central"
			keep_drivers = "24h"
			keep_records = "48h"
			keep_results = "24h"
			max_results = "50g"
			keep_uploads = "12h"
			max_body = 2000000
			heartbeat = "1s"
			unresponsive_after = "2s"
			lost_after = "3s"
			cancel_deadline = "4s"
			end_grace = "500ms"

			[quota]
			sessions = 20
			dpus = 40
			memory = "auto"

			[workgroups.etl]
			sessions = 2
			dpus = 8
			queue = 10
			memory = "6g"
			table_formats = ["iceberg", "delta"]

			[buckets."team-*"]
			workgroups = ["etl", "primary"]

			[workgroups."*"]
			sessions = 5

			[stores.lake]
			buckets = ["lake-*", "results"]
			endpoint = "https://s3.example.org"
			region = "eu-west-1"
			path_style = true
			access_key_id = "KEY"
			secret_access_key_file = "lake.secret"

			[throttle]
			rate = 20
			burst = 50
			error = "TooManyRequestsException"

			[throttle.operations.StartSession]
			rate = 0.5
		`)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Check(); err != nil {
			t.Error(err)
		}
		unset := reflect.ValueOf(got)
		for i := range unset.NumField() {
			if field := unset.Field(i); reflect.DeepEqual(field.Interface(), reflect.ValueOf(config.Default()).Field(i).Interface()) {
				t.Errorf("%s has its default", unset.Type().Field(i).Name)
			}
		}
		if got.EndGrace.Duration != 500*time.Millisecond {
			t.Errorf("end_grace %s", got.EndGrace)
		}
		if filepath.Base(got.Data) != "data" || !filepath.IsAbs(got.Data) || !filepath.IsAbs(got.TLSCertificate) || got.TLSKey != "/etc/key.pem" {
			t.Errorf("data %s, certificate %s, key %s", got.Data, got.TLSCertificate, got.TLSKey)
		}
	})

	for name, c := range map[string]struct{ text, want string }{
		"an unknown setting":         {"region = \"x\"\n\nlisten_on = \"127.0.0.1:1\"\n", "line 3: listen_on is no setting"},
		"an unknown table":           {"[tls]\ncert = \"x\"\n", "line 1: tls is no setting"},
		"a setting of another type":  {"region = \"x\"\nmax_body = \"many\"\n", "line 2: max_body cannot be of the type string"},
		"an unknown quota":           {"[workgroups.etl]\nsession = 2\n", "line 2: workgroups.etl.session is no setting"},
		"a time without a unit":      {"region = \"x\"\nheartbeat = \"5\"\n", "line 2"},
		"a time as a number":         {"heartbeat = 5\n", "5 is not a time span"},
		"what is not TOML":           {"listen\n", "line 1"},
		"an unknown part of a store": {"[stores.lake]\nsecret_access_key = \"x\"\n", "line 2: stores.lake.secret_access_key is no setting"},
		"a setting given twice":      {"region = \"x\"\nregion = \"y\"\n", "region"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := load(t, c.text)
			wantInvalid(t, err, c.want)
		})
	}
	t.Run("refuses a file that is not there", func(t *testing.T) {
		_, err := config.Load(filepath.Join(t.TempDir(), "absent.toml"))
		wantInvalid(t, err, "absent.toml")
	})
}

func TestCheck(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:8650", "127.1.2.3:0", "localhost:80", "[::1]:8650", "[::ffff:127.0.0.1]:1"} {
		t.Run("takes "+listen, func(t *testing.T) {
			c := config.Default()
			c.Listen = listen
			if err := c.Check(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, listen := range []string{"0.0.0.0:8650", ":8650", "[::]:8650", "192.168.0.1:8650", "hearth.example:8650", "localhost.example:1"} {
		c := config.Default()
		c.Listen = listen
		t.Run("refuses open "+listen, func(t *testing.T) {
			wantInvalid(t, c.Check(), "insecure_listen")
		})
		t.Run("takes "+listen+" when told so", func(t *testing.T) {
			c.InsecureListen = true
			if err := c.Check(); err != nil {
				t.Error(err)
			}
		})
		t.Run("takes "+listen+" with TLS", func(t *testing.T) {
			c.InsecureListen, c.TLSCertificate, c.TLSKey = false, "cert.pem", "key.pem"
			if err := c.Check(); err != nil {
				t.Error(err)
			}
		})
	}

	for setting, changes := range map[string][]func(*config.Config){
		"listen": {
			func(c *config.Config) { c.Listen = "" },
			func(c *config.Config) { c.Listen = "127.0.0.1" },
			func(c *config.Config) { c.Listen = "127.0.0.1:http" },
			func(c *config.Config) { c.Listen = "127.0.0.1:70000" },
		},
		"tls_key":         {func(c *config.Config) { c.TLSCertificate = "cert.pem" }},
		"tls_certificate": {func(c *config.Config) { c.TLSKey = "key.pem" }},
		"data":            {func(c *config.Config) { c.Data = "" }},
		"engines":         {func(c *config.Config) { c.Engines = "" }},
		"account":         {func(c *config.Config) { c.Account = "12" }},
		"region":          {func(c *config.Config) { c.Region = "US East" }},
		"driver_memory": {
			func(c *config.Config) { c.DriverMemory = "2" },
			func(c *config.Config) { c.DriverMemory = "0g" },
			func(c *config.Config) { c.DriverMemory = "99999999999t" },
		},
		"max_driver_memory": {func(c *config.Config) { c.MaxDriverMemory = "lots" }, func(c *config.Config) { c.MaxDriverMemory = "2047m" }},
		"driver_overhead":   {func(c *config.Config) { c.DriverOverhead = "" }},
		"pip_index_url":     {func(c *config.Config) { c.PipIndexURL = "pypi" }},
		"buckets":           {func(c *config.Config) { c.Buckets = map[string]config.Bucket{"team-[": {}} }},
		"maven_url":         {func(c *config.Config) { c.MavenURL = "" }, func(c *config.Config) { c.MavenURL = "central" }},
		"max_body":          {func(c *config.Config) { c.MaxBody = 1000 }},
		"keep_results":      {func(c *config.Config) { c.KeepResults.Duration = time.Minute }},
		"max_results":       {func(c *config.Config) { c.MaxResults = "50" }},
		"keep_uploads": {
			func(c *config.Config) { c.KeepUploads.Duration = -1 },
			func(c *config.Config) { c.KeepUploads.Duration = time.Hour - 1 },
		},
		"keep_records":       {func(c *config.Config) { c.KeepRecords.Duration = time.Minute }},
		"heartbeat":          {func(c *config.Config) { c.Heartbeat = config.Duration{} }},
		"unresponsive_after": {func(c *config.Config) { c.UnresponsiveAfter = c.Heartbeat }},
		"lost_after":         {func(c *config.Config) { c.LostAfter = c.UnresponsiveAfter }},
		"cancel_deadline":    {func(c *config.Config) { c.CancelDeadline = config.Duration{Duration: -time.Second} }},
		"end_grace":          {func(c *config.Config) { c.EndGrace = config.Duration{} }},
		"quota.sessions":     {func(c *config.Config) { c.Quota.Sessions = -1 }},
		"quota.dpus":         {func(c *config.Config) { c.Quota.DPUs = -1 }},
		"quota.memory":       {func(c *config.Config) { c.Quota.Memory = "most" }},
		"workgroups.etl.memory": {func(c *config.Config) {
			c.WorkGroups = map[string]config.WorkGroup{"etl": {Memory: config.AutoMemory}}
		}},
		"workgroups.etl.queue": {func(c *config.Config) {
			c.WorkGroups = map[string]config.WorkGroup{"etl": {Queue: -1}}
		}},
		"workgroups.etl.dpus": {func(c *config.Config) {
			c.WorkGroups = map[string]config.WorkGroup{"etl": {DPUs: -1}}
		}},
		"workgroups.etl.table_formats": {
			formats("hudi"), formats("Iceberg"), formats(""), formats(hearth.Delta, "iceberg,delta"),
		},
		"workgroups": {func(c *config.Config) {
			c.WorkGroups = map[string]config.WorkGroup{"e t l": {}}
		}},
		"stores": {func(c *config.Config) { c.Stores = map[string]config.Store{"La ke": {Buckets: []string{"a"}}} }},
		"stores.lake.buckets": {
			lake(func(s *config.Store) { s.Buckets = nil }),
			lake(func(s *config.Store) { s.Buckets = []string{"s3://a"} }),
			func(c *config.Config) {
				c.Stores = map[string]config.Store{"archive": {Buckets: []string{"a*"}}, "lake": {Buckets: []string{"a*"}}}
			},
		},
		"stores.lake.endpoint": {
			lake(func(s *config.Store) { s.Endpoint = "s3.example.org" }),
			lake(func(s *config.Store) { s.Endpoint = "ftp://s3.example.org" }),
			lake(func(s *config.Store) { s.Endpoint = "https://KEY:SECRET@s3.example.org" }),
		},
		"stores.lake.region":  {lake(func(s *config.Store) { s.Region = "US East" })},
		"stores.lake.profile": {lake(func(s *config.Store) { s.Profile = "p" })},
		"stores.lake.secret_access_key_file": {
			lake(func(s *config.Store) { s.AccessKeyID = "" }),
			lake(func(s *config.Store) { s.SecretAccessKeyFile = "" }),
		},
		"throttle.rate":  {func(c *config.Config) { c.Throttle.Rate = -1 }, func(c *config.Config) { c.Throttle.Rate = math.NaN() }},
		"throttle.burst": {func(c *config.Config) { c.Throttle.Burst = -1 }},
		"throttle.error": {func(c *config.Config) { c.Throttle.Error = "SlowDown" }},
		"throttle.operations.StartSession.rate": {func(c *config.Config) {
			c.Throttle.Operations = map[string]config.Limit{"StartSession": {Rate: -1}}
		}},
	} {
		for i, change := range changes {
			t.Run(fmt.Sprintf("names %s, %d", setting, i), func(t *testing.T) {
				c := config.Default()
				change(&c)
				wantInvalid(t, c.Check(), setting)
			})
		}
	}
}

// lake changes a store that is fine.
func lake(change func(*config.Store)) func(*config.Config) {
	return func(c *config.Config) {
		s := config.Store{Buckets: []string{"lake-*"}, Endpoint: "http://127.0.0.1:9000", AccessKeyID: "KEY", SecretAccessKeyFile: "secret"}
		change(&s)
		c.Stores = map[string]config.Store{"lake": s}
	}
}

func TestStores(t *testing.T) {
	c := config.Default()
	lake(func(*config.Store) {})(&c)
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if got := c.BucketStores().Store("lake-1"); got != "lake" {
		t.Errorf("lake-1 is in the store %q", got)
	}
	t.Run("a user in an endpoint is not repeated", func(t *testing.T) {
		c := c
		lake(func(s *config.Store) { s.Endpoint = "https://KEY:SECRET@s3.example.org" })(&c)
		if err := c.Check(); strings.Contains(err.Error(), "SECRET") {
			t.Error(err)
		}
	})

	file := filepath.Join(t.TempDir(), "secret")
	s := config.Store{SecretAccessKeyFile: file}
	_, err := s.SecretAccessKey()
	wantInvalid(t, err, file)
	for content, want := range map[string]string{"wJalr/+=\n": "wJalr/+=", " x ": "x", "": "", "\n": "", "key = x": "", "a\nb": ""} {
		t.Run(fmt.Sprintf("the secret in %q", content), func(t *testing.T) {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := s.SecretAccessKey()
			if want == "" {
				wantInvalid(t, err, file)
				if strings.Contains(err.Error(), content) && strings.TrimSpace(content) != "" {
					t.Errorf("the error repeats the content: %v", err)
				}
			} else if got != want || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestMemory(t *testing.T) {
	const mib, gib = int64(1) << 20, int64(1) << 30
	c := config.Default()
	if got, want := c.Memory(), (hearth.DriverMemory{Heap: 2 * gib, Overhead: gib}); got != want {
		t.Errorf("a driver's is %+v, want %+v", got, want)
	}
	c.WorkGroups = map[string]config.WorkGroup{"etl": {Memory: "6g"}}
	for setting, want := range map[string]int64{"": 0, "12g": 12 * gib, "auto": 14*gib - mib} {
		c.Quota.Memory = setting
		quotas := c.Quotas(16*gib - mib)
		if quotas.Account.Memory != want || quotas.Of("etl").Memory != 6*gib {
			t.Errorf("%q is %+v, want %d", setting, quotas, want)
		}
	}
}

func wantInvalid(t *testing.T, err error, text string) {
	t.Helper()
	if hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(hearth.MessageOf(err), text) {
		t.Errorf("error %v; want one that says %s", err, text)
	}
}
