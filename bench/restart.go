package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth"
)

// restartSessions is how many live sessions a server that is killed has.
const restartSessions = 3

// restart kills the server and starts it again at once.
func restart(ctx context.Context, b *bench) error {
	for _, n := range []int{0, 10_000} {
		if err := b.restartWith(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) restartWith(ctx context.Context, onRecord int) (err error) {
	s, err := b.serveRecords(ctx, 0, onRecord)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var sessions []string
	for range restartSessions {
		session, err := s.session(ctx, nil)
		if err != nil {
			return err
		}
		sessions = append(sessions, session)
	}
	what := func(text string) string {
		return fmt.Sprintf("killed and started, %d sessions on record: %s", onRecord, text)
	}
	answers := b.ours(what("the API answers"), "ms")
	adopted := b.ours(what(fmt.Sprintf("each of %d live sessions has answered 1+1", restartSessions)), "ms")
	result := b.ours(what("the result of what ran meanwhile is there"), "ms")
	for range b.Runs {
		running, state, err := s.submit(ctx, sessions[0], "import time; time.sleep(1)")
		if err != nil {
			return err
		}
		if err := s.calculationIs(ctx, running, state, hearth.CalculationRunning); err != nil {
			return err
		}
		time.Sleep(time.Second) // it ends while nobody serves
		s.process.kill()
		began := time.Now()
		if err := s.start(ctx); err != nil {
			return err
		}
		answers.addSince(began)
		if err := s.calculationIs(ctx, running, "", hearth.CalculationCompleted); err != nil {
			return err
		}
		result.addSince(began)
		if err := s.sessionIs(ctx, sessions[0], "", hearth.SessionIdle); err != nil {
			return err
		}
		for _, session := range sessions {
			if err := s.calculate(ctx, session, "1+1"); err != nil {
				return err
			}
		}
		adopted.addSince(began)
	}
	answers.goal(answers.Max < 1000, "< 1 s")
	adopted.goal(adopted.Max <= 2000, "≤ 2 s")
	return nil
}
