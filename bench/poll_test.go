package bench

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestRateOf(t *testing.T) {
	t.Run("has each client send, however short the time is", func(t *testing.T) {
		var sent atomic.Int64
		rate, err := rateOf(t.Context(), 3, 0, func(context.Context) error {
			sent.Add(1)
			return nil
		})
		if err != nil || sent.Load() != 3 || rate <= 0 {
			t.Errorf("3 clients sent %d times: %v a second, %v", sent.Load(), rate, err)
		}
	})
	t.Run("gives up a client that fails", func(t *testing.T) {
		broken := errors.New("refused")
		if _, err := rateOf(t.Context(), 1, 1<<62, func(context.Context) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("err = %v", err)
		}
	})
}
