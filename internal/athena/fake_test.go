package athena_test

import (
	"context"
	"sync"
	"time"

	"hearth"
)

// fake answers with what a test put there and remembers what it was asked. It
// decides nothing: these tests are about the wire form.
type fake struct {
	session     hearth.Session
	calculation hearth.Calculation
	group       hearth.WorkGroup
	next        hearth.Cursor
	err         error

	mu        sync.Mutex
	principal string
	started   hearth.SessionRequest
	submitted hearth.CalculationRequest
	asked     any // the last filter, id or awaited state
	page      hearth.Page
	holdUntil time.Time
}

func (f *fake) note(asked any, p hearth.Page) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked, f.page = asked, p
}

func (f *fake) Start(_ context.Context, principal string, r hearth.SessionRequest) (hearth.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.principal, f.started = principal, r
	return f.session, f.err
}

func (f *fake) Session(_ context.Context, id string) (hearth.Session, error) {
	f.note(id, hearth.Page{})
	return f.session, f.err
}

func (f *fake) SessionOf(_ context.Context, arn string) (hearth.Session, error) {
	f.note(arn, hearth.Page{})
	return f.session, f.err
}

func (f *fake) AwaitSession(ctx context.Context, id string, while hearth.SessionState) (hearth.Session, error) {
	f.note([2]string{id, string(while)}, hearth.Page{})
	f.holdUntil, _ = ctx.Deadline()
	return f.session, f.err
}

func (f *fake) Sessions(_ context.Context, filter hearth.SessionFilter, p hearth.Page) ([]hearth.Session, hearth.Cursor, error) {
	f.note(filter, p)
	return []hearth.Session{f.session}, f.next, f.err
}

func (f *fake) Terminate(_ context.Context, id string) (hearth.SessionState, error) {
	f.note(id, hearth.Page{})
	return hearth.SessionTerminating, f.err
}

func (f *fake) Endpoint(_ context.Context, principal, id string) (string, hearth.ConnectToken, error) {
	f.note(id, hearth.Page{})
	return "token", hearth.ConnectToken{SessionID: id, Owner: principal, CreatedAt: began, ExpiresAt: began.Add(time.Minute)}, f.err
}

func (f *fake) Submit(_ context.Context, principal string, r hearth.CalculationRequest) (hearth.Calculation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.principal, f.submitted = principal, r
	return f.calculation, f.err
}

func (f *fake) Calculation(_ context.Context, id string) (hearth.Calculation, error) {
	f.note(id, hearth.Page{})
	return f.calculation, f.err
}

func (f *fake) AwaitCalculation(ctx context.Context, id string, while hearth.CalculationState) (hearth.Calculation, error) {
	f.note([2]string{id, string(while)}, hearth.Page{})
	f.holdUntil, _ = ctx.Deadline()
	return f.calculation, f.err
}

func (f *fake) Calculations(_ context.Context, filter hearth.CalculationFilter, p hearth.Page) ([]hearth.Calculation, hearth.Cursor, error) {
	f.note(filter, p)
	return []hearth.Calculation{f.calculation}, f.next, f.err
}

func (f *fake) Cancel(_ context.Context, id string) (hearth.CalculationState, error) {
	f.note(id, hearth.Page{})
	return hearth.CalculationCanceling, f.err
}

func (f *fake) Executors(_ context.Context, id string, state hearth.ExecutorState) ([]hearth.Executor, error) {
	f.note([2]string{id, string(state)}, hearth.Page{})
	return f.session.Executors(), f.err
}

func (f *fake) WorkGroup(_ context.Context, name string) (hearth.WorkGroup, error) {
	f.note(name, hearth.Page{})
	return f.group, f.err
}

func (f *fake) WorkGroups(_ context.Context, p hearth.Page) ([]hearth.WorkGroup, hearth.Cursor, error) {
	f.note(nil, p)
	return []hearth.WorkGroup{f.group}, f.next, f.err
}

const (
	sessionID     = "a2c1ebba-ad01-865f-ed2d-a142b7451f7e"
	calculationID = "82c1ebb4-bd08-e4c3-5631-a662fb2ff2c5"
	caller        = "AKIDCALLER"
)

var began = time.UnixMilli(1760055300123).UTC()

// full is a fake whose things have every member.
func full() *fake {
	return &fake{
		next: "next",
		session: hearth.Session{
			ID:          sessionID,
			WorkGroup:   "primary",
			Description: "a <session>",
			Engine:      hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3},
			EngineConfiguration: hearth.EngineConfiguration{
				CoordinatorDPUSize: 1, MaxConcurrentDPUs: 20, DefaultExecutorDPUSize: 1,
				AdditionalConfigs: map[string]string{"NotebookId": "n"},
				SparkProperties:   map[string]string{},
				Classifications:   []hearth.Classification{{Name: "spark-defaults", Properties: map[string]string{"spark.a": "b"}}},
			},
			NotebookVersion: "Athena notebook version 1",
			Configuration: hearth.SessionConfiguration{
				ExecutionRole:    "arn:aws:iam::123456789012:role/spark",
				WorkingDirectory: "s3://results/" + sessionID,
				IdleTimeout:      20 * time.Minute,
				Encryption:       &hearth.Encryption{Option: "SSE_KMS", KMSKey: "alias/k"},
			},
			State:             hearth.SessionFailed,
			StateChangeReason: "The driver was killed.",
			StartedAt:         began,
			ModifiedAt:        began.Add(2 * time.Second),
			EndedAt:           began.Add(2 * time.Second),
			IdleSince:         began.Add(time.Second),
			DPUMillis:         4321,
		},
		calculation: hearth.Calculation{
			ID:                calculationID,
			SessionID:         sessionID,
			Description:       "a calculation",
			Code:              "print('<é>')",
			State:             hearth.CalculationFailed,
			StateChangeReason: "NameError: name 'x' is not defined",
			SubmittedAt:       began,
			CompletedAt:       began.Add(time.Second),
			DPUMillis:         1000,
			Progress:          "100%",
			WorkingDirectory:  "s3://results/" + sessionID + "/" + calculationID,
		},
		group: hearth.WorkGroup{
			Name:        "primary",
			Description: "where things run",
			Enabled:     true,
			CreatedAt:   began,
			Engine:      hearth.EngineVersion{Selected: hearth.EngineSpark35, Effective: hearth.EngineSpark35},
			WorkGroupSettings: hearth.WorkGroupSettings{
				ExecutionRole:  "arn:aws:iam::123456789012:role/spark",
				OutputLocation: "s3://results/",
				Encryption:     &hearth.Encryption{Option: "SSE_S3"},
				EngineConfiguration: &hearth.EngineConfiguration{
					MaxConcurrentDPUs: 8,
				},
				EnforceConfiguration: true,
			},
		},
	}
}

// bare is a fake whose things have only what they always have.
func bare() *fake {
	return &fake{
		session: hearth.Session{
			ID: sessionID, WorkGroup: "primary", State: hearth.SessionCreated,
			Engine:              hearth.EngineVersion{Selected: hearth.EngineSpark35, Effective: hearth.EngineSpark35},
			EngineConfiguration: hearth.EngineConfiguration{}.WithDefaults(hearth.EngineVersion{}, hearth.EngineConfiguration{}),
			Configuration:       hearth.SessionConfiguration{WorkingDirectory: "s3://results/" + sessionID, IdleTimeout: time.Minute},
			StartedAt:           began, ModifiedAt: began,
		},
		calculation: hearth.Calculation{
			ID: calculationID, SessionID: sessionID, State: hearth.CalculationRunning, SubmittedAt: began,
			WorkingDirectory: "s3://results/" + sessionID + "/" + calculationID,
		},
		group: hearth.WorkGroup{Name: "primary", CreatedAt: began, Engine: hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3}},
	}
}
