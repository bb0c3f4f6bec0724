package hearth

import "time"

// ExecutorState is Athena's (API_ExecutorsSummary).
type ExecutorState string

// The states of an executor.
const (
	ExecutorCreating    ExecutorState = "CREATING"
	ExecutorCreated     ExecutorState = "CREATED"
	ExecutorRegistered  ExecutorState = "REGISTERED"
	ExecutorTerminating ExecutorState = "TERMINATING"
	ExecutorTerminated  ExecutorState = "TERMINATED"
	ExecutorFailed      ExecutorState = "FAILED"
)

// ExecutorCoordinator is the type of the executor that holds the driver.
const ExecutorCoordinator = "COORDINATOR"

// Executor holds resources of a session. On one machine the driver runs its
// tasks itself: the coordinator is the only executor there is.
type Executor struct {
	ID        string
	Type      string
	State     ExecutorState
	DPUs      int
	StartedAt time.Time
	EndedAt   time.Time // zero until it has ended
}

// Executors lists what holds the session's resources: nothing before its turn
// has come.
func (s Session) Executors() []Executor {
	if s.Waiting {
		return nil
	}
	state := map[SessionState]ExecutorState{
		SessionCreating:    ExecutorCreating,
		SessionCreated:     ExecutorCreated,
		SessionIdle:        ExecutorRegistered,
		SessionBusy:        ExecutorRegistered,
		SessionDegraded:    ExecutorRegistered,
		SessionTerminating: ExecutorTerminating,
		SessionTerminated:  ExecutorTerminated,
		SessionFailed:      ExecutorFailed,
	}[s.State]
	return []Executor{{
		ID:        coordinatorID(s.ID),
		Type:      ExecutorCoordinator,
		State:     state,
		DPUs:      s.EngineConfiguration.DPUs(),
		StartedAt: s.StartedAt,
		EndedAt:   s.EndedAt,
	}}
}
