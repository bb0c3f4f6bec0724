package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"hearth"
	"hearth/internal/rest"
	"hearth/internal/sigv4"
)

// api is the server as its clients see it, with every attempt at a request
// made by us: the SDK repeats none.
type api struct {
	url    string
	keys   sigv4.Credentials
	athena *athena.Client
	s3     *s3.Client

	history *history
}

const region = "us-east-1"

func connect(url string, keys sigv4.Credentials, h *history) *api {
	config := aws.Config{
		Region:      region,
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient:  &http.Client{Timeout: 30 * time.Second}, // longer than an answer is held
	}
	return &api{
		url: url, keys: keys, history: h,
		athena: athena.NewFromConfig(config, func(o *athena.Options) { o.BaseEndpoint = &url }),
		s3: s3.NewFromConfig(config, func(o *s3.Options) {
			o.BaseEndpoint = &url
			o.UsePathStyle = true
		}),
	}
}

// try makes a request until it is answered: with what it asks for, or with a
// refusal that is the client's fault.
func try[T any](ctx context.Context, a *api, do func(context.Context) (T, error)) (T, error) {
	for {
		answer, err := do(ctx)
		if err == nil {
			return answer, nil
		}
		if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
			switch code := response.HTTPStatusCode(); {
			case code == http.StatusInternalServerError:
				a.history.trouble("the server answered with a fault of its own: " + err.Error())
			case code >= http.StatusBadRequest && code < http.StatusInternalServerError:
				return answer, err
			}
		}
		select {
		case <-time.After(30 * time.Millisecond):
		case <-ctx.Done():
			return answer, ctx.Err()
		}
	}
}

// held has the server hold its answer while the state is this one.
func held(state string) func(*athena.Options) {
	return athena.WithAPIOptions(smithyhttp.SetHeaderValue("X-Hearth-While", state))
}

// seeSession notes what a session is, once that is no longer the given state.
func (a *api) seeSession(ctx context.Context, s *session, while string) error {
	answer, err := try(ctx, a, func(ctx context.Context) (*athena.GetSessionOutput, error) {
		return a.athena.GetSession(ctx, &athena.GetSessionInput{SessionId: aws.String(s.id())}, hold(while)...)
	})
	if err != nil {
		return err
	}
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	s.Seen = append(s.Seen, status{
		At: time.Now(), State: string(answer.Status.State), Reason: aws.ToString(answer.Status.StateChangeReason),
		Began: aws.ToTime(answer.Status.StartDateTime), Changed: aws.ToTime(answer.Status.LastModifiedDateTime), Ended: aws.ToTime(answer.Status.EndDateTime),
		Whole: whole(answer),
	})
	return nil
}

// seeCalculation is seeSession for a calculation.
func (a *api) seeCalculation(ctx context.Context, c *calculation, while string) error {
	answer, err := try(ctx, a, func(ctx context.Context) (*athena.GetCalculationExecutionOutput, error) {
		return a.athena.GetCalculationExecution(ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: aws.String(c.id())}, hold(while)...)
	})
	if err != nil {
		return err
	}
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	c.Seen = append(c.Seen, status{
		At: time.Now(), State: string(answer.Status.State), Reason: aws.ToString(answer.Status.StateChangeReason),
		Began: aws.ToTime(answer.Status.SubmissionDateTime), Ended: aws.ToTime(answer.Status.CompletionDateTime),
		Whole: whole(answer),
	})
	return nil
}

func hold(while string) []func(*athena.Options) {
	if while == "" {
		return nil
	}
	return []func(*athena.Options){held(while)}
}

// whole is an answer as text. What the SDK adds has no fields of its own.
func whole(answer any) string {
	text, err := json.Marshal(answer)
	if err != nil {
		panic(err) // of plain structs
	}
	return string(text)
}

// object reads an object of an s3:// location.
func (a *api) object(ctx context.Context, uri string) (string, error) {
	at, err := hearth.ParseLocation(uri)
	if err != nil {
		return "", err
	}
	return try(ctx, a, func(ctx context.Context) (string, error) {
		object, err := a.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &at.Bucket, Key: &at.Key})
		if err != nil {
			return "", err
		}
		defer object.Body.Close()
		text, err := io.ReadAll(object.Body)
		return string(text), err
	})
}

// events reads a session's event log.
func (a *api) events(ctx context.Context, id string) ([]rest.Event, error) {
	return try(ctx, a, func(ctx context.Context) ([]rest.Event, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"/v1/sessions/"+id, nil)
		if err != nil {
			return nil, err
		}
		sigv4.Sign(request, nil, a.keys, region, "athena", time.Now())
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		var session rest.Session
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the server answered %s", answer.Status)
		}
		return session.Events, errors.Join(json.NewDecoder(answer.Body).Decode(&session))
	})
}

// startSession asks for a session, again under the same token if it was asked
// for before.
func (a *api) startSession(ctx context.Context, s *session) error {
	answer, err := try(ctx, a, func(ctx context.Context) (*athena.StartSessionOutput, error) {
		return a.athena.StartSession(ctx, &athena.StartSessionInput{
			WorkGroup:                   aws.String(hearth.WorkGroupPrimary),
			Description:                 &s.Token,
			ClientRequestToken:          &s.Token,
			SessionIdleTimeoutInMinutes: aws.Int32(60),
			EngineConfiguration:         &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(2)},
		})
	})
	if err != nil {
		return a.refused(ctx, &s.thing, "StartSession", err)
	}
	a.answered(&s.thing, "StartSession", aws.ToString(answer.SessionId), string(answer.State))
	return nil
}

func (a *api) startCalculation(ctx context.Context, s *session, c *calculation) error {
	answer, err := try(ctx, a, func(ctx context.Context) (*athena.StartCalculationExecutionOutput, error) {
		return a.athena.StartCalculationExecution(ctx, &athena.StartCalculationExecutionInput{
			SessionId:          aws.String(s.id()),
			Description:        &c.Token,
			ClientRequestToken: &c.Token,
			CodeBlock:          &c.Program.Code,
		})
	})
	if err != nil {
		return a.refused(ctx, &c.thing, "StartCalculationExecution", err)
	}
	a.answered(&c.thing, "StartCalculationExecution", aws.ToString(answer.CalculationExecutionId), string(answer.State))
	return nil
}

// answered notes the id in an answer.
func (a *api) answered(t *thing, operation, id, state string) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	t.IDs = append(t.IDs, id)
	t.note("%s answered %s %s", operation, id, state)
}

// refused notes a refusal. What has been made cannot be refused any more.
func (a *api) refused(ctx context.Context, t *thing, operation string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	t.Refused = err.Error()
	t.note("%s refused: %v", operation, err)
	return nil
}

func (t *thing) note(format string, args ...any) {
	t.Log = append(t.Log, line{time.Now(), fmt.Sprintf(format, args...)})
}

// asking notes that an end is asked for from now on, answered or not.
func (a *api) asking(t *thing, operation string) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	if t.StopAsked.IsZero() {
		t.StopAsked = time.Now()
	}
	t.note("%s sent", operation)
}

func (a *api) stopped(t *thing, operation, state string) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	t.StopState = state
	t.note("%s answered %s", operation, state)
}

func (a *api) terminate(ctx context.Context, s *session) error {
	a.asking(&s.thing, "TerminateSession")
	answer, err := try(ctx, a, func(ctx context.Context) (*athena.TerminateSessionOutput, error) {
		return a.athena.TerminateSession(ctx, &athena.TerminateSessionInput{SessionId: aws.String(s.id())})
	})
	if err == nil {
		a.stopped(&s.thing, "TerminateSession", string(answer.State))
	}
	return err
}

func (a *api) stop(ctx context.Context, c *calculation) error {
	a.asking(&c.thing, "StopCalculationExecution")
	answer, err := try(ctx, a, func(ctx context.Context) (*athena.StopCalculationExecutionOutput, error) {
		return a.athena.StopCalculationExecution(ctx, &athena.StopCalculationExecutionInput{CalculationExecutionId: aws.String(c.id())})
	})
	if err == nil {
		a.stopped(&c.thing, "StopCalculationExecution", string(answer.State))
	}
	return err
}

// A client uses sessions, one after the other, as its generator says.
type client struct {
	*run
	rng  *rand.Rand
	name string
	left []*session // that it went away from
}

// work goes on until load is done. What has been asked by then is asked until
// it is answered, or ctx is done.
func (c *client) work(ctx, load context.Context) {
	for load.Err() == nil {
		if err := c.useSession(ctx, load); err != nil && load.Err() == nil {
			c.history.trouble(c.name + " met with " + err.Error())
		}
	}
}

func (c *client) chance(of float64) bool { return c.rng.Float64() < of }

// mayLeave is how many sessions a client leaves behind before it ends one.
const mayLeave = 2

func (c *client) useSession(ctx, load context.Context) error {
	s := &session{thing: thing{Token: c.token()}}
	c.history.add(s)
	c.moment(sessionSent, "")
	if err := c.api.startSession(ctx, s); err != nil || s.Refused != "" {
		return err
	}
	if c.chance(.1) {
		if err := c.api.startSession(ctx, s); err != nil {
			return err
		}
	}
	calculations, early := 1+c.rng.IntN(6), c.chance(.05)
	if early { // an end in the middle of the start
		calculations = 0
	}
	for range calculations {
		if ready, err := c.awaitIdle(load, s); err != nil || !ready {
			return err
		}
		if err := c.calculate(ctx, load, s); err != nil {
			return err
		}
		if load.Err() != nil {
			return nil
		}
	}
	if c.chance(.1) {
		c.left = append(c.left, s)
		if len(c.left) <= mayLeave {
			return nil
		}
		s, c.left = c.left[0], c.left[1:]
	}
	c.moment(endSent, s.id())
	return c.api.terminate(ctx, s)
}

// awaitIdle reports whether the session takes a calculation now.
func (c *client) awaitIdle(load context.Context, s *session) (bool, error) {
	while := ""
	for load.Err() == nil {
		if err := c.api.seeSession(load, s, while); err != nil {
			return false, err
		}
		while = s.last().State
		switch state := hearth.SessionState(while); {
		case state == hearth.SessionIdle:
			return true, nil
		case state.Ended() || state == hearth.SessionTerminating:
			return false, nil
		}
	}
	return false, nil
}

func (c *client) calculate(ctx, load context.Context, s *session) error {
	token := c.token()
	k := &calculation{thing: thing{Token: token}, Program: newProgram(c.rng, token[:8], filepath.Join(c.marks, token))}
	stop, end := c.chance(.15) || k.Program.Kind == stubborn, c.chance(.03)
	after := time.Duration(c.rng.Int64N(int64(1500 * time.Millisecond)))
	again := c.chance(.1)

	c.history.mu.Lock()
	s.Calculations = append(s.Calculations, k)
	c.history.mu.Unlock()
	c.moment(codeSent, s.id())
	if err := c.api.startCalculation(ctx, s, k); err != nil || k.Refused != "" {
		return err
	}
	c.moment(codeTaken, s.id()+"/"+k.id())
	if again {
		if err := c.api.startCalculation(ctx, s, k); err != nil {
			return err
		}
	}
	if stop || end {
		some, enough := context.WithTimeout(load, after)
		err := c.awaitEnd(some, k)
		enough()
		if err != nil && some.Err() == nil {
			return err
		}
		if load.Err() != nil {
			return nil
		}
		c.moment(endSent, s.id())
		if end {
			err = c.api.terminate(ctx, s)
		} else {
			err = c.api.stop(ctx, k)
		}
		if err != nil {
			return err
		}
	}
	if err := c.awaitEnd(load, k); err != nil && load.Err() == nil {
		return err
	}
	return nil
}

func (c *client) awaitEnd(ctx context.Context, k *calculation) error {
	while := ""
	for ctx.Err() == nil {
		if err := c.api.seeCalculation(ctx, k, while); err != nil {
			return err
		}
		while = k.last().State
		if hearth.CalculationState(while).Ended() {
			return nil
		}
	}
	return ctx.Err()
}

// token gives a new one. Athena's have at least 32 characters.
func (c *client) token() string {
	return fmt.Sprintf("%016x%016x-%s", c.rng.Uint64(), c.rng.Uint64(), c.name)
}
