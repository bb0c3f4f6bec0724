package bench

import (
	"context"
	"errors"
	"syscall"
	"time"

	"hearth"
	"hearth/internal/shim"
)

// death kills a process of an idle session's driver.
func death(ctx context.Context, b *bench) (err error) {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, victim := range []struct {
		what string
		pid  func(shim.Identity) int
	}{
		{whatDeath, func(id shim.Identity) int { return id.JVMPID }},
		{"its Python killed, until that is told", func(id shim.Identity) int { return id.KernelPID }},
	} {
		seen := b.ours(victim.what, "ms")
		for range b.Runs {
			session, err := s.session(ctx, nil)
			if err != nil {
				return err
			}
			driver, err := s.identity(session)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := syscall.Kill(victim.pid(driver), syscall.SIGKILL); err != nil {
				return err
			}
			if err := s.sessionIs(ctx, session, string(hearth.SessionIdle), hearth.SessionFailed); err != nil {
				return err
			}
			seen.addSince(began)
		}
		seen.goal(seen.Max <= 200, "≤ 200 ms")
	}
	return nil
}
