package athena

import (
	"context"
	"time"

	"hearth"
	"hearth/internal/awsjson"
)

func (a *api) startCalculationExecution(ctx context.Context, in *StartCalculationExecutionRequest) (*StartCalculationExecutionResponse, error) {
	code := in.CodeBlock
	if deprecated := value(in.CalculationConfiguration).CodeBlock; deprecated != nil {
		if code != nil {
			return nil, hearth.Errorf(hearth.KindInvalid, "CodeBlock and CalculationConfiguration.CodeBlock are both given; only one of them may be.")
		}
		code = deprecated
	}
	if code == nil {
		return nil, hearth.Errorf(hearth.KindInvalid, "CodeBlock is required.")
	}
	calculation, err := a.sessions.Submit(ctx, a.principal(ctx), hearth.CalculationRequest{
		SessionID:   value(in.SessionID),
		Description: value(in.Description),
		Code:        *code,
		Token:       value(in.ClientRequestToken),
	})
	if err != nil {
		return nil, err
	}
	return &StartCalculationExecutionResponse{CalculationExecutionID: &calculation.ID, State: new(string(calculation.State))}, nil
}

func (a *api) getCalculationExecution(ctx context.Context, in *GetCalculationExecutionRequest) (*GetCalculationExecutionResponse, error) {
	calculation, err := a.calculation(ctx, value(in.CalculationExecutionID))
	if err != nil {
		return nil, err
	}
	return &GetCalculationExecutionResponse{
		CalculationExecutionID: &calculation.ID,
		SessionID:              &calculation.SessionID,
		Description:            given(calculation.Description),
		WorkingDirectory:       given(calculation.WorkingDirectory),
		Status:                 calculationStatus(calculation),
		Statistics:             calculationStatistics(calculation),
		Result:                 calculationResult(calculation),
	}, nil
}

// calculationFacts are what a GetCalculationExecutionStatusResponse is made of.
type calculationFacts struct {
	reason, progress     string
	state                hearth.CalculationState
	submitted, completed time.Time
	dpuMillis            int64
}

func (a *api) getCalculationExecutionStatus(ctx context.Context, in *GetCalculationExecutionStatusRequest) (*awsjson.Ready, error) {
	c, err := a.calculation(ctx, value(in.CalculationExecutionID))
	if err != nil {
		return nil, err
	}
	return a.calculationAnswers.answer(calculationFacts{
		reason: c.StateChangeReason, progress: c.Progress, state: c.State,
		submitted: c.SubmittedAt, completed: c.CompletedAt, dpuMillis: c.DPUMillis,
	}, func() any {
		return &GetCalculationExecutionStatusResponse{Status: calculationStatus(c), Statistics: calculationStatistics(c)}
	}), nil
}

func (a *api) getCalculationExecutionCode(ctx context.Context, in *GetCalculationExecutionCodeRequest) (*GetCalculationExecutionCodeResponse, error) {
	calculation, err := a.sessions.Calculation(ctx, value(in.CalculationExecutionID))
	if err != nil {
		return nil, err
	}
	return &GetCalculationExecutionCodeResponse{CodeBlock: &calculation.Code}, nil
}

func (a *api) listCalculationExecutions(ctx context.Context, in *ListCalculationExecutionsRequest) (*ListCalculationExecutionsResponse, error) {
	calculations, next, err := a.sessions.Calculations(ctx,
		hearth.CalculationFilter{SessionID: value(in.SessionID), State: hearth.CalculationState(value(in.StateFilter))},
		page(in.MaxResults, in.NextToken, ruleMaxCalculationsCount))
	if err != nil {
		return nil, err
	}
	out := &ListCalculationExecutionsResponse{Calculations: make([]CalculationSummary, 0, len(calculations)), NextToken: given(string(next))}
	for _, calculation := range calculations {
		out.Calculations = append(out.Calculations, CalculationSummary{
			CalculationExecutionID: &calculation.ID,
			Description:            given(calculation.Description),
			Status:                 calculationStatus(calculation),
		})
	}
	return out, nil
}

func (a *api) stopCalculationExecution(ctx context.Context, in *StopCalculationExecutionRequest) (*StopCalculationExecutionResponse, error) {
	state, err := a.sessions.Cancel(ctx, value(in.CalculationExecutionID))
	if err != nil {
		return nil, err
	}
	return &StopCalculationExecutionResponse{State: new(string(state))}, nil
}

func calculationStatus(c hearth.Calculation) *CalculationStatus {
	return &CalculationStatus{
		SubmissionDateTime: awsjson.Timestamp{Time: c.SubmittedAt},
		CompletionDateTime: awsjson.Timestamp{Time: c.CompletedAt},
		State:              new(string(c.State)),
		StateChangeReason:  given(c.StateChangeReason),
	}
}

func calculationStatistics(c hearth.Calculation) *CalculationStatistics {
	return &CalculationStatistics{DPUExecutionInMillis: &c.DPUMillis, Progress: given(c.Progress)}
}

// calculationResult says where the calculation's files are, once they are there.
func calculationResult(c hearth.Calculation) *CalculationResult {
	if !c.State.Ended() {
		return nil
	}
	return &CalculationResult{
		StdOutS3URI:   new(c.StdoutURI()),
		StdErrorS3URI: new(c.StderrURI()),
		ResultS3URI:   new(c.ResultURI()),
		ResultType:    new(hearth.ResultType),
	}
}
