package connect

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestReading(t *testing.T) {
	t.Run("is remembered for a while after the last", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newReading()
			for range 3 {
				r.began("a")
				time.Sleep(time.Hour)
				r.began("a")
				r.ended("a")
				time.Sleep(time.Hour) // one reads on
				r.ended("a")
				time.Sleep(linger - 1)
				if !r.by("a") || r.by("b") {
					t.Errorf("of a it is known: %v, of b: %v", r.by("a"), r.by("b"))
				}
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if r.by("a") || len(r.tokens) > 0 {
				t.Errorf("there are %d for ever", len(r.tokens))
			}
		})
	})
	t.Run("one after the other takes no more memory than the first", func(t *testing.T) {
		r := newReading()
		read := func() { r.began("a"); r.ended("a") }
		read()
		if n := testing.AllocsPerRun(100, read); n > 0 {
			t.Errorf("each takes %v allocations", n)
		}
		r.tokens["a"].forget.Stop()
	})
}
