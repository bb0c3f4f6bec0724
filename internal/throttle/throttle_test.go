package throttle

import (
	"testing"
	"testing/synctest"
	"time"
)

// allowed calls until it is refused, and counts what was not.
func allowed(throttle *Throttle, principal, operation string) int {
	for n := 0; ; n++ {
		if !throttle.Allow(principal, operation) || n == 1000 {
			return n
		}
	}
}

func want(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d calls were allowed, want %d", what, got, want)
	}
}

func TestThrottle(t *testing.T) {
	t.Run("allows a burst, and then calls as time passes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			throttle := New(Limit{Rate: 2, Burst: 5}, nil)
			want(t, "at once", allowed(throttle, "a", "GetSession"), 5)
			time.Sleep(500 * time.Millisecond)
			want(t, "after half a second", allowed(throttle, "a", "GetSession"), 1)
			time.Sleep(time.Hour)
			want(t, "after a rest", allowed(throttle, "a", "GetSession"), 5)
		})
	})
	t.Run("what is refused does not count", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			throttle := New(Limit{Rate: 1, Burst: 1}, nil)
			want(t, "at once", allowed(throttle, "a", "GetSession"), 1)
			for range 100 {
				throttle.Allow("a", "GetSession")
			}
			time.Sleep(time.Second)
			want(t, "after a second", allowed(throttle, "a", "GetSession"), 1)
		})
	})
	t.Run("has a bucket for each operation of each principal", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			throttle := New(Limit{Rate: 1, Burst: 2}, nil)
			want(t, "first", allowed(throttle, "a", "GetSession"), 2)
			want(t, "another operation", allowed(throttle, "a", "ListSessions"), 2)
			want(t, "another principal", allowed(throttle, "b", "GetSession"), 2)
			want(t, "first again", allowed(throttle, "a", "GetSession"), 0)
		})
	})
	t.Run("an operation's own limit replaces that of all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			throttle := New(Limit{Rate: 1, Burst: 2}, map[string]Limit{"StartSession": {Rate: 1, Burst: 3}, "GetSessionStatus": {}})
			want(t, "its own", allowed(throttle, "a", "StartSession"), 3)
			want(t, "none", allowed(throttle, "a", "GetSessionStatus"), 1000)
			want(t, "that of all", allowed(throttle, "a", "GetSession"), 2)
		})
	})
	t.Run("a burst is one second's worth, and at least one call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			want(t, "2.5 a second", allowed(New(Limit{Rate: 2.5}, nil), "a", "GetSession"), 3)
			want(t, "0.1 a second", allowed(New(Limit{Rate: 0.1}, nil), "a", "GetSession"), 1)
		})
	})
	t.Run("is off without a rate", func(t *testing.T) {
		want(t, "at once", allowed(New(Limit{Burst: 1}, nil), "a", "GetSession"), 1000)
	})
}
