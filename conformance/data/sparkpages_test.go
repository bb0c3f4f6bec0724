package data

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	. "hearth/conformance"
	"hearth/internal/testenv"
)

// shownPage is one of Spark's pages as a browser shows it.
type shownPage struct {
	Address, Title, Text string
	Drawings             int // parts of its drawings
}

// TestSparkPages looks at Spark's own pages with Chromium, on each engine those of
// a driver and those of its history. Every request of every page has to go well.
func TestSparkPages(t *testing.T) {
	server := Connect(t, testenv.Serve(t, testenv.Binary(t)))
	folder := Must(filepath.Abs(filepath.Join("testdata", "browser")))(t)
	browser := testenv.JavaScriptClients(t, folder)
	engines := map[string]*Client{"Spark 3.5": server, "Spark 4.1": server.OnSpark41("spark-4.1")}
	sessions := make(map[string]string)
	for name, c := range engines {
		sessions[name] = c.Launch()
	}
	t.Run("of", func(t *testing.T) {
		for name, c := range engines {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := sparkPages{Client: c.In(t), browser: browser, folder: folder, session: sessions[name]}
				s.root = c.URL + "/ui/sessions/" + s.session + "/spark/"
				s.tell()
			})
		}
	})
	t.Run("the history servers end with the server", func(t *testing.T) {
		server.Stop()
		log := server.Log()
		for name, session := range sessions {
			if strings.Count(log, `msg="history server started" session=`+session) != 1 || strings.Count(log, `msg="history server ended" session=`+session) != 1 {
				t.Errorf("of %s the log has:\n%s", name, log)
			}
		}
	})
}

// sparkPages are those of one session.
type sparkPages struct {
	*Client
	browser       testenv.JavaScript
	folder        string // of what the browser is told
	session, root string
}

func (s sparkPages) tell() {
	s.AwaitSession(s.session, types.SessionStateIdle)
	address := strings.TrimSpace(s.Run(s.session, `
spark.range(1000).selectExpr("id % 7 AS k").groupBy("k").count().collect()
spark.range(100).cache().count()
sc.parallelize(range(10), 2).map(lambda n: n * n).sum()
print(sc.uiWebUrl)
`))
	s.T.Run("live", func(t *testing.T) { s.all(t, s.walk(t), "") })
	s.T.Run("to nobody without the driver's secret", func(t *testing.T) {
		for _, path := range []string{"/", "/jobs/", "/static/webui.js", "/api/v1/applications"} {
			request := Must(http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil))(t)
			answer := Must(http.DefaultClient.Do(request))(t)
			answer.Body.Close()
			Same(t, path, answer.StatusCode, http.StatusForbidden)
		}
	})
	s.T.Run("history", func(t *testing.T) {
		Must(s.Athena.TerminateSession(s.Ctx, &athena.TerminateSessionInput{SessionId: &s.session}))(t)
		s.AwaitSession(s.session, types.SessionStateTerminated)
		pages := s.walk(t)
		var below string
		for address := range pages {
			if application, _, ok := strings.Cut(strings.TrimPrefix(address, "history/"), "/"); ok && strings.HasPrefix(address, "history/") {
				below = "history/" + application + "/"
			}
		}
		s.all(t, pages, below)
	})
}

// walk gives all pages by what their addresses are below the root.
func (s sparkPages) walk(t *testing.T) map[string]shownPage {
	t.Helper()
	arn := "arn:aws:athena:us-east-1:123456789012:workgroup/" + s.WorkGroup + "/session/" + s.session
	link := aws.ToString(Must(s.Athena.GetResourceDashboard(s.Ctx, &athena.GetResourceDashboardInput{ResourceARN: &arn}))(t).Url)
	command := s.browser.Command(filepath.Join(s.folder, "walk.cjs"), link, s.root)
	command.Env = append(command.Env, "TMPDIR="+t.TempDir(), "HOME="+t.TempDir())
	out, complaint, status := Outcome(t, command)
	if status != 0 {
		t.Fatalf("Chromium could not look: %s", complaint)
	}
	var walked struct {
		Pages    []shownPage
		Failures []string
	}
	if err := json.Unmarshal([]byte(out), &walked); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, failure := range walked.Failures {
		t.Error(failure)
	}
	pages := make(map[string]shownPage)
	for _, page := range walked.Pages {
		pages[strings.TrimPrefix(page.Address, s.root)] = page
	}
	return pages
}

// all looks at the pages of each kind.
func (s sparkPages) all(t *testing.T, pages map[string]shownPage, below string) {
	t.Helper()
	shows := func(address string, drawn bool, parts ...string) {
		t.Helper()
		page, found := pages[below+address]
		if !found {
			t.Errorf("there is no page %s", below+address)
			return
		}
		for _, part := range parts {
			if !strings.Contains(page.Text, part) {
				t.Errorf("%s is without %q:\n%s", below+address, part, page.Text)
			}
		}
		if drawn && page.Drawings == 0 {
			t.Errorf("nothing is drawn on %s", below+address)
		}
	}
	shows("jobs/", true, "Completed Jobs", "Event Timeline")
	shows("jobs/job/?id=1", true, "Completed Stages", "DAG Visualization")
	shows("stages/", false, "Completed Stages", "sum at ")
	shows("stages/stage/?id=0&attempt=0", true, "Summary Metrics", "SUCCESS")
	shows("storage/", false, "Storage")
	shows("environment/", false, "hearth-"+s.session, "spark.hearth.Pages.param.secret")
	shows("executors/", false, "Active(1)", "driver")
	shows("SQL/", false, "Completed Queries")
	shows("SQL/execution/?id=0", true, "Details for Query 0", "Duration")
}
