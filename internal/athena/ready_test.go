package athena

import (
	"strconv"
	"testing"
)

func TestReady(t *testing.T) {
	var r ready[int]
	answer := func(i int) {
		r.answer(i, func() any { return &GetSessionStatusResponse{SessionID: new(strconv.Itoa(i))} })
	}
	t.Run("one more than are kept costs one", func(t *testing.T) {
		for i := range maxReady + 1 {
			answer(i)
		}
		if len(r.answers) != maxReady {
			t.Errorf("%d answers are kept", len(r.answers))
		}
	})
	t.Run("nobody waits for the answer of another", func(t *testing.T) {
		r.answer(-1, func() any {
			if !r.mu.TryLock() {
				t.Fatal("they do")
			}
			r.mu.Unlock()
			return &GetSessionStatusResponse{}
		})
	})
}
