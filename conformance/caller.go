package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/smithy-go"

	"hearth/internal/testenv"
)

// A caller is a client that can call any operation with any input.
type caller interface {
	call(operation string, input json.RawMessage) reply
}

// A reply is what a client makes of an answer.
type reply struct {
	Answer map[string]any

	Error           string // the error's name as the client has it; "" is success
	Typed           bool   // the client has a type of its own for the error, and raised it
	Status          int    // 0 when the client does not tell
	AthenaErrorCode string
	Message         string
}

// callers are the four clients. None tries again what has failed.
var callers = []struct {
	name string // heads its column of the table
	key  string // is in the names of what it makes
	dial func(*Client) caller
	// brief is set for a client that shows an error's name and message, and
	// nothing else.
	brief bool
}{
	{name: "boto3", key: "boto3", dial: func(c *Client) caller { return c.pythonCaller("call_boto3.py") }},
	{name: "AWS CLI", key: "cli", dial: func(c *Client) caller { return c.pythonCaller("call_cli.py") }, brief: true},
	{name: "Go", key: "go", dial: func(c *Client) caller { return goSDK{c} }},
	{name: "JavaScript", key: "js", dial: func(c *Client) caller {
		folder := filepath.Join("testdata", "js")
		return c.converse(testenv.JavaScriptClients(c.T, folder).Command(filepath.Join(folder, "call.cjs")))
	}},
}

func (c *Client) pythonCaller(script string) caller {
	return c.converse(exec.Command(testenv.PythonClients(c.T).Python, filepath.Join("testdata", script)))
}

// goSDK finds operations by reflection.
type goSDK struct{ *Client }

func (g goSDK) call(operation string, input json.RawMessage) reply {
	g.T.Helper()
	method := reflect.ValueOf(g.Athena).MethodByName(operation)
	in := reflect.New(method.Type().In(1).Elem())
	if err := json.Unmarshal(input, in.Interface()); err != nil {
		g.T.Fatal(err)
	}
	noRetry := reflect.ValueOf(func(o *athena.Options) { o.Retryer = aws.NopRetryer{} })
	out := method.Call([]reflect.Value{reflect.ValueOf(g.Ctx), in, noRetry})
	if err, failed := out[1].Interface().(error); failed {
		return goError(err)
	}
	text := Must(json.Marshal(out[0].Interface()))(g.T)
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		g.T.Fatal(err)
	}
	return reply{Answer: answer}
}

func goError(err error) reply {
	r := reply{Error: "no answer of the service", Message: err.Error()}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		_, generic := e.(*smithy.GenericAPIError)
		r.Error, r.Message, r.Typed = e.ErrorCode(), e.ErrorMessage(), !generic
	}
	if e, ok := errors.AsType[*types.InvalidRequestException](err); ok {
		r.AthenaErrorCode = aws.ToString(e.AthenaErrorCode)
	}
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		r.Status = e.HTTPStatusCode()
	}
	return r
}

// conversation is with a program that reads calls and writes replies, each as
// a line of JSON.
type conversation struct {
	t       *testing.T
	calls   io.Writer
	replies *bufio.Reader
	stderr  string // a file
}

// converse starts the program, pointed at the server by its environment. The
// test's end ends it.
func (c *Client) converse(program *exec.Cmd) caller {
	t := c.T
	t.Helper()
	stderr := Must(os.Create(filepath.Join(t.TempDir(), "stderr")))(t)
	defer stderr.Close()
	program.Stderr = stderr
	program.Env = slices.Concat(program.Env, c.ClientEnv(), []string{"AWS_MAX_ATTEMPTS=1"})
	calls, replies := Must(program.StdinPipe())(t), Must(program.StdoutPipe())(t)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	talk := conversation{t, calls, bufio.NewReader(replies), stderr.Name()}
	t.Cleanup(func() {
		calls.Close()
		if err := program.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", program.Args, err, talk.complaint())
		}
	})
	return talk
}

func (c conversation) call(operation string, input json.RawMessage) (r reply) {
	c.t.Helper()
	line := Must(json.Marshal(map[string]any{"operation": operation, "input": input}))(c.t)
	if _, err := c.calls.Write(append(line, '\n')); err != nil {
		c.t.Fatalf("%v\n%s", err, c.complaint())
	}
	text, err := c.replies.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.complaint())
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	return r
}

func (c conversation) complaint() []byte {
	text, _ := os.ReadFile(c.stderr)
	return text
}
