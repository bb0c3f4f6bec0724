package awsjson

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTimestamp(t *testing.T) {
	t.Run("is read as it was written, to the millisecond", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			written := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "millis"))
			text, err := json.Marshal(Timestamp{written})
			if err != nil {
				t.Fatal(err)
			}
			var read Timestamp
			if err := json.Unmarshal(text, &read); err != nil || !read.Equal(written) {
				t.Fatalf("%s: %v, %v", text, read, err)
			}
		})
	})
	t.Run("is a number", func(t *testing.T) {
		var read Timestamp
		if err := json.Unmarshal([]byte(`"2026-11-21T00:00:00Z"`), &read); err == nil {
			t.Error(read)
		}
	})
}
