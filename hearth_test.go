package hearth_test

import (
	"encoding/hex"
	"errors"
	"maps"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"hearth"
)

func TestNewID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	timeOf := func(t interface{ Fatal(...any) }, id string) int64 {
		b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
		if err != nil {
			t.Fatal(err)
		}
		halves := int64(0)
		for _, octet := range b[1:6] {
			halves = halves<<8 | int64(octet)
		}
		return halves * 2
	}
	t.Run("carries its time as Athena's ids do", func(t *testing.T) {
		// The id and the time of a CloudTrail sample in AWS's user guide.
		if got := time.UnixMilli(timeOf(t, "a2c1ebba-ad01-865f-ed2d-a142b7451f7e")).UTC(); got.Format(time.DateTime) != "2022-10-14 17:05:35" {
			t.Errorf("the sample decodes to %v", got)
		}
		rapid.Check(t, func(t *rapid.T) {
			now := time.UnixMilli(rapid.Int64Range(1, 1<<40).Draw(t, "now"))
			id := hearth.NewID(now)
			if !form.MatchString(id) {
				t.Fatalf("%s does not have the form", id)
			}
			if got := timeOf(t, id); got != now.UnixMilli()/2*2 {
				t.Fatalf("%s carries %d, not %d", id, got, now.UnixMilli())
			}
		})
	})
	t.Run("is new each time", func(t *testing.T) {
		now := time.Now()
		if one, other := hearth.NewID(now), hearth.NewID(now); one == other {
			t.Error("twice the same")
		}
	})
	t.Run("a session's coordinator carries the session's time, always the same", func(t *testing.T) {
		s := hearth.Session{ID: hearth.NewID(time.Now()), State: hearth.SessionIdle}
		first, again := s.Executors(), s.Executors()
		if len(first) != 1 || first[0].ID != again[0].ID {
			t.Fatalf("executors %+v, then %+v", first, again)
		}
		if timeOf(t, first[0].ID) != timeOf(t, s.ID) || first[0].ID == s.ID {
			t.Errorf("executor %s of session %s", first[0].ID, s.ID)
		}
	})
}

func TestError(t *testing.T) {
	t.Run("what nobody classified is internal and says nothing of itself", func(t *testing.T) {
		err := errors.New("password=secret")
		if hearth.KindOf(err) != hearth.KindInternal {
			t.Errorf("kind %v", hearth.KindOf(err))
		}
		for _, err := range []error{err, hearth.Internal(err, "read the keys")} {
			if text := hearth.MessageOf(err); strings.Contains(text, "secret") || strings.Contains(text, "keys") {
				t.Errorf("the user reads %q", text)
			}
		}
	})
	t.Run("keeps its kind and cause through wrapping", func(t *testing.T) {
		cause := errors.New("no space left on device")
		err := errors.Join(errors.New("outer"), hearth.Errorf(hearth.KindUnavailable, "write the bundle: %w", cause))
		if hearth.KindOf(err) != hearth.KindUnavailable || !errors.Is(err, cause) {
			t.Errorf("kind %v, cause kept: %v", hearth.KindOf(err), errors.Is(err, cause))
		}
	})
	t.Run("every kind has a name", func(t *testing.T) {
		for k := hearth.KindInternal; k <= hearth.KindUnavailable; k++ {
			if k.String() == "" {
				t.Errorf("kind %d has none", int(k))
			}
		}
	})
}

// Clients match this text to the letter (dbt-athena's python_submissions.py).
func TestNotIdle(t *testing.T) {
	want := "Session is in the BUSY state; needs to be IDLE to accept Calculations."
	if got := hearth.NotIdle(hearth.SessionBusy).Message; got != want {
		t.Errorf("got %q", got)
	}
}

func TestClipReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "text"))
		got := hearth.ClipReason(text)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > hearth.MaxReasonLength {
			t.Fatalf("%d characters, valid: %v", utf8.RuneCountInString(got), utf8.ValidString(got))
		}
	})
	long := strings.Repeat("x", 5000) + " the cause"
	if got := hearth.ClipReason(long); !strings.HasSuffix(got, " the cause") {
		t.Errorf("the end, where the cause stands, was cut: %q", got)
	}
}

func TestEngineConfiguration(t *testing.T) {
	pyspark := hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3}
	spark35 := hearth.EngineVersion{Selected: hearth.EngineSpark35, Effective: hearth.EngineSpark35}
	properties := func(key, value string) hearth.EngineConfiguration {
		return hearth.EngineConfiguration{SparkProperties: map[string]string{key: value}}
	}
	refused := func(t *testing.T, c hearth.EngineConfiguration, engine hearth.EngineVersion, name string) {
		t.Helper()
		err := c.Check(engine)
		if hearth.KindOf(err) != hearth.KindInvalid || err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want a refusal that names %s", err, name)
		}
	}

	t.Run("empty is valid on both engines", func(t *testing.T) {
		for _, engine := range []hearth.EngineVersion{pyspark, spark35} {
			if err := (hearth.EngineConfiguration{}).Check(engine); err != nil {
				t.Errorf("%s: %v", engine.Effective, err)
			}
		}
	})
	t.Run("3.5 refuses the members of engine 3 by name", func(t *testing.T) {
		refused(t, hearth.EngineConfiguration{CoordinatorDPUSize: 1}, spark35, "CoordinatorDpuSize")
		refused(t, hearth.EngineConfiguration{DefaultExecutorDPUSize: 1}, spark35, "DefaultExecutorDpuSize")
		refused(t, hearth.EngineConfiguration{SparkProperties: map[string]string{}}, spark35, "SparkProperties")
		all := hearth.EngineConfiguration{CoordinatorDPUSize: 1, DefaultExecutorDPUSize: 1, SparkProperties: map[string]string{}}
		refused(t, all, spark35, "CoordinatorDpuSize") // the same each time
	})
	t.Run("reserved properties are refused with the name", func(t *testing.T) {
		for _, key := range []string{"spark.master", "spark.athena.x", "spark.submit.deployMode", "spark.driver.extraJavaOptions", "spark.driver.bindAddress", "spark.local.dir", "spark.pyspark.python"} {
			refused(t, properties(key, "x"), pyspark, key)
		}
		refused(t, properties("spark.x", "a\nspark.master y"), pyspark, "spark.x")
	})
	t.Run("only keys of Spark reach Spark", func(t *testing.T) {
		c := hearth.EngineConfiguration{
			SparkProperties: map[string]string{"spark.a": "1", "hive.b": "2"},
			Classifications: []hearth.Classification{{Name: hearth.ClassificationSparkDefaults, Properties: map[string]string{"spark.c": "3", "d": "4"}}},
		}
		got := c.Properties()
		if len(got) != 2 || got["spark.a"] != "1" || got["spark.c"] != "3" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("the session's own values win over the workgroup's, and those over the defaults", func(t *testing.T) {
		group := hearth.EngineConfiguration{MaxConcurrentDPUs: 7, SparkProperties: map[string]string{"spark.g": "1"}}
		if got := (hearth.EngineConfiguration{}).WithDefaults(pyspark, group); got.MaxConcurrentDPUs != 7 || got.CoordinatorDPUSize != 1 || got.SparkProperties["spark.g"] != "1" {
			t.Errorf("got %+v", got)
		}
		if got := (hearth.EngineConfiguration{MaxConcurrentDPUs: 3}).WithDefaults(pyspark, group); got.MaxConcurrentDPUs != 3 {
			t.Errorf("got %+v", got)
		}
		if got := (hearth.EngineConfiguration{}).WithDefaults(pyspark, hearth.EngineConfiguration{}); got.MaxConcurrentDPUs != hearth.DefaultMaxConcurrentDPUs {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("properties are joined key by key", func(t *testing.T) {
		class := func(properties map[string]string) []hearth.Classification {
			return []hearth.Classification{{Name: hearth.ClassificationSparkDefaults, Properties: properties}}
		}
		group := hearth.EngineConfiguration{
			SparkProperties: map[string]string{"spark.a": "group", "spark.b": "group"},
			Classifications: class(map[string]string{"spark.c": "group", "spark.d": "group"}),
		}
		own := hearth.EngineConfiguration{
			SparkProperties: map[string]string{"spark.b": "own"},
			Classifications: class(map[string]string{"spark.d": "own"}),
		}
		want := map[string]string{"spark.a": "group", "spark.b": "own", "spark.c": "group", "spark.d": "own"}
		if got := own.WithDefaults(pyspark, group).Properties(); !maps.Equal(got, want) {
			t.Errorf("got %v", got)
		}
		if group.SparkProperties["spark.b"] != "group" || group.Classifications[0].Properties["spark.d"] != "group" {
			t.Errorf("the workgroup's own are %v now", group)
		}
		if got := (hearth.EngineConfiguration{SparkProperties: map[string]string{}}).WithDefaults(pyspark, hearth.EngineConfiguration{}); got.SparkProperties == nil {
			t.Error("what was given empty is not there any more")
		}
	})
	t.Run("a configuration of 3.5 with its defaults is one of 3.5", func(t *testing.T) {
		if err := (hearth.EngineConfiguration{}).WithDefaults(spark35, hearth.EngineConfiguration{}).Check(spark35); err != nil {
			t.Error(err)
		}
	})
	t.Run("never more cores than the machine has, and at least one DPU", func(t *testing.T) {
		c := hearth.EngineConfiguration{}.WithDefaults(pyspark, hearth.EngineConfiguration{})
		if c.Cores() > runtime.NumCPU() || c.Cores() < 1 || c.DPUs() < 1 {
			t.Errorf("%d cores, %d DPUs", c.Cores(), c.DPUs())
		}
	})
}
