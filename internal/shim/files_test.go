package shim

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/internal/kernel"
)

func TestFiles(t *testing.T) {
	// asking gives files whose kernel answers as it is told to.
	asking := func(answer func(*Files, kernel.Command)) *Files {
		f := &Files{}
		f.begin(func(c kernel.Command) error {
			go answer(f, c)
			return nil
		})
		return f
	}
	t.Run("what the kernel has done is done", func(t *testing.T) {
		asked := make(chan kernel.Command, 1)
		f := asking(func(f *Files, c kernel.Command) {
			asked <- c
			f.answered(kernel.Message{Type: kernel.TypeFiles, N: c.N})
		})
		if err := f.Rename(t.Context(), "s3://a/b", "s3://a/c"); err != nil {
			t.Fatal(err)
		}
		if got, want := <-asked, (kernel.Command{Type: kernel.TypeFiles, N: 1, Op: kernel.OpRename, Path: "s3://a/b", To: "s3://a/c"}); !cmp.Equal(got, want) {
			t.Errorf("the kernel was asked for %+v", got)
		}
	})
	t.Run("what it could not do is an error", func(t *testing.T) {
		f := asking(func(f *Files, c kernel.Command) { f.answered(kernel.Message{N: c.N, Reason: "a reason"}) })
		if err := f.Make(t.Context(), "x"); err == nil || err.Error() != "a reason" {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("each gets its own answer", func(t *testing.T) {
		waiting := make(chan kernel.Command, 2)
		f := asking(func(_ *Files, c kernel.Command) { waiting <- c })
		made, deleted := make(chan error, 1), make(chan error, 1)
		go func() { made <- f.Make(t.Context(), "x") }()
		go func() { deleted <- f.Delete(t.Context(), "x") }()
		for range 2 {
			c := <-waiting
			f.answered(kernel.Message{N: c.N, Reason: c.Op})
		}
		if m, d := <-made, <-deleted; m.Error() != kernel.OpMake || d.Error() != kernel.OpDelete {
			t.Errorf("they got %v and %v", m, d)
		}
	})
	t.Run("who leaves is not waited for by an answer", func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		said := make(chan kernel.Command, 1)
		f := asking(func(_ *Files, c kernel.Command) {
			said <- c
			leave()
		})
		if err := f.Make(ctx, "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		c := <-said
		f.answered(kernel.Message{N: c.N})
		f.answered(kernel.Message{N: c.N + 1}) // of nobody
	})
	t.Run("who asks before there is a kernel is told so, while it starts", func(t *testing.T) {
		f, broken := &Files{}, errors.New("broken")
		if err := f.Make(t.Context(), "x"); !errors.Is(err, errNotYet) {
			t.Errorf("the error is %v", err)
		}
		asked := make(chan error)
		go func() { asked <- f.Make(t.Context(), "x") }()
		f.begin(func(kernel.Command) error { return broken })
		if err := <-asked; !errors.Is(err, errNotYet) && !errors.Is(err, broken) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("a kernel that cannot be told", func(t *testing.T) {
		broken := errors.New("broken")
		f := &Files{}
		f.begin(func(kernel.Command) error { return broken })
		if err := f.Make(t.Context(), "x"); !errors.Is(err, broken) {
			t.Errorf("the error is %v", err)
		}
	})
}
