package shim

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func readAll(t testing.TB, content string, from int64) (events []Event, nexts []int64, end int64) {
	t.Helper()
	end, err := ReadJournal(strings.NewReader(content), from, func(e Event, next int64) error {
		events, nexts = append(events, e), append(nexts, next)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, nexts, end
}

// What was written before the power went is read, from any offset that was
// told, wherever the file was cut.
func TestReadJournal_Torn(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		path := filepath.Join(t.TempDir(), "journal")
		j, err := createJournal(path)
		if err != nil {
			r.Fatal(err)
		}
		want := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Event {
			return Event{Type: EventFinished, At: float64(rapid.Int32().Draw(r, "at")), Reason: rapid.String().Draw(r, "reason") + strings.Repeat("long", rapid.SampledFrom([]int{0, 0, 20_000}).Draw(r, "long"))}
		}), 1, 8).Draw(r, "events")
		for _, e := range want {
			if err := j.append(e); err != nil {
				r.Fatal(err)
			}
		}
		if err := j.close(); err != nil {
			r.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			r.Fatal(err)
		}
		for i := range want { // as files read it: what is no text is replaced
			want[i].Reason = strings.ToValidUTF8(want[i].Reason, "\ufffd")
		}
		cut := rapid.IntRange(0, len(content)).Draw(r, "cut")
		torn := string(content[:cut]) + rapid.SampledFrom([]string{"", "\x00\x00\x00", "\x00\n", "{\"type\":\n"}).Draw(r, "garbage")
		whole := bytes.Count(content[:cut], []byte("\n"))
		got, nexts, end := readAll(t, torn, 0)
		if diff := cmp.Diff(want[:whole], append([]Event{}, got...)); diff != "" {
			r.Fatal(diff)
		}
		for i, next := range append([]int64{0}, nexts...) {
			rest, _, restEnd := readAll(t, torn, next)
			if diff := cmp.Diff(want[i:whole], append([]Event{}, rest...)); diff != "" || restEnd != end {
				r.Fatalf("from %d on it ends at %d, not %d: %s", next, restEnd, end, diff)
			}
		}
	})
}

func TestJournal_FullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{file: full, size: 0}
	if err := j.append(Event{Type: EventReady}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("it says %v", err)
	}
	if j.size != 0 {
		t.Errorf("it has grown to %d", j.size)
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add("", int64(0))
	f.Add("{\"type\":\"spawned\",\"at\":1}\n{\"type\":\"ready\",\"at\":2,\"phases\":[{\"name\":\"spawn\",\"took_ms\":3}]}\n", int64(26))
	f.Add("{\"type\":\"exited\"", int64(0))
	f.Add("\x00\x00\n", int64(1))
	f.Add("null\n5\n", int64(9))
	f.Fuzz(func(t *testing.T, content string, from int64) {
		if from < 0 {
			return
		}
		last := from
		end, err := ReadJournal(strings.NewReader(content), from, func(_ Event, next int64) error {
			if next <= last {
				t.Errorf("offset %d comes after %d", next, last)
			}
			last = next
			return nil
		})
		if err != nil || end != last {
			t.Errorf("it ends at %d, %v, after %d", end, err, last)
		}
	})
}
