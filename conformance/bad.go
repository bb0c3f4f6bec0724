package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// badInput sends requests that cannot be carried out.
func badInput(t *testing.T, c *Client) {
	unknown := aws.String("00000000-0000-0000-0000-000000000000")
	start := func(change func(*athena.StartSessionInput)) error {
		request := &athena.StartSessionInput{WorkGroup: aws.String("primary"), EngineConfiguration: &types.EngineConfiguration{}}
		change(request)
		_, err := c.Athena.StartSession(c.Ctx, request)
		return err
	}
	for _, bad := range []struct {
		name string
		err  error
		says string
	}{
		{"GetSession of an unknown session", Second(c.Athena.GetSession(c.Ctx, &athena.GetSessionInput{SessionId: unknown})), *unknown},
		{"GetSessionStatus of an unknown session", Second(c.Athena.GetSessionStatus(c.Ctx, &athena.GetSessionStatusInput{SessionId: unknown})), *unknown},
		{"TerminateSession of an unknown session", Second(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: unknown})), *unknown},
		{"ListExecutors of an unknown session", Second(c.Athena.ListExecutors(c.Ctx, &athena.ListExecutorsInput{SessionId: unknown})), *unknown},
		{"ListCalculationExecutions of an unknown session", Second(c.Athena.ListCalculationExecutions(c.Ctx, &athena.ListCalculationExecutionsInput{SessionId: unknown})), *unknown},
		{"StartCalculationExecution in an unknown session", Second(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{SessionId: unknown, CodeBlock: aws.String("1")})), *unknown},
		{"GetCalculationExecution of an unknown calculation", Second(c.Athena.GetCalculationExecution(c.Ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: unknown})), *unknown},
		{"GetCalculationExecutionStatus of an unknown calculation", Second(c.Athena.GetCalculationExecutionStatus(c.Ctx, &athena.GetCalculationExecutionStatusInput{CalculationExecutionId: unknown})), *unknown},
		{"GetCalculationExecutionCode of an unknown calculation", Second(c.Athena.GetCalculationExecutionCode(c.Ctx, &athena.GetCalculationExecutionCodeInput{CalculationExecutionId: unknown})), *unknown},
		{"StopCalculationExecution of an unknown calculation", Second(c.Athena.StopCalculationExecution(c.Ctx, &athena.StopCalculationExecutionInput{CalculationExecutionId: unknown})), *unknown},
		{"GetWorkGroup of an unknown workgroup", Second(c.Athena.GetWorkGroup(c.Ctx, &athena.GetWorkGroupInput{WorkGroup: aws.String("nowhere")})), "is not found"},
		{"ListSessions of an unknown workgroup", Second(c.Athena.ListSessions(c.Ctx, &athena.ListSessionsInput{WorkGroup: aws.String("nowhere")})), "is not found"},
		{"StartSession in an unknown workgroup", start(func(r *athena.StartSessionInput) { r.WorkGroup = aws.String("nowhere") }), "is not found"},
		{"StartSession with no room for an executor", start(func(r *athena.StartSessionInput) { r.EngineConfiguration.MaxConcurrentDpus = aws.Int32(1) }), "greater than or equal to 2"},
		{"StartSession with a large coordinator", start(func(r *athena.StartSessionInput) { r.EngineConfiguration.CoordinatorDpuSize = aws.Int32(2) }), "coordinatorDpuSize"},
		{"StartSession with an idle timeout of a day", start(func(r *athena.StartSessionInput) { r.SessionIdleTimeoutInMinutes = aws.Int32(1440) }), "less than or equal to 480"},
		{"StartSession with a short token", start(func(r *athena.StartSessionInput) { r.ClientRequestToken = aws.String("short") }), "greater than or equal to 32"},
		{"StartSession with a reserved property", start(func(r *athena.StartSessionInput) {
			r.EngineConfiguration.SparkProperties = map[string]string{"spark.master": "yarn"}
		}), "spark.master"},
		{"StartSession with a notebook and no version", start(func(r *athena.StartSessionInput) {
			r.EngineConfiguration.AdditionalConfigs = map[string]string{"NotebookId": *unknown}
		}), "NotebookVersion is required when NotebookId is provided."},
		{"StartSession with SparkProperties on Spark 3.5", start(func(r *athena.StartSessionInput) {
			r.WorkGroup = aws.String("spark-3.5")
			r.EngineConfiguration.SparkProperties = map[string]string{"spark.sql.shuffle.partitions": "3"}
		}), "SparkProperties"},
		{"GetSession without an id", c.post(t, "GetSession", `{}`), "1 validation error detected: Value null at 'sessionId' failed to satisfy constraint: Member must not be null"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			answer := Refused(0, bad.err)(t)
			if !strings.Contains(answer.ErrorMessage(), bad.says) {
				t.Errorf("message is %q, without %q", answer.ErrorMessage(), bad.says)
			}
			for _, word := range []string{"TERMINATED", "TERMINATING", "DEGRADED", "FAILED"} {
				if strings.Contains(answer.ErrorMessage(), word) {
					t.Errorf("message is %q: dbt takes the word %s for a session's state", answer.ErrorMessage(), word)
				}
			}
		})
	}

	for _, bad := range []struct{ name, operation, body, errorType string }{
		{"broken JSON", "GetSession", `{"SessionId":`, "SerializationException"},
		{"no JSON", "GetSession", ``, "SerializationException"},
		{"a number for a string", "GetSession", `{"SessionId": 7}`, "SerializationException"},
		{"an unknown operation", "MakeCoffee", `{}`, "UnknownOperationException"},
		{"a very large body", "GetSession", `{"SessionId": "` + strings.Repeat("x", 32<<20) + `"}`, ""},
	} {
		t.Run(bad.name, func(t *testing.T) {
			answer := c.In(t).send(c.signed(bad.operation, []byte(bad.body)))
			if answer.status < 400 || answer.status >= 500 {
				t.Errorf("status is %d", answer.status)
			}
			if answer.errorType == "" || answer.errorType != answer.headerType {
				t.Errorf("__type is %q, X-Amzn-ErrorType is %q", answer.errorType, answer.headerType)
			}
			if bad.errorType != "" {
				Same(t, "__type", answer.errorType, bad.errorType)
			}
		})
	}
	t.Run("the server still answers", func(t *testing.T) {
		Must(c.Athena.ListWorkGroups(c.Ctx, &athena.ListWorkGroupsInput{}))(t)
	})
}

// badSignatures sends requests that nobody may trust.
func badSignatures(t *testing.T, c *Client) {
	body := []byte(`{"WorkGroup":"primary"}`)
	now := time.Now()
	for _, bad := range []struct {
		name      string
		request   func() *http.Request
		errorType string
	}{
		{"unsigned", func() *http.Request {
			return c.unsigned("ListSessions", body)
		}, "MissingAuthenticationTokenException"},
		{"half a signature", func() *http.Request {
			r := c.signed("ListSessions", body)
			header, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
			r.Header.Set("Authorization", header)
			return r
		}, "IncompleteSignatureException"},
		{"a changed body", func() *http.Request {
			r := c.signed("ListSessions", body)
			r.Body = io.NopCloser(strings.NewReader(`{"WorkGroup":"primarx"}`))
			return r
		}, "InvalidSignatureException"},
		{"a changed operation", func() *http.Request {
			r := c.signed("ListSessions", body)
			r.Header.Set("X-Amz-Target", "AmazonAthena.TerminateSession")
			return r
		}, "InvalidSignatureException"},
		{"an hour old", func() *http.Request {
			return c.sign("ListSessions", body, c.Env["AWS_ACCESS_KEY_ID"], c.Env["AWS_SECRET_ACCESS_KEY"], "athena", now.Add(-time.Hour))
		}, "InvalidSignatureException"},
		{"a wrong secret", func() *http.Request {
			return c.sign("ListSessions", body, c.Env["AWS_ACCESS_KEY_ID"], "secret", "athena", now)
		}, "InvalidSignatureException"},
		{"an unknown key", func() *http.Request {
			return c.sign("ListSessions", body, "AKIAUNKNOWN", c.Env["AWS_SECRET_ACCESS_KEY"], "athena", now)
		}, "UnrecognizedClientException"},
		{"another service", func() *http.Request {
			return c.sign("ListSessions", body, c.Env["AWS_ACCESS_KEY_ID"], c.Env["AWS_SECRET_ACCESS_KEY"], "glue", now)
		}, "InvalidSignatureException"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			answer := c.In(t).send(bad.request())
			if answer.status != http.StatusBadRequest && answer.status != http.StatusForbidden {
				t.Errorf("status is %d", answer.status)
			}
			Same(t, "__type", answer.errorType, bad.errorType)
			Same(t, "X-Amzn-ErrorType", answer.headerType, bad.errorType)
		})
	}
	t.Run("an unsigned look at results", func(t *testing.T) {
		answer := Must(http.Get(c.URL + "/hearth/"))(t)
		defer answer.Body.Close()
		Same(t, "status", answer.StatusCode, http.StatusForbidden)
		if text := Must(io.ReadAll(answer.Body))(t); !bytes.Contains(text, []byte("<Code>AccessDenied</Code>")) {
			t.Errorf("the answer is %s", text)
		}
	})
}

// unsigned is a request of the API without a signature.
func (c *Client) unsigned(operation string, body []byte) *http.Request {
	request := Must(http.NewRequestWithContext(c.Ctx, http.MethodPost, c.URL+"/", bytes.NewReader(body)))(c.T)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonAthena."+operation)
	return request
}

func (c *Client) signed(operation string, body []byte) *http.Request {
	return c.sign(operation, body, c.Env["AWS_ACCESS_KEY_ID"], c.Env["AWS_SECRET_ACCESS_KEY"], "athena", time.Now())
}

func (c *Client) sign(operation string, body []byte, key, secret, service string, at time.Time) *http.Request {
	request := c.unsigned(operation, body)
	c.signRequest(request, body, aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, service, at)
	return request
}

func (c *Client) signRequest(request *http.Request, body []byte, keys aws.Credentials, service string, at time.Time) {
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), keys, request, hex.EncodeToString(sum[:]), service, c.Env["AWS_REGION"], at); err != nil {
		c.T.Fatal(err)
	}
}

func (c *Client) key() aws.Credentials {
	return aws.Credentials{AccessKeyID: c.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: c.Env["AWS_SECRET_ACCESS_KEY"]}
}

// answered is an answer as it came.
type answered struct {
	status                int
	errorType, headerType string
	message               string
}

func (c *Client) send(request *http.Request) answered {
	c.T.Helper()
	response := Must(http.DefaultClient.Do(request))(c.T)
	defer response.Body.Close()
	text := Must(io.ReadAll(response.Body))(c.T)
	var body struct {
		Type    string `json:"__type"`
		Message string
	}
	if err := json.Unmarshal(text, &body); err != nil {
		c.T.Errorf("the answer is no JSON: %s", text)
	}
	return answered{response.StatusCode, body.Type, response.Header.Get("X-Amzn-ErrorType"), body.Message}
}

// post sends a request that the SDK would refuse to send, and gives the error
// that the SDK would have made of the answer.
func (c *Client) post(t *testing.T, operation, body string) error {
	t.Helper()
	answer := c.In(t).send(c.signed(operation, []byte(body)))
	if answer.errorType != "InvalidRequestException" {
		t.Errorf("__type is %q", answer.errorType)
	}
	return &types.InvalidRequestException{Message: &answer.message}
}
