package conformance

import (
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"hearth/internal/testenv"
)

// sessionLife follows one session from its start to its end and checks what
// GetSession and GetSessionStatus say in every state.
func sessionLife(t *testing.T, c *Client) {
	before := time.Now().Add(-time.Second)
	request := &athena.StartSessionInput{
		WorkGroup:                   &c.WorkGroup,
		Description:                 aws.String("A life"),
		EngineConfiguration:         c.Engine.configuration(4, map[string]string{"spark.sql.shuffle.partitions": "3"}),
		NotebookVersion:             aws.String("Athena notebook version 1"),
		SessionIdleTimeoutInMinutes: aws.Int32(11),
		ClientRequestToken:          aws.String(Token()),
	}
	request.EngineConfiguration.AdditionalConfigs = map[string]string{"NotebookIframeParentUrl": "https://example.com"}

	// The same request many times at once is one session.
	var (
		asked sync.WaitGroup
		mu    sync.Mutex
		ids   []string
	)
	for range 8 {
		asked.Go(func() {
			answer, err := c.Athena.StartSession(c.Ctx, request)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, aws.ToString(answer.SessionId))
			if answer.State != types.SessionStateCreating && answer.State != types.SessionStateCreated {
				t.Errorf("StartSession answered state %s", answer.State)
			}
		})
	}
	asked.Wait()
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 1 {
		t.Fatalf("one token started the sessions %v", ids)
	}
	id := ids[0]
	if _, err := uuid.Parse(id); err != nil {
		t.Errorf("dbt parses session ids as UUIDs: %v", err)
	}
	get := func() *athena.GetSessionOutput {
		t.Helper()
		return Must(c.Athena.GetSession(c.Ctx, &athena.GetSessionInput{SessionId: &id}))(t)
	}
	latest := time.Time{} // LastModifiedDateTime never goes back
	look := func(wanted types.SessionState) *athena.GetSessionOutput {
		t.Helper()
		session := get()
		status := session.Status
		Same(t, "State", status.State, wanted)
		if status.LastModifiedDateTime.Before(latest) {
			t.Errorf("LastModifiedDateTime went back from %v to %v", latest, status.LastModifiedDateTime)
		}
		latest = *status.LastModifiedDateTime
		Same(t, "IdleSinceDateTime is there", status.IdleSinceDateTime != nil, wanted == types.SessionStateIdle)
		Same(t, "EndDateTime is there", status.EndDateTime != nil, wanted == types.SessionStateTerminated)
		for name, at := range map[string]*time.Time{"IdleSinceDateTime": status.IdleSinceDateTime, "EndDateTime": status.EndDateTime} {
			if at != nil && (at.Before(*status.StartDateTime) || at.After(time.Now().Add(time.Second))) {
				t.Errorf("%s is %v, and the session started at %v", name, at, status.StartDateTime)
			}
		}
		return session
	}

	t.Run("members before it is ready", func(t *testing.T) {
		session := get()
		if session.Status.State != types.SessionStateCreating {
			Same(t, "State", session.Status.State, types.SessionStateCreated)
		}
		want := &athena.GetSessionOutput{
			SessionId:           &id,
			Description:         request.Description,
			WorkGroup:           request.WorkGroup,
			EngineVersion:       &c.Engine.Version,
			EngineConfiguration: request.EngineConfiguration,
			NotebookVersion:     request.NotebookVersion,
			SessionConfiguration: &types.SessionConfiguration{
				ExecutionRole:               aws.String("arn:aws:iam::123456789012:role/hearth"),
				WorkingDirectory:            aws.String("s3://hearth/" + id),
				IdleTimeoutSeconds:          aws.Int64(11 * 60),
				SessionIdleTimeoutInMinutes: aws.Int32(11),
			},
			Statistics: &types.SessionStatistics{DpuExecutionInMillis: aws.Int64(0)},
		}
		ignore := cmpopts.IgnoreFields(athena.GetSessionOutput{}, "Status", "ResultMetadata")
		if diff := cmp.Diff(want, session, ignore, cmpopts.IgnoreUnexported(
			athena.GetSessionOutput{}, types.EngineConfiguration{}, types.Classification{}, types.SessionConfiguration{}, types.SessionStatistics{},
		)); diff != "" {
			t.Errorf("GetSession (-want +got):\n%s", diff)
		}
		if s := session.Status; s.StartDateTime.Before(before) || s.StartDateTime.After(time.Now().Add(time.Second)) {
			t.Errorf("StartDateTime is %v", s.StartDateTime)
		}
		if s := session.Status; s.EndDateTime != nil || s.IdleSinceDateTime != nil {
			t.Errorf("a session that starts has ended %v, is idle since %v", s.EndDateTime, s.IdleSinceDateTime)
		}
	})
	t.Run("takes no calculation before it is ready", func(t *testing.T) {
		refusal := Refused(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{SessionId: &id, CodeBlock: aws.String("1")}))(t)
		if !regexp.MustCompile(`^Session is in the (CREATING|CREATED) state; needs to be IDLE to accept Calculations\.$`).MatchString(refusal.ErrorMessage()) {
			t.Error(refusal)
		}
	})
	t.Run("a token with other parameters", func(t *testing.T) {
		other := *request
		other.Description = aws.String("Another life")
		refusal := Refused(c.Athena.StartSession(c.Ctx, &other))(t)
		Same(t, "AthenaErrorCode", aws.ToString(refusal.AthenaErrorCode), "IDEMPOTENT_PARAMETER_MISMATCH")
		Same(t, "Message", refusal.ErrorMessage(), "Idempotent parameters do not match")
	})

	var states []types.SessionState
	for _, status := range c.AwaitSession(id, types.SessionStateIdle) {
		states = append(states, status.State)
	}
	t.Logf("states until idle: %v", states)

	t.Run("idle", func(t *testing.T) {
		session := look(types.SessionStateIdle)
		status := Must(c.Athena.GetSessionStatus(c.Ctx, &athena.GetSessionStatusInput{SessionId: &id}))(t)
		Same(t, "SessionId", aws.ToString(status.SessionId), id)
		if diff := cmp.Diff(session.Status, status.Status, cmpopts.IgnoreUnexported(types.SessionStatus{})); diff != "" {
			t.Errorf("GetSession and GetSessionStatus differ:\n%s", diff)
		}
		executors := Must(c.Athena.ListExecutors(c.Ctx, &athena.ListExecutorsInput{SessionId: &id}))(t)
		Same(t, "SessionId", aws.ToString(executors.SessionId), id)
		Same(t, "executors", len(executors.ExecutorsSummary), 1)
		executor := executors.ExecutorsSummary[0]
		Same(t, "ExecutorType", executor.ExecutorType, types.ExecutorTypeCoordinator)
		Same(t, "ExecutorState", executor.ExecutorState, types.ExecutorStateRegistered)
		Same(t, "StartDateTime", aws.ToInt64(executor.StartDateTime), session.Status.StartDateTime.UnixMilli())
		if aws.ToInt64(executor.ExecutorSize) < 1 || executor.TerminationDateTime != nil {
			t.Errorf("executor has size %v, ended %v", aws.ToInt64(executor.ExecutorSize), executor.TerminationDateTime)
		}
	})
	t.Run("Spark properties are Spark's", func(t *testing.T) {
		got := c.In(t).Run(id, `print(spark.conf.get("spark.sql.shuffle.partitions"), sc.appName)`)
		Same(t, "stdout", got, "3 hearth-"+id+"\n")
	})
	t.Run("busy", func(t *testing.T) {
		c := c.In(t)
		look(types.SessionStateIdle)
		gate := NewGate(t)
		calculation := &athena.StartCalculationExecutionInput{
			SessionId:          &id,
			CodeBlock:          aws.String(gate.Code()),
			ClientRequestToken: aws.String(Token()),
		}
		started := Must(c.Athena.StartCalculationExecution(c.Ctx, calculation))(t)
		gate.Reached()
		look(types.SessionStateBusy)
		running := c.AwaitCalculation(*started.CalculationExecutionId, types.CalculationExecutionStateRunning)
		if running.Status.CompletionDateTime != nil || running.Status.StateChangeReason != nil {
			t.Errorf("a running calculation has completed at %v, because of %v", running.Status.CompletionDateTime, running.Status.StateChangeReason)
		}

		refusal := Refused(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{SessionId: &id, CodeBlock: aws.String("1")}))(t)
		Same(t, "Message", refusal.ErrorMessage(), "Session is in the BUSY state; needs to be IDLE to accept Calculations.")

		again := Must(c.Athena.StartCalculationExecution(c.Ctx, calculation))(t)
		Same(t, "a replayed token's calculation", *again.CalculationExecutionId, *started.CalculationExecutionId)

		gate.Open()
		c.Ended(*started.CalculationExecutionId)
		c.AwaitSession(id, types.SessionStateIdle)
		look(types.SessionStateIdle)

		other := *calculation
		other.CodeBlock = aws.String("2")
		refusal = Refused(c.Athena.StartCalculationExecution(c.Ctx, &other))(t)
		Same(t, "Message", refusal.ErrorMessage(), "Idempotent parameters do not match")
	})
	t.Run("DPU time is the calculations'", func(t *testing.T) {
		var sum int64
		for _, calculation := range Must(c.Athena.ListCalculationExecutions(c.Ctx, &athena.ListCalculationExecutionsInput{SessionId: &id}))(t).Calculations {
			sum += aws.ToInt64(Must(c.Athena.GetCalculationExecutionStatus(c.Ctx, &athena.GetCalculationExecutionStatusInput{
				CalculationExecutionId: calculation.CalculationExecutionId,
			}))(t).Statistics.DpuExecutionInMillis)
		}
		if got := aws.ToInt64(get().Statistics.DpuExecutionInMillis); got != sum || sum == 0 {
			t.Errorf("the session's DPU time is %d ms, its calculations' %d ms", got, sum)
		}
	})
	t.Run("terminated", func(t *testing.T) {
		c := c.In(t)
		terminate := func() types.SessionState {
			t.Helper()
			return Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t).State
		}
		Same(t, "State", terminate(), types.SessionStateTerminating)
		refusal := Refused(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{SessionId: &id, CodeBlock: aws.String("1")}))(t)
		if !regexp.MustCompile(`^Session is in the (TERMINATING|TERMINATED) state; needs to be IDLE to accept Calculations\.$`).MatchString(refusal.ErrorMessage()) {
			t.Error(refusal)
		}
		c.AwaitSession(id, types.SessionStateTerminated)
		session := look(types.SessionStateTerminated)
		Same(t, "StateChangeReason", aws.ToString(session.Status.StateChangeReason), "Session was terminated per request")
		testenv.AwaitNoProcess(t, c.Home+"/drivers/"+id)

		Same(t, "State", terminate(), types.SessionStateTerminated)
		if diff := cmp.Diff(session.Status, look(types.SessionStateTerminated).Status, cmpopts.IgnoreUnexported(types.SessionStatus{})); diff != "" {
			t.Errorf("a final status changed:\n%s", diff)
		}
		refusal = Refused(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{SessionId: &id, CodeBlock: aws.String("1")}))(t)
		Same(t, "Message", refusal.ErrorMessage(), "Session is in the TERMINATED state; needs to be IDLE to accept Calculations.")

		replayed := Must(c.Athena.StartSession(c.Ctx, request))(t)
		Same(t, "a replayed token's session", *replayed.SessionId, id)

		executors := Must(c.Athena.ListExecutors(c.Ctx, &athena.ListExecutorsInput{SessionId: &id}))(t)
		Same(t, "ExecutorState", executors.ExecutorsSummary[0].ExecutorState, types.ExecutorStateTerminated)
		Same(t, "TerminationDateTime", aws.ToInt64(executors.ExecutorsSummary[0].TerminationDateTime), session.Status.EndDateTime.UnixMilli())
	})
}
