package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// browser keeps cookies and follows redirects, and has no script.
type browser struct {
	c    *Client
	http *http.Client
	page string // address of the session's page
	text string // of the last answer
}

func (b *browser) do(method, address string, form url.Values) int {
	t := b.c.T
	t.Helper()
	request := Must(http.NewRequestWithContext(b.c.Ctx, method, address, strings.NewReader(form.Encode())))(t)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := Must(b.http.Do(request))(t)
	defer answer.Body.Close()
	b.text = string(Must(io.ReadAll(answer.Body))(t))
	return answer.StatusCode
}

// has checks that the last page went well and has some parts.
func (b *browser) has(status int, parts ...string) {
	b.c.T.Helper()
	Same(b.c.T, "status", status, http.StatusOK)
	for _, part := range parts {
		if !strings.Contains(b.text, part) {
			b.c.T.Errorf("the page is without %q:\n%s", part, b.text)
		}
	}
}

// run sends the page's form and gives the id of the calculation.
func (b *browser) run(code string) string {
	b.c.T.Helper()
	Same(b.c.T, "status", b.do("GET", b.page, nil), http.StatusOK)
	token := Found(b.c.T, b.text, `name="token" value="([^"]+)"`)
	Same(b.c.T, "status", b.do("POST", b.page+"/calculations", url.Values{"token": {token}, "code": {code}}), http.StatusOK)
	ids := regexp.MustCompile(`<article id="calculation-([^"]+)"`).FindAllStringSubmatch(b.text, -1)
	if ids == nil {
		b.c.T.Fatalf("nothing runs:\n%s", b.text)
	}
	return ids[len(ids)-1][1]
}

// notebookPage uses a session in a browser, by the link that the API gives.
func notebookPage(t *testing.T, c *Client) {
	session, other := c.Launch(), c.Launch()
	asked := time.Now()
	link := Must(c.Athena.CreatePresignedNotebookUrl(c.Ctx, &athena.CreatePresignedNotebookUrlInput{SessionId: &session}))(t)
	if left := time.Unix(aws.ToInt64(link.AuthTokenExpirationTime), 0).Sub(asked); left < 9*time.Minute || left > 11*time.Minute {
		t.Errorf("the link lives for %v", left)
	}
	address, token := aws.ToString(link.NotebookUrl), aws.ToString(link.AuthToken)
	Same(t, "link", address, c.URL+"/ui/sessions/"+session+"?authToken="+token)

	b := &browser{c: c, http: &http.Client{Jar: Must(cookiejar.New(nil))(t)}, page: c.URL + "/ui/sessions/" + session}
	Same(t, "status without a link", b.do("GET", b.page, nil), http.StatusForbidden)
	b.has(b.do("GET", address, nil), session, c.WorkGroup)
	Same(t, "status of another session", b.do("GET", c.URL+"/ui/sessions/"+other, nil), http.StatusForbidden)
	Same(t, "status of another session by this link", b.do("GET", c.URL+"/ui/sessions/"+other+"?authToken="+token, nil), http.StatusForbidden)
	c.AwaitSession(session, types.SessionStateIdle)

	// It runs code.
	c.Ended(b.run("print(6*7)\nimport sys\nprint('a <warning>', file=sys.stderr)"))
	b.has(b.do("GET", b.page, nil), "COMPLETED", "<samp>42\n</samp>", "<samp>a &lt;warning&gt;\n</samp>")

	// It shows figures and documents.
	c.Ended(b.run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nimport pandas\npandas.DataFrame({'a<b': [1]})"))
	b.has(b.do("GET", b.page, nil), `<img src="data:image/png;base64,iVBOR`, `<iframe sandbox title="Result" srcdoc="&lt;!doctype`, "a&amp;lt;b")

	// It shows what goes wrong.
	c.Ended(b.run("foobar"))
	b.has(b.do("GET", b.page, nil), "FAILED", "NameError: name &#39;foobar&#39; is not defined")

	// It stops code, and keeps other code meanwhile.
	g := NewGate(t)
	id := b.run("print('at the gate', flush=True)" + g.Code())
	g.Reached()
	c.AwaitCalculation(id, types.CalculationExecutionStateRunning) // the code may be ahead of its record
	b.has(b.do("GET", b.page, nil), "RUNNING", `http-equiv="refresh"`)
	Same(t, "status of more code", b.do("POST", b.page+"/calculations", url.Values{"code": {"mine"}}), http.StatusConflict)
	if !strings.Contains(b.text, ">\nmine</textarea>") || !strings.Contains(b.text, "Session is in the BUSY state") {
		t.Errorf("the code is not kept:\n%s", b.text)
	}
	b.do("POST", b.page+"/calculations/"+id+"/stop", nil)
	c.AwaitCalculation(id, types.CalculationExecutionStateCanceled)
	b.has(b.do("GET", b.page, nil), "CANCELED", "at the gate", "<textarea")

	// `hearth sessions open` gives a link, too.
	stdout, stderr, status := Outcome(t, c.Command("sessions", "open", session))
	Same(t, "exit status", status, 0)
	another := &browser{c: c, http: &http.Client{Jar: Must(cookiejar.New(nil))(t)}}
	another.has(another.do("GET", strings.TrimSpace(stdout), nil), session)
	Found(t, stderr, `until (\d{4})-`)
	stdout, _, status = Outcome(t, c.Command("sessions", "open", session, "--output", "json"))
	Same(t, "exit status", status, 0)
	var answer struct{ NotebookUrl, AuthToken string }
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || !strings.HasSuffix(answer.NotebookUrl, answer.AuthToken) || answer.AuthToken == "" {
		t.Errorf("%v: %s", err, stdout)
	}

	// It ends the session.
	b.has(b.do("POST", b.page+"/end", nil), "TERMINAT")
	c.AwaitSession(session, types.SessionStateTerminated)
	b.has(b.do("GET", b.page, nil), "TERMINATED", "The session has ended.", "<samp>42\n</samp>")
	refusal := Refused(c.Athena.CreatePresignedNotebookUrl(c.Ctx, &athena.CreatePresignedNotebookUrlInput{SessionId: &session}))(t)
	if !strings.HasPrefix(refusal.ErrorMessage(), "Session is in the TERMINATED state") {
		t.Error(refusal)
	}
	refusal = Refused(c.Athena.CreatePresignedNotebookUrl(c.Ctx, &athena.CreatePresignedNotebookUrlInput{SessionId: aws.String("never")}))(t)
	Same(t, "message", refusal.ErrorMessage(), "Session never is not found.")
}
