package hearth_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"hearth"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
)

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"512": 512 * mib, "512b": 512, "1k": 1 << 10, "1kb": 1 << 10, " 2G ": 2 * gib, "1536MB": 1536 * mib, "1t": 1 << 40, "1p": 1 << 50, "0": 0,
	} {
		if got, ok := hearth.ParseMemory(text); !ok || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "g", "lots", "1.5g", "-1g", "1gg", "1bg", "1 g", "8192p", "9223372036854775808b"} {
		if got, ok := hearth.ParseMemory(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestShowMemory(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 bytes", 1: "1 bytes", 1536: "1536 bytes", 5 << 10: "5 KiB", 1536 * mib: "1536 MiB", 3 * gib: "3 GiB", 2048 << 40: "2048 TiB",
	} {
		if got := hearth.ShowMemory(bytes); got != want {
			t.Errorf("%d is %q, want %q", bytes, got, want)
		}
	}
}

func TestDriverMemory_Of(t *testing.T) {
	rule := hearth.DriverMemory{Heap: 2 * gib, MaxHeap: 4 * gib, Overhead: gib}
	for name, test := range map[string]struct {
		properties map[string]string
		want       int64
		refusal    string
	}{
		"without properties":    {nil, 3 * gib, ""},
		"with less":             {map[string]string{"spark.driver.memory": "512m"}, 1536 * mib, ""},
		"with the most":         {map[string]string{"spark.driver.memory": "4096"}, 5 * gib, ""},
		"with no size":          {map[string]string{"spark.driver.memory": "a lot"}, 3 * gib, ""},
		"with memory beside it": {map[string]string{"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1073741824"}, 4 * gib, ""},
		"with memory beside it that is turned off": {
			map[string]string{"spark.memory.offHeap.size": "100g"}, 3 * gib, "",
		},
		"with more": {
			map[string]string{"spark.driver.memory": "64g"},
			0,
			"The session asks for 64 GiB of memory with spark.driver.memory, and 4 GiB is the most that it may have here. Ask for less.",
		},
		"with more beside it": {
			map[string]string{"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "4g"},
			0,
			"The session asks for 6 GiB of memory with spark.driver.memory and spark.memory.offHeap.size, and 4 GiB is the most that it may have here. Ask for less.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rule.Of(test.properties)
			if got != test.want || (err == nil) != (test.refusal == "") {
				t.Errorf("got %d, %v", got, err)
			}
			if err != nil && (hearth.KindOf(err) != hearth.KindInvalid || hearth.MessageOf(err) != test.refusal) {
				t.Errorf("refused with %v\nwant         %s", err, test.refusal)
			}
		})
	}
}

// However much is asked for, a claim is never less than what was asked for, and
// so cannot slip under a quota.
func TestDriverMemory_Of_NeverWraps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := func(label string) int64 { return rapid.Int64Range(0, math.MaxInt64>>20).Draw(rt, label) * mib }
		heap := size("heap")
		rule := hearth.DriverMemory{Heap: heap, Overhead: size("overhead")}
		got, err := rule.Of(map[string]string{"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "8191p"})
		if err != nil || got < heap || got < rule.Overhead {
			rt.Fatalf("%+v is %d, %v", rule, got, err)
		}
	})
}
