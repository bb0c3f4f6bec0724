package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// patience bounds a wait for anything but an idle timeout.
const patience = 3 * time.Minute

// client is the Go SDK pointed at a server, as `hearth env` says.
type client struct {
	*testenv.Server
	athena *athena.Client
	s3     *s3.Client
	env    map[string]string
	t      *testing.T
	ctx    context.Context
}

func connect(t *testing.T, server *testenv.Server) *client {
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
	return &client{
		Server: server,
		athena: athena.NewFromConfig(config, func(o *athena.Options) { o.BaseEndpoint = aws.String(env["AWS_ENDPOINT_URL_ATHENA"]) }),
		s3: s3.NewFromConfig(config, func(o *s3.Options) {
			o.BaseEndpoint = aws.String(env["AWS_ENDPOINT_URL_S3"])
			o.UsePathStyle = true
		}),
		env: env,
		t:   t,
		ctx: t.Context(),
	}
}

// in is the client for a test within the one that it was made for.
func (c client) in(t *testing.T) *client {
	c.t, c.ctx = t, t.Context()
	return &c
}

// token is a new ClientRequestToken.
func token() string { return "conformance-" + rand.Text() }

// start starts a session in primary and waits until it is idle. The test's end
// ends it.
func (c *client) start(change ...func(*athena.StartSessionInput)) string {
	c.t.Helper()
	id := c.launch(change...)
	c.awaitSession(id, types.SessionStateIdle)
	return id
}

// launch is start without waiting.
func (c *client) launch(change ...func(*athena.StartSessionInput)) string {
	c.t.Helper()
	request := &athena.StartSessionInput{
		WorkGroup:                   aws.String("primary"),
		EngineConfiguration:         &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(2)},
		SessionIdleTimeoutInMinutes: aws.Int32(10),
	}
	for _, f := range change {
		f(request)
	}
	started := must(c.athena.StartSession(c.ctx, request))(c.t)
	id := aws.ToString(started.SessionId)
	c.t.Cleanup(func() {
		c.athena.TerminateSession(context.Background(), &athena.TerminateSessionInput{SessionId: &id})
	})
	return id
}

// while asks the server to hold its answer as long as the state is this one.
func while[S ~string](state S) func(*athena.Options) {
	return athena.WithAPIOptions(smithyhttp.SetHeaderValue("X-Hearth-While", string(state)))
}

// awaitSession waits until the session is in one of the states, and gives all
// statuses that it saw on the way.
func (c *client) awaitSession(id string, wanted ...types.SessionState) []types.SessionStatus {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	var seen []types.SessionStatus
	for state := types.SessionState(""); ; {
		answer, err := c.athena.GetSessionStatus(ctx, &athena.GetSessionStatusInput{SessionId: &id}, while(state))
		if err != nil {
			c.t.Fatalf("waiting for session %s to be %v: %v", id, wanted, err)
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
			c.t.Fatalf("session %s is %s, not %v: %s", id, state, wanted, aws.ToString(answer.Status.StateChangeReason))
		}
	}
}

// begin starts a calculation.
func (c *client) begin(session, code string) string {
	c.t.Helper()
	return aws.ToString(must(c.athena.StartCalculationExecution(c.ctx, &athena.StartCalculationExecutionInput{
		SessionId: &session,
		CodeBlock: &code,
	}))(c.t).CalculationExecutionId)
}

// ended waits until the calculation is over.
func (c *client) ended(id string) *athena.GetCalculationExecutionOutput {
	c.t.Helper()
	return c.awaitCalculation(id, types.CalculationExecutionStateCompleted, types.CalculationExecutionStateFailed, types.CalculationExecutionStateCanceled)
}

func (c *client) awaitCalculation(id string, wanted ...types.CalculationExecutionState) *athena.GetCalculationExecutionOutput {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	for state := types.CalculationExecutionState(""); ; {
		answer, err := c.athena.GetCalculationExecution(ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: &id}, while(state))
		if err != nil {
			c.t.Fatalf("waiting for calculation %s to be %v: %v", id, wanted, err)
		}
		state = answer.Status.State
		for _, w := range wanted {
			if state == w {
				return answer
			}
		}
	}
}

// run runs code to its end, which has to be COMPLETED, and gives its stdout.
func (c *client) run(session, code string) string {
	c.t.Helper()
	calculation := c.ended(c.begin(session, code))
	if calculation.Status.State != types.CalculationExecutionStateCompleted {
		c.t.Fatalf("calculation is %s: %s\n%s", calculation.Status.State, aws.ToString(calculation.Status.StateChangeReason), c.read(calculation.Result.StdErrorS3Uri))
	}
	return c.read(calculation.Result.StdOutS3Uri)
}

// read reads an s3:// object.
func (c *client) read(uri *string) string {
	c.t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(aws.ToString(uri), "s3://"), "/")
	object := must(c.s3.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key}))(c.t)
	defer object.Body.Close()
	return string(must(io.ReadAll(object.Body))(c.t))
}

// gate is code that runs until open is called: it says so by a file, and waits
// for one.
type gate struct {
	t      *testing.T
	folder string
}

func newGate(t *testing.T) gate { return gate{t, t.TempDir()} }

func (g gate) code() string {
	return fmt.Sprintf(`
import pathlib, time
pathlib.Path(%q).touch()
while not pathlib.Path(%q).exists():
    time.sleep(0.02)
`, filepath.Join(g.folder, "reached"), filepath.Join(g.folder, "open"))
}

func (g gate) open() {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.folder, "open"), nil, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// reached waits until the code is at the gate.
func (g gate) reached() {
	g.t.Helper()
	awaitFile(g.t, filepath.Join(g.folder, "reached"))
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.After(patience)
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

// must gives a call's answer, or fails the test.
func must[T any](answer T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// refused checks that a call was answered with InvalidRequestException, and
// gives the exception.
func refused[T any](_ T, err error) func(*testing.T) *types.InvalidRequestException {
	return func(t *testing.T) *types.InvalidRequestException {
		t.Helper()
		refusal, ok := errors.AsType[*types.InvalidRequestException](err)
		if !ok {
			t.Fatalf("got %v, want InvalidRequestException", err)
		}
		return refusal
	}
}

// same fails the test when got is not want.
func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
