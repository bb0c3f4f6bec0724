package main

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"hearth"
	"hearth/internal/athena"
	"hearth/internal/rest"
)

// value is what an optional member holds: its type's zero when it is absent.
func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// given is an optional member: absent when it is its type's zero.
func given[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

// sessionFlags say what session to start.
type sessionFlags struct {
	Workgroup   string            `help:"Workgroup of the session. (default: primary)" default:"primary" placeholder:"NAME"`
	Description string            `help:"Description of the session." placeholder:"TEXT"`
	IdleTimeout time.Duration     `help:"End the session after that long without work, in whole minutes. (default: 20m)" placeholder:"TIME"`
	Conf        map[string]string `help:"Spark property of the session; may be repeated." placeholder:"KEY=VALUE" mapsep:"none"`
}

func (f sessionFlags) check() error {
	if f.IdleTimeout%time.Minute != 0 {
		return usagef("--idle-timeout takes whole minutes, as in 30m")
	}
	return nil
}

// startSession starts a session in a directory of this machine, or, when it is
// "", in one of the session's own. The token makes one session of a request
// that had to be sent twice.
func (c *client) startSession(ctx context.Context, flags sessionFlags, directory string) (answer athena.StartSessionResponse, raw json.RawMessage, err error) {
	engine := &athena.EngineConfiguration{}
	if directory != "" {
		engine.AdditionalConfigs = map[string]string{hearth.AdditionalWorkingDirectory: directory}
	}
	if len(flags.Conf) > 0 {
		if err := c.setProperties(ctx, flags, engine); err != nil {
			return answer, nil, err
		}
	}
	raw, err = c.call(ctx, "StartSession", athena.StartSessionRequest{
		WorkGroup:                   &flags.Workgroup,
		Description:                 given(flags.Description),
		EngineConfiguration:         engine,
		SessionIdleTimeoutInMinutes: given(int(flags.IdleTimeout / time.Minute)),
		ClientRequestToken:          new(hearth.NewID(time.Now())),
	}, &answer)
	return answer, raw, err
}

// setProperties puts Spark properties where the workgroup's engine takes them.
func (c *client) setProperties(ctx context.Context, flags sessionFlags, engine *athena.EngineConfiguration) error {
	var group athena.GetWorkGroupOutput
	if _, err := c.call(ctx, "GetWorkGroup", athena.GetWorkGroupInput{WorkGroup: &flags.Workgroup}, &group); err != nil {
		return err
	}
	configuration := value(value(group.WorkGroup).Configuration)
	if (hearth.EngineVersion{Effective: value(value(configuration.EngineVersion).EffectiveEngineVersion)}).Classifies() {
		engine.Classifications = []athena.Classification{{Name: new(hearth.ClassificationSparkDefaults), Properties: flags.Conf}}
		return nil
	}
	engine.SparkProperties = flags.Conf
	return nil
}

// session gets a session; with a state the answer is held back for a while
// as long as the session is in it.
func (c *client) session(ctx context.Context, id string, while hearth.SessionState) (answer athena.GetSessionResponse, raw json.RawMessage, err error) {
	raw, err = c.callWhile(ctx, "GetSession", string(while), athena.GetSessionRequest{SessionID: &id}, &answer)
	return answer, raw, err
}

// awaitSession waits until a session is in a state or has ended.
func (c *client) awaitSession(ctx context.Context, id string, state hearth.SessionState) (athena.GetSessionResponse, json.RawMessage, error) {
	var while hearth.SessionState
	for {
		answer, raw, err := c.session(ctx, id, while)
		if err != nil {
			return answer, raw, err
		}
		while = stateOf(answer)
		if while == state || while.Ended() {
			return answer, raw, nil
		}
	}
}

func stateOf(s athena.GetSessionResponse) hearth.SessionState {
	return hearth.SessionState(value(value(s.Status).State))
}

// terminate asks for a session's end.
func (c *client) terminate(ctx context.Context, id string) (json.RawMessage, error) {
	return c.call(ctx, "TerminateSession", athena.TerminateSessionRequest{SessionID: &id}, nil)
}

// startCalculation hands code to a session.
func (c *client) startCalculation(ctx context.Context, session, description, code string) (answer athena.StartCalculationExecutionResponse, raw json.RawMessage, err error) {
	raw, err = c.call(ctx, "StartCalculationExecution", athena.StartCalculationExecutionRequest{
		SessionID:          &session,
		Description:        given(description),
		CodeBlock:          &code,
		ClientRequestToken: new(hearth.NewID(time.Now())),
	}, &answer)
	return answer, raw, err
}

// calculation gets a calculation; with a state the answer is held back for a
// while as long as the calculation is in it.
func (c *client) calculation(ctx context.Context, id string, while hearth.CalculationState) (answer athena.GetCalculationExecutionResponse, raw json.RawMessage, err error) {
	raw, err = c.callWhile(ctx, "GetCalculationExecution", string(while), athena.GetCalculationExecutionRequest{CalculationExecutionID: &id}, &answer)
	return answer, raw, err
}

// awaitCalculation waits until a calculation has ended.
func (c *client) awaitCalculation(ctx context.Context, id string) (athena.GetCalculationExecutionResponse, json.RawMessage, error) {
	var while hearth.CalculationState
	for {
		answer, raw, err := c.calculation(ctx, id, while)
		if err != nil {
			return answer, raw, err
		}
		while = hearth.CalculationState(value(value(answer.Status).State))
		if while.Ended() {
			return answer, raw, nil
		}
	}
}

// stopCalculation asks for a calculation's code to stop.
func (c *client) stopCalculation(ctx context.Context, id string) (json.RawMessage, error) {
	return c.call(ctx, "StopCalculationExecution", athena.StopCalculationExecutionRequest{CalculationExecutionID: &id}, nil)
}

// story tells where the time of a session's start went, and what happened to it.
func (c *client) story(ctx context.Context, id string) (session rest.Session, err error) {
	body, err := c.get(ctx, "/v1/sessions/"+url.PathEscape(id))
	if err != nil {
		return session, err
	}
	defer body.Close()
	err = json.NewDecoder(body).Decode(&session)
	return session, err
}
