package conformance

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// wire sends requests as no SDK does, and looks at the answers as they come.
// The expected ones are those measured on Athena, with one member more: the
// message stands there under two names.
func wire(t *testing.T, c *Client) {
	refusal := func(message string) string {
		message = strconv.Quote(message)
		return `{"__type":"InvalidRequestException","AthenaErrorCode":"INVALID_INPUT","ErrorCode":"INVALID_INPUT","Message":` + message + `,"message":` + message + `}`
	}
	wrongType := func(message string) string {
		message = strconv.Quote(message)
		return `{"__type":"SerializationException","Message":` + message + `,"message":` + message + `}`
	}
	const (
		json    = "application/x-amz-json-1.1"
		unread  = `{"__type":"SerializationException"}`
		unknown = `{"__type":"UnknownOperationException"}`
		nowhere = "<UnknownOperationException/>"
		engines = `{"EngineVersions":[{"SelectedEngineVersion":"PySpark engine version 3","EffectiveEngineVersion":"PySpark engine version 3"}],"NextToken":"NmY0ZDI2YjMwNGZjNjY2ZDox"}`

		constraint = "1 validation error detected: Value"
		failed     = " failed to satisfy constraint: "
	)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			if r.Header.Set(name, value); value == "" {
				r.Header.Del(name)
			}
		}
	}
	token := func(n int) string {
		return `{"WorkGroup":"nowhere","EngineConfiguration":{},"ClientRequestToken":"` + strings.Repeat("t", n) + `"}`
	}
	start := func(member string) string { return `{"WorkGroup":"nowhere","EngineConfiguration":{` + member + `}}` }

	seen := make(map[string]bool) // request ids
	for _, test := range []struct {
		name, operation, body string
		change                func(*http.Request)
		status                int
		answer                string
	}{
		{"a success", "ListEngineVersions", `{"MaxResults":1}`, nil, 200, engines},
		{"unknown keys", "ListEngineVersions", `{"MaxResults":1,"Colour":{"a":[1,null]}}`, nil, 200, engines},
		{"a null for an absent member", "ListEngineVersions", `{"MaxResults":1,"NextToken":null}`, nil, 200, engines},
		{"a fraction", "ListEngineVersions", `{"MaxResults":1.5}`, nil, 200, engines},
		{"a shape without members", "UntagResource", `{"ResourceARN":"arn:aws:athena:us-east-1:123456789012:workgroup/primary","TagKeys":["none"]}`, nil, 200, ""},

		{"a required member missing", "GetSession", `{}`, nil, 400, refusal(constraint + " null at 'sessionId'" + failed + "Member must not be null")},
		{"a required member null", "GetSession", `{"SessionId":null}`, nil, 400, refusal(constraint + " null at 'sessionId'" + failed + "Member must not be null")},
		{"a number too large", "ListWorkGroups", `{"MaxResults":51}`, nil, 400, refusal(constraint + " at 'maxResults'" + failed + "Member must have value less than or equal to 50")},
		{"a number too small", "ListWorkGroups", `{"MaxResults":0}`, nil, 400, refusal(constraint + " at 'maxResults'" + failed + "Member must have value greater than or equal to 1")},
		{"code too long", "StartCalculationExecution", `{"SessionId":"s","CodeBlock":"` + strings.Repeat("x", 68001) + `"}`, nil, 400, refusal(constraint + " at 'codeBlock'" + failed + "Member must have length less than or equal to 68000")},
		{"a token too short", "StartSession", token(31), nil, 400, refusal(constraint + " at 'clientRequestToken'" + failed + "Member must have length greater than or equal to 32")},
		{"a token too long", "StartSession", token(129), nil, 400, refusal(constraint + " at 'clientRequestToken'" + failed + "Member must have length less than or equal to 128")},
		{"a token of a good length", "StartSession", token(128), nil, 400, refusal("WorkGroup is not found. No workgroup has the name nowhere.")},
		{"a NextToken that no list gave", "ListWorkGroups", `{"NextToken":"tok/+="}`, nil, 400, refusal("The nextPageToken is malformed: tok/+=")},
		{"a session that there is not", "GetSession", `{"SessionId":"` + unknownID + `"}`, nil, 400, refusal("Session " + unknownID + " is not found.")},

		{"a string for a number", "ListWorkGroups", `{"MaxResults":"5"}`, nil, 400, wrongType("STRING_VALUE can not be converted to an Integer")},
		{"a number for a string", "GetSession", `{"SessionId":7}`, nil, 400, wrongType("NUMBER_VALUE can not be converted to a String")},
		{"a list for a string", "GetSession", `{"SessionId":["s"]}`, nil, 400, wrongType("Start of list found where not expected")},
		{"an object for a string", "GetSession", `{"SessionId":{}}`, nil, 400, wrongType("Start of structure or map found where not expected.")},
		{"a string for a list", "UntagResource", `{"TagKeys":"k"}`, nil, 400, wrongType("Expected list or null")},
		{"a string for a map", "StartSession", start(`"SparkProperties":"s"`), nil, 400, wrongType("Expected map or null")},
		{"a string for a structure", "StartSession", `{"WorkGroup":"nowhere","EngineConfiguration":"e"}`, nil, 400, wrongType("Expected null")},
		{"a wrong type before a missing member", "StartSession", `{"WorkGroup":1}`, nil, 400, wrongType("NUMBER_VALUE can not be converted to a String")},
		{"a missing member before an unknown workgroup", "StartSession", `{"WorkGroup":"nowhere"}`, nil, 400, refusal(constraint + " null at 'engineConfiguration'" + failed + "Member must not be null")},
		{"JSON that breaks off", "GetSession", `{"SessionId":`, nil, 400, unread},
		{"an empty body", "GetSession", ``, nil, 400, unread},
		{"null for a body", "GetSession", `null`, nil, 400, unread},
		{"a string for a body", "GetSession", `"s"`, nil, 400, unread},
		{"a list for a body", "GetSession", `[]`, nil, 400, unread},
		{"bytes that are no UTF-8", "GetSession", "{\"SessionId\":\"\xff\"}", nil, 400, unread},
		{"deep nesting", "GetSession", `{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, nil, 400, unread},

		{"an operation that is not served", "StartQueryExecution", `{}`, nil, 400, refusal("StartQueryExecution is not served by Hearth.")},
		{"an unknown operation", "MakeCoffee", `{}`, nil, 400, unknown},
		{"an operation in small letters", "getsession", `{}`, nil, 400, unknown},
		{"a target without its prefix", "", `{}`, header("X-Amz-Target", "GetSession"), 400, unknown},
		{"no target", "", `{}`, header("X-Amz-Target", ""), 400, unknown},
		{"a target of another service", "", `{}`, header("X-Amz-Target", "AWSGlue.GetSession"), 400, unknown},
		{"JSON 1.0", "GetSession", `{}`, header("Content-Type", "application/x-amz-json-1.0"), 404, nowhere},
		{"plain JSON", "GetSession", `{}`, header("Content-Type", "application/json"), 404, nowhere},
		{"no content type", "GetSession", `{}`, header("Content-Type", ""), 404, nowhere},
		{"a content type with a character set", "ListEngineVersions", `{"MaxResults":1}`, header("Content-Type", json+"; charset=utf-8"), 200, engines},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := c.In(t)
			request := c.unsigned(test.operation, []byte(test.body))
			request.Header.Set("Accept-Encoding", "gzip, deflate")
			if test.change != nil {
				test.change(request)
			}
			c.signRequest(request, []byte(test.body), c.key(), "athena", time.Now())
			response := Must(http.DefaultClient.Do(request))(t)
			defer response.Body.Close()
			body := string(Must(io.ReadAll(response.Body))(t))

			Same(t, "status", response.StatusCode, test.status)
			Same(t, "body", strings.TrimSpace(body), test.answer)
			contentType := json
			if test.answer == nowhere {
				contentType = "application/xml"
			}
			Same(t, "Content-Type", response.Header.Get("Content-Type"), contentType)
			Same(t, "Content-Encoding", response.Header.Get("Content-Encoding"), "")
			Same(t, "Content-Length", response.ContentLength, int64(len(body)))
			if at, err := http.ParseTime(response.Header.Get("Date")); err != nil || time.Since(at).Abs() > time.Minute {
				t.Errorf("Date is %q", response.Header.Get("Date"))
			}
			id := response.Header.Get("X-Amzn-Requestid")
			if _, err := uuid.Parse(id); err != nil || seen[id] {
				t.Errorf("the request's id is %q", id)
			}
			seen[id] = true
			_, errorType, _ := strings.Cut(body, `{"__type":"`)
			errorType, _, _ = strings.Cut(errorType, `"`)
			Same(t, "X-Amzn-ErrorType", response.Header.Get("X-Amzn-ErrorType"), errorType)
		})
	}
}
