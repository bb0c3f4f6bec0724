// Package conformance drives the real binary with the clients that people use
// — the Go SDK, boto3, the AWS CLI and PyAthena — and runs real Spark behind
// it. It has the stories of sessions, which are tests of this package on Spark 3.5
// and of spark41 on Spark 4.1; other stories are in the packages within it. Each is
// done in less than the ten minutes that go test gives one.
package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"hearth/internal/testenv"
)

// Patience bounds a wait for anything but an idle timeout.
const Patience = 3 * time.Minute

// Client is the Go SDK pointed at a server, as `hearth env` says.
type Client struct {
	*testenv.Server
	Athena *athena.Client
	S3     *s3.Client
	Env    map[string]string
	T      *testing.T
	Ctx    context.Context

	Engine    Engine // of the story
	WorkGroup string // that sessions are started in, unless something else is said
}

// Connect makes the client for a server. Its sessions run on Spark 3.5.
func Connect(t *testing.T, server *testenv.Server) *Client {
	t.Helper()
	env := make(map[string]string)
	for _, v := range server.ClientEnv() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	config := aws.Config{
		Region:      env["AWS_REGION"],
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
	return &Client{
		Server: server,
		Athena: athena.NewFromConfig(config, func(o *athena.Options) { o.BaseEndpoint = aws.String(env["AWS_ENDPOINT_URL_ATHENA"]) }),
		S3: s3.NewFromConfig(config, func(o *s3.Options) {
			o.BaseEndpoint = aws.String(env["AWS_ENDPOINT_URL_S3"])
			o.UsePathStyle = true
		}),
		Env: env,
		T:   t,
		Ctx: t.Context(),

		Engine:    Spark35,
		WorkGroup: Spark35.WorkGroup,
	}
}

// Serve starts a server of a story's own, with a hearth.toml and flags.
func (c *Client) Serve(settings string, flags ...string) *Client {
	c.T.Helper()
	home := c.T.TempDir()
	if settings != "" {
		if err := os.WriteFile(filepath.Join(home, "hearth.toml"), []byte(settings), 0o600); err != nil {
			c.T.Fatal(err)
		}
	}
	own := c.ServeIn(home, flags...)
	own.makeWorkGroup()
	return own
}

// ServeIn starts a server with a home that is there already.
func (c *Client) ServeIn(home string, flags ...string) *Client {
	c.T.Helper()
	return serveIn(c.T, c.Engine, home, c.Binary, flags...)
}

func serveIn(t *testing.T, engine Engine, home, binary string, flags ...string) *Client {
	t.Helper()
	c := Connect(t, testenv.ServeIn(t, home, binary, flags...))
	c.Engine, c.WorkGroup = engine, engine.WorkGroup
	return c
}

// In is the client for a test within the one that it was made for.
func (c Client) In(t *testing.T) *Client {
	c.T, c.Ctx = t, t.Context()
	return &c
}

// Token is a new ClientRequestToken.
func Token() string { return "conformance-" + rand.Text() }

// StartSession starts a session in WorkGroup and waits until it is idle. The test's end
// ends it.
func (c *Client) StartSession(change ...func(*athena.StartSessionInput)) string {
	c.T.Helper()
	id := c.Launch(change...)
	c.AwaitSession(id, types.SessionStateIdle)
	return id
}

// Launch is start without waiting.
func (c *Client) Launch(change ...func(*athena.StartSessionInput)) string {
	c.T.Helper()
	request := &athena.StartSessionInput{
		WorkGroup:                   &c.WorkGroup,
		EngineConfiguration:         &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(2)},
		SessionIdleTimeoutInMinutes: aws.Int32(10),
	}
	for _, f := range change {
		f(request)
	}
	started := Must(c.Athena.StartSession(c.Ctx, request))(c.T)
	id := aws.ToString(started.SessionId)
	c.T.Cleanup(func() {
		c.Athena.TerminateSession(context.Background(), &athena.TerminateSessionInput{SessionId: &id})
	})
	return id
}

// While asks the server to hold its answer as long as the state is this one.
func While[S ~string](state S) func(*athena.Options) {
	return athena.WithAPIOptions(smithyhttp.SetHeaderValue("X-Hearth-While", string(state)))
}

// AwaitSession waits until the session is in one of the states, and gives all
// statuses that it saw on the way.
func (c *Client) AwaitSession(id string, wanted ...types.SessionState) []types.SessionStatus {
	c.T.Helper()
	ctx, cancel := context.WithTimeout(c.Ctx, Patience)
	defer cancel()
	var seen []types.SessionStatus
	for state := types.SessionState(""); ; {
		answer, err := c.Athena.GetSessionStatus(ctx, &athena.GetSessionStatusInput{SessionId: &id}, While(state))
		if err != nil {
			c.T.Fatalf("waiting for session %s to be %v: %v", id, wanted, err)
		}
		if answer.Status.State != state {
			seen = append(seen, *answer.Status)
		}
		state = answer.Status.State
		for _, w := range wanted {
			if state == w {
				return seen
			}
		}
		if state == types.SessionStateFailed || state == types.SessionStateTerminated {
			c.T.Fatalf("session %s is %s, not %v: %s", id, state, wanted, aws.ToString(answer.Status.StateChangeReason))
		}
	}
}

// Begin starts a calculation.
func (c *Client) Begin(session, code string) string {
	c.T.Helper()
	return aws.ToString(Must(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{
		SessionId: &session,
		CodeBlock: &code,
	}))(c.T).CalculationExecutionId)
}

// Ended waits until the calculation is over.
func (c *Client) Ended(id string) *athena.GetCalculationExecutionOutput {
	c.T.Helper()
	return c.AwaitCalculation(id, types.CalculationExecutionStateCompleted, types.CalculationExecutionStateFailed, types.CalculationExecutionStateCanceled)
}

func (c *Client) AwaitCalculation(id string, wanted ...types.CalculationExecutionState) *athena.GetCalculationExecutionOutput {
	c.T.Helper()
	ctx, cancel := context.WithTimeout(c.Ctx, Patience)
	defer cancel()
	for state := types.CalculationExecutionState(""); ; {
		answer, err := c.Athena.GetCalculationExecution(ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: &id}, While(state))
		if err != nil {
			c.T.Fatalf("waiting for calculation %s to be %v: %v", id, wanted, err)
		}
		state = answer.Status.State
		for _, w := range wanted {
			if state == w {
				return answer
			}
		}
	}
}

// Run runs code to its end, which has to be COMPLETED, and gives its stdout.
func (c *Client) Run(session, code string) string {
	c.T.Helper()
	calculation := c.Ended(c.Begin(session, code))
	if calculation.Status.State != types.CalculationExecutionStateCompleted {
		c.T.Fatalf("calculation is %s: %s\n%s", calculation.Status.State, aws.ToString(calculation.Status.StateChangeReason), c.Read(calculation.Result.StdErrorS3Uri))
	}
	return c.Read(calculation.Result.StdOutS3Uri)
}

// Read reads an s3:// object.
func (c *Client) Read(uri *string) string {
	c.T.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(aws.ToString(uri), "s3://"), "/")
	object := Must(c.S3.GetObject(c.Ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key}))(c.T)
	defer object.Body.Close()
	return string(Must(io.ReadAll(object.Body))(c.T))
}

// Gate is code that runs until Open is called: it says so by a file, and waits
// for one.
type Gate struct {
	t      *testing.T
	Folder string // where the files are by which it knows
}

// NewGate makes a closed one.
func NewGate(t *testing.T) Gate { return Gate{t, t.TempDir()} }

// Code waits at the gate.
func (g Gate) Code() string {
	return fmt.Sprintf(`
import pathlib, time
pathlib.Path(%q).touch()
while not pathlib.Path(%q).exists():
    time.sleep(0.02)
`, filepath.Join(g.Folder, "reached"), filepath.Join(g.Folder, "open"))
}

// Open lets the code go on.
func (g Gate) Open() {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.Folder, "open"), nil, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// Reached waits until the code is at the gate.
func (g Gate) Reached() {
	g.t.Helper()
	AwaitFile(g.t, filepath.Join(g.Folder, "reached"))
}

// AwaitFile waits until there is a file.
func AwaitFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.After(Patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s did not appear", path)
		}
	}
}

// Must gives a call's answer, or fails the test.
func Must[T any](answer T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// Refused checks that a call was answered with InvalidRequestException, and
// gives the exception.
func Refused[T any](_ T, err error) func(*testing.T) *types.InvalidRequestException {
	return func(t *testing.T) *types.InvalidRequestException {
		t.Helper()
		refusal, ok := errors.AsType[*types.InvalidRequestException](err)
		if !ok {
			t.Fatalf("got %v, want InvalidRequestException", err)
		}
		return refusal
	}
}

// Same fails the test when got is not want.
func Same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// Session asks for a session.
func (c *Client) Session(id string) *athena.GetSessionOutput {
	c.T.Helper()
	return Must(c.Athena.GetSession(c.Ctx, &athena.GetSessionInput{SessionId: &id}))(c.T)
}

// Failed waits until the session has failed for a reason that names cause, and
// checks what a failed session looks like.
func (c *Client) Failed(id, cause string) {
	t := c.T
	t.Helper()
	c.AwaitSession(id, types.SessionStateFailed)
	session := Must(c.Athena.GetSession(c.Ctx, &athena.GetSessionInput{SessionId: &id}))(t)
	if reason := aws.ToString(session.Status.StateChangeReason); !strings.Contains(reason, cause) {
		t.Errorf("the session's StateChangeReason is %q, and the cause is %q", reason, cause)
	} else {
		t.Log(reason)
	}
	Same(t, "EndDateTime is there", session.Status.EndDateTime != nil, true)
	Same(t, "IdleSinceDateTime is there", session.Status.IdleSinceDateTime != nil, false)

	refusal := Refused(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{SessionId: &id, CodeBlock: aws.String("1")}))(t)
	Same(t, "Message", refusal.ErrorMessage(), "Session is in the FAILED state; needs to be IDLE to accept Calculations.")
	terminated := Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
	Same(t, "State after TerminateSession", terminated.State, types.SessionStateFailed)
	testenv.AwaitNoProcess(t, c.Home+"/drivers/"+id)
}

// Once is without the SDK's own tries.
func Once(o *athena.Options) { o.RetryMaxAttempts = 1 }

// Second gives the error of a call.
func Second[T any](_ T, err error) error { return err }

// Found gives the first group of a pattern that has to be in the text.
func Found(t *testing.T, text, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("%s is not in\n%s", pattern, text)
	}
	return match[1]
}
