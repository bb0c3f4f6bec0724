package athena_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/athena"
)

func handler(f *fake, log *bytes.Buffer) http.Handler {
	return athena.Handler(f, athena.Options{
		Link: func(_ context.Context, id string) (hearth.Link, error) {
			return hearth.Link{URL: "http://here/" + id + "?authToken=token", Token: "token", Expires: began}, nil
		},
		SparkLink: func(_ context.Context, id string) (hearth.Link, error) {
			return hearth.Link{URL: "http://here/" + id + "/spark?authToken=token", Token: "token", Expires: began}, nil
		},
		EndpointURL: func(context.Context) string { return "https://here" },
		Principal:   func(context.Context) string { return caller },
		MaxBody:     1 << 20,
		Log:         slog.New(slog.NewTextHandler(log, nil)),
	})
}

func call(h http.Handler, operation, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonAthena."+operation)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func invalidRequest(code, message string) string {
	return fmt.Sprintf(`{"__type":"InvalidRequestException","AthenaErrorCode":"%s","ErrorCode":"%s","Message":%q,"message":%q}`, code, code, message, message)
}

const (
	arnBody         = `{"ResourceARN":"arn:aws:athena:us-east-1:123456789012:workgroup/primary/session/` + sessionID + `"}`
	sessionBody     = `{"SessionId":"` + sessionID + `"}`
	calculationBody = `{"CalculationExecutionId":"` + calculationID + `"}`
)

func TestHandler_Answers(t *testing.T) {
	const (
		fullStatus = `{"StartDateTime":1760055300.123,"LastModifiedDateTime":1760055302.123,"EndDateTime":1760055302.123,"IdleSinceDateTime":1760055301.123,"State":"FAILED","StateChangeReason":"The driver was killed."}`
		bareStatus = `{"StartDateTime":1760055300.123,"LastModifiedDateTime":1760055300.123,"State":"CREATED"}`

		fullCalculationStatus = `{"SubmissionDateTime":1760055300.123,"CompletionDateTime":1760055301.123,"State":"FAILED","StateChangeReason":"NameError: name 'x' is not defined"}`
		directory             = "s3://results/" + sessionID + "/" + calculationID
	)
	for _, test := range []struct {
		operation string
		fake      *fake
		body      string
		answer    string
	}{
		{"StartSession", bare(), `{"WorkGroup":"primary","EngineConfiguration":{}}`, `{"SessionId":"` + sessionID + `","State":"CREATED"}`},
		{"GetSession", full(), sessionBody, `{"SessionId":"` + sessionID + `","Description":"a <session>","WorkGroup":"primary","EngineVersion":"PySpark engine version 3",` +
			`"EngineConfiguration":{"CoordinatorDpuSize":1,"MaxConcurrentDpus":20,"DefaultExecutorDpuSize":1,"AdditionalConfigs":{"NotebookId":"n"},"SparkProperties":{},"Classifications":[{"Name":"spark-defaults","Properties":{"spark.a":"b"}}]},` +
			`"NotebookVersion":"Athena notebook version 1","SessionConfiguration":{"ExecutionRole":"arn:aws:iam::123456789012:role/spark","WorkingDirectory":"s3://results/` + sessionID + `","IdleTimeoutSeconds":1200,"SessionIdleTimeoutInMinutes":20,"EncryptionConfiguration":{"EncryptionOption":"SSE_KMS","KmsKey":"alias/k"}},` +
			`"Status":` + fullStatus + `,"Statistics":{"DpuExecutionInMillis":4321}}`},
		{"GetSession", bare(), sessionBody, `{"SessionId":"` + sessionID + `","WorkGroup":"primary","EngineVersion":"Apache Spark version 3.5",` +
			`"EngineConfiguration":{"CoordinatorDpuSize":1,"MaxConcurrentDpus":20,"DefaultExecutorDpuSize":1},` +
			`"SessionConfiguration":{"WorkingDirectory":"s3://results/` + sessionID + `","IdleTimeoutSeconds":60,"SessionIdleTimeoutInMinutes":1},` +
			`"Status":` + bareStatus + `,"Statistics":{"DpuExecutionInMillis":0}}`},
		{"GetSessionStatus", full(), sessionBody, `{"SessionId":"` + sessionID + `","Status":` + fullStatus + `}`},
		{"GetSessionStatus", bare(), sessionBody, `{"SessionId":"` + sessionID + `","Status":` + bareStatus + `}`},
		{"ListSessions", full(), `{"WorkGroup":"primary"}`, `{"NextToken":"next","Sessions":[{"SessionId":"` + sessionID + `","Description":"a <session>","EngineVersion":{"SelectedEngineVersion":"PySpark engine version 3","EffectiveEngineVersion":"PySpark engine version 3"},"NotebookVersion":"Athena notebook version 1","Status":` + fullStatus + `}]}`},
		{"TerminateSession", full(), sessionBody, `{"State":"TERMINATING"}`},
		{"StartCalculationExecution", full(), `{"SessionId":"s","CodeBlock":"1"}`, `{"CalculationExecutionId":"` + calculationID + `","State":"FAILED"}`},
		{"GetCalculationExecution", full(), calculationBody, `{"CalculationExecutionId":"` + calculationID + `","SessionId":"` + sessionID + `","Description":"a calculation","WorkingDirectory":"` + directory + `",` +
			`"Status":` + fullCalculationStatus + `,"Statistics":{"DpuExecutionInMillis":1000,"Progress":"100%"},` +
			`"Result":{"StdOutS3Uri":"` + directory + `/stdout","StdErrorS3Uri":"` + directory + `/stderr","ResultS3Uri":"` + directory + `/results/","ResultType":"application/vnd.aws.athena.v1+json"}}`},
		{"GetCalculationExecution", bare(), calculationBody, `{"CalculationExecutionId":"` + calculationID + `","SessionId":"` + sessionID + `","WorkingDirectory":"` + directory + `",` +
			`"Status":{"SubmissionDateTime":1760055300.123,"State":"RUNNING"},"Statistics":{"DpuExecutionInMillis":0}}`},
		{"GetCalculationExecutionStatus", full(), calculationBody, `{"Status":` + fullCalculationStatus + `,"Statistics":{"DpuExecutionInMillis":1000,"Progress":"100%"}}`},
		{"GetCalculationExecutionCode", full(), calculationBody, `{"CodeBlock":"print('<é>')"}`},
		{"ListCalculationExecutions", full(), sessionBody, `{"NextToken":"next","Calculations":[{"CalculationExecutionId":"` + calculationID + `","Description":"a calculation","Status":` + fullCalculationStatus + `}]}`},
		{"StopCalculationExecution", full(), calculationBody, `{"State":"CANCELING"}`},
		{"CreatePresignedNotebookUrl", bare(), sessionBody, `{"NotebookUrl":"http://here/` + sessionID + `?authToken=token","AuthToken":"token","AuthTokenExpirationTime":1760055300}`},
		{"GetResourceDashboard", full(), arnBody, `{"Url":"http://here/` + sessionID + `/spark?authToken=token"}`},
		{"GetSessionEndpoint", bare(), sessionBody, `{"EndpointUrl":"https://here","AuthToken":"token","AuthTokenExpirationTime":1760055360.123}`},
		{"GetWorkGroup", full(), `{"WorkGroup":"primary"}`, `{"WorkGroup":{"Name":"primary","State":"ENABLED","Configuration":{"ResultConfiguration":{"OutputLocation":"s3://results/","EncryptionConfiguration":{"EncryptionOption":"SSE_S3"}},` +
			`"EnforceWorkGroupConfiguration":true,"PublishCloudWatchMetricsEnabled":false,"RequesterPaysEnabled":false,"EngineVersion":{"SelectedEngineVersion":"Apache Spark version 3.5","EffectiveEngineVersion":"Apache Spark version 3.5"},` +
			`"ExecutionRole":"arn:aws:iam::123456789012:role/spark","EngineConfiguration":{"MaxConcurrentDpus":8},"EnableMinimumEncryptionConfiguration":false},"Description":"where things run","CreationTime":1760055300.123}}`},
		{"GetWorkGroup", bare(), `{"WorkGroup":"primary"}`, `{"WorkGroup":{"Name":"primary","State":"DISABLED","Configuration":{"ResultConfiguration":{},` +
			`"EnforceWorkGroupConfiguration":false,"PublishCloudWatchMetricsEnabled":false,"RequesterPaysEnabled":false,"EngineVersion":{"SelectedEngineVersion":"PySpark engine version 3","EffectiveEngineVersion":"PySpark engine version 3"},` +
			`"EnableMinimumEncryptionConfiguration":false},"CreationTime":1760055300.123}}`},
		{"ListWorkGroups", bare(), `{}`, `{"WorkGroups":[{"Name":"primary","State":"DISABLED","Description":"","CreationTime":1760055300.123,"EngineVersion":{"SelectedEngineVersion":"PySpark engine version 3","EffectiveEngineVersion":"PySpark engine version 3"}}]}`},
		{"ListEngineVersions", bare(), `{}`, `{"EngineVersions":[{"SelectedEngineVersion":"PySpark engine version 3","EffectiveEngineVersion":"PySpark engine version 3"},{"SelectedEngineVersion":"Apache Spark version 3.5","EffectiveEngineVersion":"Apache Spark version 3.5"},{"SelectedEngineVersion":"Apache Spark version 4.1","EffectiveEngineVersion":"Apache Spark version 4.1"}]}`},
	} {
		t.Run(test.operation, func(t *testing.T) {
			w := call(handler(test.fake, new(bytes.Buffer)), test.operation, test.body)
			if w.Code != http.StatusOK || w.Body.String() != test.answer {
				t.Errorf("got  %d %s\nwant 200 %s", w.Code, w.Body, test.answer)
			}
		})
	}
	t.Run("ListExecutors", func(t *testing.T) {
		f := full()
		w := call(handler(f, new(bytes.Buffer)), "ListExecutors", `{"SessionId":"`+sessionID+`","ExecutorStateFilter":"FAILED"}`)
		e := f.session.Executors()[0]
		want := fmt.Sprintf(`{"SessionId":"%s","ExecutorsSummary":[{"ExecutorId":"%s","ExecutorType":"COORDINATOR","StartDateTime":1760055300123,"TerminationDateTime":1760055302123,"ExecutorState":"FAILED","ExecutorSize":%d}]}`,
			sessionID, e.ID, e.DPUs)
		if w.Body.String() != want {
			t.Errorf("got  %s\nwant %s", w.Body, want)
		}
		if f.asked != [2]string{sessionID, "FAILED"} {
			t.Errorf("asked for %v", f.asked)
		}
	})
}

// The table of facts about parsing and validation, on Athena's own operations.
func TestHandler_Refusals(t *testing.T) {
	const one = "1 validation error detected: "
	token := func(n int) string {
		return `{"WorkGroup":"w","EngineConfiguration":{},"ClientRequestToken":"` + strings.Repeat("t", n) + `"}`
	}
	code := func(n int) string { return `{"SessionId":"s","CodeBlock":"` + strings.Repeat("é", n) + `"}` }
	for _, test := range []struct {
		name, operation, body, answer string
	}{
		{"required", "GetSession", `{}`, invalidRequest("INVALID_INPUT", one+"Value null at 'sessionId' failed to satisfy constraint: Member must not be null")},
		{"two required", "StartSession", `{}`, invalidRequest("INVALID_INPUT", "2 validation errors detected: Value null at 'workGroup' failed to satisfy constraint: Member must not be null; Value null at 'engineConfiguration' failed to satisfy constraint: Member must not be null")},
		{"empty id", "GetSessionStatus", `{"SessionId":""}`, invalidRequest("INVALID_INPUT", one+"Value at 'sessionId' failed to satisfy constraint: Member must have length greater than or equal to 1")},
		{"number too large", "ListWorkGroups", `{"MaxResults":51}`, invalidRequest("INVALID_INPUT", one+"Value at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50")},
		{"number too small", "ListWorkGroups", `{"MaxResults":0}`, invalidRequest("INVALID_INPUT", one+"Value at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1")},
		{"nested number", "StartSession", `{"WorkGroup":"w","EngineConfiguration":{"MaxConcurrentDpus":1}}`, invalidRequest("INVALID_INPUT", one+"Value at 'engineConfiguration.maxConcurrentDpus' failed to satisfy constraint: Member must have value greater than or equal to 2")},
		{"bad workgroup name", "GetWorkGroup", `{"WorkGroup":"a b"}`, invalidRequest("INVALID_INPUT", one+"Value at 'workGroup' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9._-]{1,128}")},
		{"unknown state", "ListSessions", `{"WorkGroup":"w","StateFilter":"DEAD"}`, invalidRequest("INVALID_INPUT", one+"Value at 'stateFilter' failed to satisfy constraint: Member must satisfy enum value set: [CREATING, CREATED, IDLE, BUSY, TERMINATING, TERMINATED, DEGRADED, FAILED]")},
		{"token too short", "StartSession", token(31), invalidRequest("INVALID_INPUT", one+"Value at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32")},
		{"token too long", "StartSession", token(129), invalidRequest("INVALID_INPUT", one+"Value at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 128")},
		{"code too long", "StartCalculationExecution", code(68001), invalidRequest("INVALID_INPUT", one+"Value at 'codeBlock' failed to satisfy constraint: Member must have length less than or equal to 68000")},
		{"long code", "StartCalculationExecution", code(68000), `{"CalculationExecutionId":"` + calculationID + `","State":"RUNNING"}`},
		{"no code", "StartCalculationExecution", `{"SessionId":"s"}`, invalidRequest("INVALID_INPUT", "CodeBlock is required.")},
		{"no code in the deprecated structure", "StartCalculationExecution", `{"SessionId":"s","CalculationConfiguration":{}}`, invalidRequest("INVALID_INPUT", "CodeBlock is required.")},
		{"code twice", "StartCalculationExecution", `{"SessionId":"s","CodeBlock":"1","CalculationConfiguration":{"CodeBlock":"1"}}`, invalidRequest("INVALID_INPUT", "CodeBlock and CalculationConfiguration.CodeBlock are both given; only one of them may be.")},
		{"wrong type", "ListSessions", `{"MaxResults":"5"}`, `{"__type":"SerializationException","Message":"STRING_VALUE can not be converted to an Integer","message":"STRING_VALUE can not be converted to an Integer"}`},
		{"broken", "ListSessions", `{"MaxResults":`, `{"__type":"SerializationException"}`},
		{"malformed token", "ListEngineVersions", `{"NextToken":"%%"}`, invalidRequest("INVALID_INPUT", "The nextPageToken is malformed: %%")},
		{"a link without a session", "CreatePresignedNotebookUrl", `{}`, invalidRequest("INVALID_INPUT", one+"Value null at 'sessionId' failed to satisfy constraint: Member must not be null")},
		{"an operation of the SQL half", "StartQueryExecution", `{}`, invalidRequest("INVALID_INPUT", "StartQueryExecution is not served by Hearth.")},
		{"an unknown operation", "StartSpark", `{}`, `{"__type":"UnknownOperationException"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := call(handler(bare(), new(bytes.Buffer)), test.operation, test.body)
			if w.Body.String() != test.answer {
				t.Errorf("got  %d %s\nwant %s", w.Code, w.Body, test.answer)
			}
		})
	}
}

func TestHandler_Errors(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		answer string
	}{
		{hearth.SessionNotFound("x"), 400, invalidRequest("INVALID_INPUT", "Session x is not found.")},
		{hearth.NotIdle(hearth.SessionBusy), 400, invalidRequest("INVALID_INPUT", "Session is in the BUSY state; needs to be IDLE to accept Calculations.")},
		{hearth.Errorf(hearth.KindInvalid, "no"), 400, invalidRequest("INVALID_INPUT", "no")},
		{hearth.Errorf(hearth.KindExists, "there"), 400, invalidRequest("INVALID_INPUT", "there")},
		{hearth.Errorf(hearth.KindIdempotencyMismatch, "other"), 400, invalidRequest("IDEMPOTENT_PARAMETER_MISMATCH", "Idempotent parameters do not match")},
		{hearth.Errorf(hearth.KindDenied, "no"), 400, `{"__type":"AccessDeniedException","Message":"no","message":"no"}`},
		{hearth.Errorf(hearth.KindTooMany, "Maximum allowed sessions reached"), 400, `{"__type":"TooManyRequestsException","Message":"Maximum allowed sessions reached","message":"Maximum allowed sessions reached"}`},
		{hearth.Errorf(hearth.KindUnavailable, "disk full"), 500, `{"__type":"InternalServerException","Message":"disk full","message":"disk full"}`},
	} {
		t.Run(hearth.KindOf(test.err).String(), func(t *testing.T) {
			f := full()
			f.err = test.err
			for operation, body := range map[string]string{
				"CreatePresignedNotebookUrl": sessionBody, "GetResourceDashboard": arnBody, "GetSession": sessionBody, "GetSessionEndpoint": sessionBody, "GetSessionStatus": sessionBody, "TerminateSession": sessionBody,
				"ListExecutors": sessionBody, "ListCalculationExecutions": sessionBody,
				"ListSessions": `{"WorkGroup":"w"}`, "ListWorkGroups": `{}`, "GetWorkGroup": `{"WorkGroup":"w"}`,
				"StartSession": `{"WorkGroup":"w","EngineConfiguration":{}}`, "StartCalculationExecution": `{"SessionId":"s","CodeBlock":"1"}`,
				"GetCalculationExecution": calculationBody, "GetCalculationExecutionStatus": calculationBody,
				"GetCalculationExecutionCode": calculationBody, "StopCalculationExecution": calculationBody,
			} {
				if operation == "StartSession" && hearth.KindOf(test.err) == hearth.KindExists {
					continue // it has an error of its own for that
				}
				w := call(handler(f, new(bytes.Buffer)), operation, body)
				if w.Code != test.status || w.Body.String() != test.answer {
					t.Errorf("%s: got  %d %s\nwant %d %s", operation, w.Code, w.Body, test.status, test.answer)
				}
			}
		})
	}
	t.Run("a link to a session that has ended", func(t *testing.T) {
		w := call(handler(full(), new(bytes.Buffer)), "CreatePresignedNotebookUrl", sessionBody)
		if want := invalidRequest("INVALID_INPUT", "Session is in the FAILED state; needs to be running to be opened in a browser. Start another session."); w.Code != 400 || w.Body.String() != want {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
	t.Run("what is internal stays inside", func(t *testing.T) {
		f, log := full(), new(bytes.Buffer)
		f.err = hearth.Internal(errors.New("no such table: secrets"), "reading a session")
		w := call(handler(f, log), "GetSession", sessionBody)
		if w.Code != 500 || !strings.HasPrefix(w.Body.String(), `{"__type":"InternalServerException","Message":"Internal error. `) || strings.Contains(w.Body.String(), "secrets") {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "no such table: secrets") || !strings.Contains(log.String(), w.Header().Get("X-Amzn-Requestid")) {
			t.Errorf("logged %s", log)
		}
	})
}

func TestHandler_Requests(t *testing.T) {
	t.Run("StartSession with everything", func(t *testing.T) {
		f := full()
		call(handler(f, new(bytes.Buffer)), "StartSession", `{"WorkGroup":"w","Description":"d","NotebookVersion":"v","SessionIdleTimeoutInMinutes":7,"ExecutionRole":"arn:aws:iam::123456789012:role/spark","ClientRequestToken":"`+strings.Repeat("t", 32)+`",
			"EngineConfiguration":{"CoordinatorDpuSize":1,"MaxConcurrentDpus":5,"DefaultExecutorDpuSize":1,"AdditionalConfigs":{"a":"b"},"SparkProperties":{"spark.x":"y"},"Classifications":[{"Name":"spark-defaults","Properties":{"spark.z":""}}]}}`)
		want := hearth.SessionRequest{
			WorkGroup: "w", Description: "d", NotebookVersion: "v", IdleTimeout: 7 * time.Minute,
			ExecutionRole: "arn:aws:iam::123456789012:role/spark", Token: strings.Repeat("t", 32),
			EngineConfiguration: hearth.EngineConfiguration{
				CoordinatorDPUSize: 1, MaxConcurrentDPUs: 5, DefaultExecutorDPUSize: 1,
				AdditionalConfigs: map[string]string{"a": "b"},
				SparkProperties:   map[string]string{"spark.x": "y"},
				Classifications:   []hearth.Classification{{Name: "spark-defaults", Properties: map[string]string{"spark.z": ""}}},
			},
		}
		if got, want := fmt.Sprintf("%#v", f.started), fmt.Sprintf("%#v", want); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if f.principal != caller {
			t.Errorf("got principal %q", f.principal)
		}
	})
	// Spark 3.5's dialect refuses SparkProperties that are given, even empty.
	t.Run("given empty is not absent", func(t *testing.T) {
		f := full()
		call(handler(f, new(bytes.Buffer)), "StartSession", `{"WorkGroup":"w","EngineConfiguration":{"SparkProperties":{},"AdditionalConfigs":null}}`)
		if c := f.started.EngineConfiguration; c.SparkProperties == nil || c.AdditionalConfigs != nil {
			t.Errorf("got %#v", c)
		}
	})
	for name, body := range map[string]string{
		"CodeBlock":                `{"SessionId":"s","CodeBlock":"x = 1","Description":"d","ClientRequestToken":"` + strings.Repeat("t", 32) + `"}`,
		"CalculationConfiguration": `{"SessionId":"s","CalculationConfiguration":{"CodeBlock":"x = 1"},"Description":"d","ClientRequestToken":"` + strings.Repeat("t", 32) + `"}`,
	} {
		t.Run("StartCalculationExecution with "+name, func(t *testing.T) {
			f := full()
			call(handler(f, new(bytes.Buffer)), "StartCalculationExecution", body)
			if want := (hearth.CalculationRequest{SessionID: "s", Description: "d", Code: "x = 1", Token: strings.Repeat("t", 32)}); f.submitted != want {
				t.Errorf("got %+v, want %+v", f.submitted, want)
			}
			if f.principal != caller {
				t.Errorf("got principal %q", f.principal)
			}
		})
	}
	for _, test := range []struct {
		operation, body string
		asked           any
		page            hearth.Page
	}{
		{"ListSessions", `{"WorkGroup":"w"}`, hearth.SessionFilter{WorkGroup: "w"}, hearth.Page{Limit: 100}},
		{"ListSessions", `{"WorkGroup":"w","StateFilter":"IDLE","MaxResults":3,"NextToken":"n"}`, hearth.SessionFilter{WorkGroup: "w", State: hearth.SessionIdle}, hearth.Page{Limit: 3, After: "n"}},
		{"ListCalculationExecutions", `{"SessionId":"s","StateFilter":"QUEUED","MaxResults":3,"NextToken":""}`, hearth.CalculationFilter{SessionID: "s", State: hearth.CalculationQueued}, hearth.Page{Limit: 3}},
		{"ListWorkGroups", `{}`, nil, hearth.Page{Limit: 50}},
	} {
		t.Run(test.operation, func(t *testing.T) {
			f := full()
			call(handler(f, new(bytes.Buffer)), test.operation, test.body)
			if f.asked != test.asked || f.page != test.page {
				t.Errorf("asked for %+v, %+v; want %+v, %+v", f.asked, f.page, test.asked, test.page)
			}
		})
	}
}

func TestHandler_Hold(t *testing.T) {
	for operation, body := range map[string]string{
		"GetSession": sessionBody, "GetSessionStatus": sessionBody,
		"GetCalculationExecution": calculationBody, "GetCalculationExecutionStatus": calculationBody,
	} {
		id, state := sessionID, "BUSY"
		if strings.HasPrefix(operation, "GetCalculation") {
			id, state = calculationID, "RUNNING"
		}
		t.Run(operation, func(t *testing.T) {
			f := full()
			w := call(handler(f, new(bytes.Buffer)), operation, body, "X-Hearth-While", state)
			if w.Code != 200 || f.asked != [2]string{id, state} {
				t.Errorf("got %d %s, having waited for %v", w.Code, w.Body, f.asked)
			}
			if f.holdUntil.IsZero() {
				t.Error("held for ever")
			}
		})
		t.Run(operation+" with an unknown state", func(t *testing.T) {
			w := call(handler(full(), new(bytes.Buffer)), operation, body, "X-Hearth-While", "SLEEPY")
			if want := invalidRequest("INVALID_INPUT", `X-Hearth-While has to name a state, and "SLEEPY" is none.`); w.Body.String() != want {
				t.Errorf("got  %s\nwant %s", w.Body, want)
			}
		})
	}
}

func TestHandler_ListEngineVersionsInPages(t *testing.T) {
	h := handler(bare(), new(bytes.Buffer))
	first := call(h, "ListEngineVersions", `{"MaxResults":1}`).Body.String()
	if want := `{"EngineVersions":[{"SelectedEngineVersion":"PySpark engine version 3","EffectiveEngineVersion":"PySpark engine version 3"}],"NextToken":"NmY0ZDI2YjMwNGZjNjY2ZDox"}`; first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	second := call(h, "ListEngineVersions", `{"MaxResults":1,"NextToken":"NmY0ZDI2YjMwNGZjNjY2ZDox"}`).Body.String()
	if want := `{"EngineVersions":[{"SelectedEngineVersion":"Apache Spark version 3.5","EffectiveEngineVersion":"Apache Spark version 3.5"}],"NextToken":"NmY0ZDI2YjMwNGZjNjY2ZDoy"}`; second != want {
		t.Errorf("got  %s\nwant %s", second, want)
	}
	third := call(h, "ListEngineVersions", `{"MaxResults":1,"NextToken":"NmY0ZDI2YjMwNGZjNjY2ZDoy"}`).Body.String()
	if want := `{"EngineVersions":[{"SelectedEngineVersion":"Apache Spark version 4.1","EffectiveEngineVersion":"Apache Spark version 4.1"}]}`; third != want {
		t.Errorf("got  %s\nwant %s", third, want)
	}
}

func TestHandler_TakesNoTokenOfAnotherList(t *testing.T) {
	h := handler(full(), new(bytes.Buffer))
	const token = "NmY0ZDI2YjMwNGZjNjY2ZDox" // of ListEngineVersions
	for operation, member := range map[string]string{
		"ListApplicationDPUSizes": "",
		"ListExecutors":           `"SessionId":"` + sessionID + `",`,
		"ListNotebookSessions":    `"NotebookId":"` + sessionID + `",`,
		"ListTagsForResource":     `"ResourceARN":"arn:aws:athena:us-east-1:123456789012:workgroup/primary",`,
	} {
		t.Run(operation, func(t *testing.T) {
			w := call(h, operation, `{`+member+`"NextToken":"`+token+`"}`)
			if want := invalidRequest("INVALID_INPUT", "The nextPageToken is malformed: "+token); w.Body.String() != want {
				t.Errorf("got  %s\nwant %s", w.Body, want)
			}
		})
	}
}

func BenchmarkGetSessionStatus(b *testing.B) {
	h := handler(full(), new(bytes.Buffer))
	b.ReportAllocs()
	for b.Loop() {
		if w := call(h, "GetSessionStatus", sessionBody); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
