package athena

import (
	"context"
	"time"

	"hearth"
)

func (a *api) listExecutors(ctx context.Context, in *ListExecutorsRequest) (*ListExecutorsResponse, error) {
	all, err := a.sessions.Executors(ctx, value(in.SessionID), hearth.ExecutorState(value(in.ExecutorStateFilter)))
	if err != nil {
		return nil, err
	}
	executors, next, err := cut(hearth.ListingOf("executors", value(in.SessionID), value(in.ExecutorStateFilter)), all, page(in.MaxResults, in.NextToken, ruleMaxListExecutorsCount))
	if err != nil {
		return nil, err
	}
	out := &ListExecutorsResponse{
		SessionID:        in.SessionID,
		NextToken:        given(string(next)),
		ExecutorsSummary: make([]ExecutorsSummary, 0, len(executors)),
	}
	for _, executor := range executors {
		out.ExecutorsSummary = append(out.ExecutorsSummary, ExecutorsSummary{
			ExecutorID:          &executor.ID,
			ExecutorType:        &executor.Type,
			StartDateTime:       millis(executor.StartedAt),
			TerminationDateTime: millis(executor.EndedAt),
			ExecutorState:       new(string(executor.State)),
			ExecutorSize:        new(int64(executor.DPUs)),
		})
	}
	return out, nil
}

// millis is how executors tell times: as whole milliseconds, where everything
// else has seconds with a fraction.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMilli())
}
